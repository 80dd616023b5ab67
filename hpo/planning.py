"""Quotes without a study: what one plan, or every plan of the space, would cost and take."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from budget.money import Money
from hpo.answer.sentences import plan_words
from hpo.market.open import open_market
from hpo.market.quote import Quote, outside, quote_plan
from hpo.settings.config import StudyConfig
from hpo.settings.run_folder import money_to_plain
from hpo.settings.search_space import SearchSpace
from hpo.trial.outcome import plan_to_plain
from labeling.campaign.templates import advised_plan
from labeling.types import LabelPlan


@dataclass(frozen=True, slots=True)
class Quoted:
    """A plan, its quote, and why it is outside the study's limits, if it is."""

    plan: LabelPlan
    quote: Quote
    outside: str | None


def quote_space(config: StudyConfig) -> list[Quoted]:
    """Quote every plan of a configuration's space. Buys nothing and writes nothing.

    Raises:
        InputError: the data or the scenario are wrong.
    """
    from hpo.data.dataset import load

    data = load(config)
    market = open_market(config, data)
    space = SearchSpace.of(config, len(data.rows["pool"]))
    quoted = []
    for plan in space.plans:
        offer = quote_plan(market, plan, config.allowance)
        quoted.append(Quoted(plan, offer, outside(config, config.budget, offer)))
    return quoted


def meant(config: StudyConfig) -> StudyConfig:
    """The configuration narrowed to the plan that its campaign is meant for, if it names one.

    Only where none of the knobs was chosen: whoever chooses one wants to see the space.
    """
    usual = StudyConfig(config.budget, config.study)
    knobs = ("price", "overlap", "dynamic_overlap", "controls", "tasks", "exam")
    if config.campaign is None or any(getattr(config, k) != getattr(usual, k) for k in knobs):
        return config
    plan = advised_plan(config.campaign)
    if plan is None:
        return config
    return dataclasses.replace(
        config,
        price=(plan.price,),
        overlap=(plan.overlap,),
        controls=(plan.controls,),
        tasks=("100%",),
        exam=(plan.exam,),
    )


def show_quotes(config: StudyConfig, as_json: bool) -> bool:
    """Print the quotes of a configuration's space, or of the plan its campaign is meant for.

    Returns:
        Whether at least one plan is inside the limits and its reservation inside the budget.
    """
    config = meant(config)
    quoted = quote_space(config)
    if as_json:
        json.dump([_plain(item) for item in quoted], sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        console = Console(highlight=False)
        kinds = {(q.plan.price, q.plan.overlap, q.plan.controls, q.plan.tasks) for q in quoted}
        if len(kinds) == 1:
            _show_one(quoted, console)
        else:
            _show_all(quoted, config, console)
    return any(q.outside is None and q.quote.hold <= config.budget for q in quoted)


def _plain(item: Quoted) -> dict[str, Any]:
    offer = item.quote
    return {
        "plan": plan_to_plain(item.plan),
        "assignments": offer.assignments,
        "reward": money_to_plain(offer.reward),
        "fee": money_to_plain(offer.fee),
        "cost": money_to_plain(offer.cost),
        "assignments_limit": offer.limit,
        "reserved": money_to_plain(offer.hold),
        "minutes": round(offer.minutes, 1),
        "outside_limits": item.outside,
    }


def _show_one(quoted: list[Quoted], console: Console) -> None:
    first = quoted[0]
    words = {**_plain(first)["plan"], "price_per_task": {"usd": first.plan.price.exact()}}
    offer = first.quote
    console.print(Text(plan_words(words)), soft_wrap=True)
    table = Table(show_header=False, box=box.SIMPLE_HEAD)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("assignments expected", str(offer.assignments))
    table.add_row("reward", str(offer.reward))
    table.add_row("platform fee", str(offer.fee))
    table.add_row("cost", str(offer.cost))
    table.add_row(f"reserved (up to {offer.limit} assignments, recompletion)", str(offer.hold))
    table.add_row(
        "dollars per 1,000 images", f"${1000 * offer.cost.dollars / first.plan.tasks:.2f}"
    )
    for item in quoted:
        exam = "with exam" if item.plan.exam else "without exam"
        table.add_row(f"minutes expected, {exam}", f"{item.quote.minutes:.0f}")
    console.print(table)
    for item in quoted:
        if item.outside is not None:
            exam = "With exam" if item.plan.exam else "Without exam"
            console.print(Text(f"{exam} outside the limits: {item.outside}."))


def _show_all(quoted: list[Quoted], config: StudyConfig, console: Console) -> None:
    inside = [item for item in quoted if item.outside is None]
    console.print(
        Text(f"{len(quoted)} plans, {len(inside)} inside the limits of a {config.budget} study")
    )
    if inside:
        costs = sorted(item.quote.cost for item in inside)
        middle = Money(int(statistics.median(cost.micros for cost in costs)))
        console.print(
            Text(
                f"Inside: from {costs[0].cents()}, median {middle.cents()}, to {costs[-1].cents()}"
            )
        )
    table = Table(
        title="Cost of the cheapest plan by tasks and overlap",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    overlaps = sorted({item.plan.overlap for item in quoted})
    table.add_column("tasks", justify="right")
    for overlap in overlaps:
        table.add_column(f"overlap {overlap}", justify="right")
    for tasks in sorted({item.plan.tasks for item in quoted}):
        rows = [item for item in quoted if item.plan.tasks == tasks]
        cells = [
            min(item.quote.cost for item in rows if item.plan.overlap == overlap).cents()
            for overlap in overlaps
        ]
        table.add_row(str(tasks), *cells)
    console.print(table)

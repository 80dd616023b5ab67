"""`labelworth plan`: what one plan, or every plan of the space, would cost and take."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from hpo.cli.console import print_json, print_lines, stderr, stdout
from hpo.cli.flags import Commands, add_command, add_json, add_settings, config_of
from hpo.settings.exit_codes import DONE, NOTHING_AFFORDABLE

if TYPE_CHECKING:
    from hpo.data.dataset import Dataset
    from hpo.market.machines.machine import Machine
    from hpo.market.quote import Quoted
    from hpo.settings.config import StudyConfig


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "plan", "quote one plan or the whole space; buys nothing")
    parser.later(_add_flags)
    parser.set_defaults(command=run)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print quotes; 3 where no plan can be afforded."""
    from hpo.settings.config import to_toml

    config = config_of(arguments, budget="20")
    if arguments.print_config:
        print(to_toml(config), end="")
        return DONE
    return DONE if show_quotes(config, arguments.json) else NOTHING_AFFORDABLE


def show_quotes(config: StudyConfig, as_json: bool) -> bool:
    """Print the quotes of a configuration's space, or of the plan its campaign is meant for.

    Returns:
        Whether at least one plan is inside the limits and its reservation inside the budget.
    """
    from hpo.data.dataset import load
    from hpo.data.summary import data_lines
    from hpo.market.quote import meant, quote_space

    config = meant(config)
    data = load(config)
    further: list[str] = []
    quoted = quote_space(config, data, further.append)
    machine = _machine_of(config, data)
    print_lines([*data_lines(config, data), *further], stderr())
    if as_json:
        print_json([_plain(item) for item in quoted])
    else:
        kinds = {dataclasses.replace(q.plan, exam=False) for q in quoted}
        if len(kinds) == 1:
            _show_one(quoted)
        else:
            _show_all(quoted, config)
        _show_tests(config, data, quoted)
        _show_machine(machine)
    return any(q.outside is None and q.quote.hold <= config.budget for q in quoted)


def _plain(item: Quoted) -> dict[str, Any]:
    from hpo.trial.outcome import plan_to_plain

    offer = item.quote
    return {
        "plan": plan_to_plain(item.plan),
        "assignments": offer.assignments,
        "reward": offer.reward.to_json(),
        "fee": offer.fee.to_json(),
        "cost": offer.cost.to_json(),
        "assignments_limit": offer.limit,
        "reserved": offer.hold.to_json(),
        "minutes": round(offer.minutes, 1),
        "outside_limits": item.outside,
    }


def _show_tests(config: StudyConfig, data: Dataset, quoted: list[Quoted]) -> None:
    """The labels that a study would buy to measure models by."""
    from hpo.answer.plan_in_words import by_in_words, pay_in_words
    from hpo.study.delivery.measuring import quote_tests

    tests = quote_tests(config, data, [item.plan for item in quoted])
    if tests is not None:
        plan, offer = tests
        print_lines(
            [
                "",
                f"Besides, labels to measure models by: {plan.tasks:,} images, {plan.overlap} "
                f"answers each, at {pay_in_words(plan)}{by_in_words(plan.group)}: "
                f"{offer.cost.cents()}, reserved {offer.hold.cents()}.",
            ]
        )


def _machine_of(config: StudyConfig, data: Dataset) -> Machine | None:
    if config.machine is None:
        return None
    from hpo.market.machines.machine import open_machine
    from hpo.market.open import open_market

    return open_machine(config, data, open_market(config, data), None)


def _show_machine(machine: Machine | None) -> None:
    """What the machine's answers about all images would cost."""
    if machine is None:
        return
    count = len(machine.rows)
    print_lines(
        [
            "",
            f"Besides, the machine's answers about {count:,} images: "
            f"{machine.expected(count).cents()}, reserved {machine.most(count).cents()}.",
        ]
    )


def _show_one(quoted: list[Quoted]) -> None:
    from hpo.answer.plan_in_words import plan_in_words
    from hpo.answer.tables import TableColumn, TextTable, print_table

    first = quoted[0]
    offer = first.quote
    print_lines([plan_in_words(first.plan)])
    rows = [
        ("assignments expected", str(offer.assignments)),
        ("reward", str(offer.reward)),
        ("platform fee", str(offer.fee)),
        ("cost", str(offer.cost)),
        (f"reserved (up to {offer.limit} assignments, recompletion)", str(offer.hold)),
        ("dollars per 1,000 images", f"${1000 * offer.cost.dollars / first.plan.tasks:.2f}"),
    ]
    for item in quoted:
        exam = "with exam" if item.plan.exam else "without exam"
        rows.append((f"minutes expected, {exam}", f"{item.quote.minutes:.0f}"))
    columns = (TableColumn("", wraps=True), TableColumn("", True))
    print_lines([""])
    print_table(TextTable(columns, rows, has_header=False), stdout())
    for item in quoted:
        if item.outside is not None:
            exam = "With exam" if item.plan.exam else "Without exam"
            print_lines([f"{exam} outside the limits: {item.outside}."])


def _show_all(quoted: list[Quoted], config: StudyConfig) -> None:
    import statistics

    from budget.money import Money
    from hpo.answer.plan_in_words import counted
    from hpo.answer.tables import TableColumn, TextTable, print_table

    inside = [item for item in quoted if item.outside is None]
    lines = [
        f"{counted(len(quoted), 'plan')}, {len(inside):,} of them inside the limits of a "
        f"{config.budget} study"
    ]
    if inside:
        costs = sorted(item.quote.cost for item in inside)
        middle = Money(int(statistics.median(cost.micros for cost in costs)))
        lines.append(
            f"These cost {costs[0].cents()} to {costs[-1].cents()}, half of them at most "
            f"{middle.cents()}"
        )
    print_lines(lines)
    overlaps = sorted({item.plan.overlap for item in quoted})
    rows = []
    for tasks in sorted({item.plan.tasks for item in quoted}):
        mine = [item for item in quoted if item.plan.tasks == tasks]
        cells = [
            min(item.quote.cost for item in mine if item.plan.overlap == overlap).cents()
            for overlap in overlaps
        ]
        rows.append((str(tasks), *cells))
    columns = [TableColumn(name, True) for name in ("tasks", *(f"overlap\n{k}" for k in overlaps))]
    print_lines([""])
    title = "Cost of the cheapest plan by tasks and overlap"
    print_table(TextTable(columns, rows, title), stdout())

"""Quotes: the cost and minutes of a plan, before anything is bought."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from budget.money import Money
from budget.tariff import assignments_for
from hpo.data.dataset import Dataset, load
from hpo.market.market import Market
from hpo.market.open import open_market
from hpo.settings.config import StudyConfig, make_config
from hpo.settings.search_space import SearchSpace
from labeling.campaign.templates import advised_plan
from labeling.source import LabelSource, tariff_of
from labeling.types import Condition, LabelPlan


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a number of answers in a condition.

    Attributes:
        answers: usable answers wanted.
        assignments: expected assignments without recompletion.
        reward: what annotators get for them.
        fee: what the platform gets for them.
        limit: the most assignments, recompletion included.
        hold: the most it can cost: what is reserved before buying.
        minutes: expected minutes of the expected assignments.
    """

    answers: int
    assignments: int
    reward: Money
    fee: Money
    limit: int
    hold: Money
    minutes: float

    @property
    def cost(self) -> Money:
        """Expected cost at the tariff: reward and fee."""
        return self.reward + self.fee


def quote(
    source: LabelSource,
    condition: Condition,
    answers: int,
    overlap: int,
    allowance: Fraction,
    share: Fraction = Fraction(1),
) -> Quote:
    """Price a number of further answers in a condition's pool.

    Args:
        source: the market, for its tariff and its expectation of time.
        condition: the pool.
        answers: usable answers wanted, summed over tasks.
        overlap: the most answers wanted on one task.
        allowance: assignments for recompletion, as a share of the expected ones.
        share: of the answers that are expected to be needed; below 1 where overlap is dynamic.
    """
    most = assignments_for(answers, overlap, condition.real_per_assignment)
    limit = math.ceil(most * (1 + allowance))
    assignments = math.ceil(most * share)
    tariff, reward = tariff_of(source, condition), condition.reward
    return Quote(
        answers,
        assignments,
        tariff.expected(assignments, reward),
        tariff.fee(assignments, reward),
        limit,
        tariff.most(limit, reward),
        source.expected_minutes(condition, assignments) if assignments else 0.0,
    )


def quote_plan(market: Market, plan: LabelPlan, allowance: Fraction) -> Quote:
    """A whole plan's quote, as if nothing were owned."""
    condition = market.condition(plan)
    share = answers_share(market, plan)
    answers = plan.tasks * plan.overlap
    return quote(market.source, condition, answers, plan.overlap, allowance, share)


def answers_share(market: Market, plan: LabelPlan) -> Fraction:
    """The share of a plan's answers that is expected to be needed: 1 but for dynamic overlap."""
    if plan.dynamic is None or market.crowd is None:
        return Fraction(1)
    expected = market.crowd.expected_overlap(market.condition(plan))
    return (
        Fraction(1) if expected is None else Fraction(round(expected * 1000), 1000 * plan.overlap)
    )


def outside(config: StudyConfig, cap: Money, whole: Quote) -> str | None:
    """The reason why a whole plan's quote is outside a study's limits; None when it is inside."""
    share = config.plan_share
    if whole.cost > cap.share(share):
        part = "" if share == 1 else f"{100 * float(share):.4g} % of "
        return f"costs {whole.cost}, above {part}the cap of {cap}"
    if config.max_minutes is not None and whole.minutes > config.max_minutes:
        return f"would take {whole.minutes:.0f} minutes, above {config.max_minutes:g}"
    return None


@dataclass(frozen=True, slots=True)
class Quoted:
    """A plan, its quote, and why it is outside the study's limits, if it is."""

    plan: LabelPlan
    quote: Quote
    outside: str | None


def quote_space(
    config: StudyConfig, loaded: Dataset | None = None, tell: Callable[[str], None] | None = None
) -> list[Quoted]:
    """Quote every plan of a configuration's space. Buys nothing and writes nothing.

    Args:
        config: the configuration.
        loaded: its images, when loaded already.
        tell: told how files of answers were read.

    Raises:
        InputError: the data or the scenario are wrong.
    """
    data = loaded or load(config)
    market = open_market(config, data)
    if tell is not None:
        for line in market.file_notes:
            tell(f"Note: {line}")
    space = SearchSpace.of(config, len(data.rows["pool"]))
    quoted = []
    for plan in space.plans:
        offer = quote_plan(market, plan, config.allowance)
        quoted.append(Quoted(plan, offer, outside(config, config.budget, offer)))
    return quoted


def meant(config: StudyConfig) -> StudyConfig:
    """The configuration narrowed to the plan that its campaign is meant for, if it names one.

    Only where no knob was chosen: a user who chooses one wants to see the space.
    """
    usual = make_config({"budget": config.budget.exact()})
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

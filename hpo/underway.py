"""Trials that other workers have in hand: what they will cost, and what to expect of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from budget.money import ZERO, Money
from hpo.search.surrogate import encode
from hpo.trial.outcome import Outcome, plan_from_plain
from labeling.types import LabelPlan

if TYPE_CHECKING:
    from hpo.search.searcher import Searcher
    from hpo.trial.world import World
    from hpo.trials import Trials


@dataclass(frozen=True, slots=True)
class Underway:
    """A trial that was asked for and is not evaluated yet.

    Attributes:
        number: the trial's.
        plan: what it buys or evaluates.
        bought: whether it buys anything.
    """

    number: int
    plan: LabelPlan
    bought: bool


def underway(trials: Trials) -> list[Underway]:
    """Trials in hand, in the order in which they were asked for."""
    return [
        Underway(t.number, plan_from_plain(t.user_attrs["plan"]), t.user_attrs["bought"])
        for t in trials.all()
        if t.state.name == "RUNNING" and "plan" in t.user_attrs
    ]


def still_to_hold(running: Sequence[Underway], world: World) -> Money:
    """Money that trials in hand will reserve, beside what the ledger holds for them already."""
    held = {hold.key for hold in world.ledger.open_holds()} if running else set()
    total = ZERO
    for trial in running:
        order = world.lacking(trial.plan)
        if order is not None and order.key not in held:
            total += world.source.tariff.cost(order.limit, order.condition.reward)
    return total


def guesses(
    running: Sequence[Underway], outcomes: Sequence[Outcome], searcher: Searcher
) -> list[Outcome]:
    """What the search takes trials in hand to give, until they are evaluated: their mean.

    Two workers then do not buy the same, nor what the other's purchase is about to tell.
    """
    if not running:
        return []
    plans = [trial.plan for trial in running]
    accuracy = np.full(len(plans), 1 - searcher.chance_error)
    if outcomes:
        at = encode(plans, searcher.world.config.suite_size)
        mean, _, _ = searcher.surrogate(outcomes).predict(at)
        accuracy = np.asarray(1 - np.exp(np.minimum(mean, 0.0)))
    return [_guess(plan, float(a), searcher) for plan, a in zip(plans, accuracy, strict=True)]


def _guess(plan: LabelPlan, accuracy: float, searcher: Searcher) -> Outcome:
    return Outcome(
        plan,
        accuracy,
        low=0.0,
        high=1.0,
        macro_f1=accuracy,
        ece=0.0,
        log_loss=0.0,
        price_tag=searcher.world.list_price(plan).cost,
        minutes=0.0,
        labels=plan.tasks,
        answers=plan.tasks * plan.overlap,
        target="",
        penalty=0.0,
    )

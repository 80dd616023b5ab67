"""Confirmation: the recommended plan bought again from fresh annotators, as far as money bears.

A condition of its own, named by the market's name with a mark, has annotators of its own. Nothing
in the search sees its answers, so what they give is free of the luck that made a plan look best.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from budget.errors import BudgetExceeded
from budget.money import ZERO, Money
from hpo.answer.estimates.evidence import FINAL, Measurement
from hpo.answer.estimates.plan_estimates import PlanEstimates
from hpo.trial.evaluate import final_score, fit_plan
from hpo.trial.outcome import Outcome
from hpo.trial.purchase import CONFIRMED, DELIVERED, apart, buy, mark_of, paid_apart
from hpo.trial.versions.label_versions import save_version
from hpo.trial.world import World
from labeling.types import LabelPlan
from training.evaluate import Z95

_FEWEST = 20  # images whose labels tell something of a purchase


def confirming(world: World) -> World:
    """The same world with other pools: those of confirmations."""
    return apart(world, CONFIRMED)


def reserved(world: World) -> Money:
    """Money still reserved for confirmations, out of the search's reach."""
    if not world.market.kind.sells_again:
        return ZERO
    return max(ZERO, world.config.confirm_reserve - paid_apart(world, CONFIRMED))


def affordable(plan: LabelPlan, world: World, money: Money) -> LabelPlan | None:
    """The plan, or its largest prefix of whole suites whose reservation the money bears."""

    def hold(tasks: int) -> Money:
        return world.prices.to_buy(dataclasses.replace(plan, tasks=tasks)).hold

    if hold(plan.tasks) <= money:
        return plan
    low, high = 0, plan.tasks  # hold(low) fits, hold(high) does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if hold(middle) <= money else (low, middle)
    real = world.condition(plan).real_per_suite
    tasks = low - low % real
    return dataclasses.replace(plan, tasks=tasks) if tasks >= real else None


def key_of(plan: LabelPlan, world: World) -> str:
    """The key of a plan's confirmation: a raised cap reserves more money for it."""
    return f"{plan.key}/{world.ledger.balance().cap.micros}"


def confirm(
    plan: LabelPlan, part: LabelPlan, world: World, earlier: Mapping[str, Any]
) -> dict[str, Any]:
    """Buy a plan, or part of it, again and measure its model on the final images.

    Args:
        plan: the recommended plan.
        part: what `affordable` gave for it, the same after a crash.
        world: the study's world.
        earlier: confirmations before, by `key_of`: orders in the same condition are theirs.
    """
    fresh = confirming(world)
    try:
        buy(part, fresh)
    except BudgetExceeded:
        return {}
    records = fresh.store.orders(fresh.condition(part))
    paid = sum((fresh.store.paid(r.order, fresh.source.tariff) for r in records), ZERO)
    paid -= _paid_before(fresh.condition(part).key, fresh, earlier)
    trained = fit_plan(part, fresh)
    return {
        "tasks": part.tasks,
        "share": round(part.tasks / plan.tasks, 4),
        "paid": paid.to_json(),
        "version": save_version(trained, fresh),
        "labels": len(trained.labels.task),
        "answers": int((~trained.answers.control).sum()),
        "final": final_score(trained, fresh),
    }


def _paid_before(condition: str, fresh: World, earlier: Mapping[str, Any]) -> Money:
    done = [
        Money.from_json(again["paid"])
        for key, again in earlier.items()
        if again and fresh.condition(LabelPlan.parse(key.partition("/")[0])).key == condition
    ]
    return sum(done, ZERO)


def measurement_of_confirmation(
    outcome: Outcome, kept: Mapping[str, Any], world: World
) -> Measurement | None:
    """A plan that was bought again as evidence; None where it was not.

    Args:
        outcome: what the search measured of the plan.
        kept: what `confirm` returned, by `key_of`.
        world: the study's world.
    """
    # The key reads the ledger, and most plans were never bought again.
    was_bought = any(key.partition("/")[0] == outcome.plan.key for key in kept)
    done = kept.get(key_of(outcome.plan, world)) if was_bought else None
    if not done:
        return None
    part = dataclasses.replace(outcome.plan, tasks=int(done["tasks"]))
    labels = done.get("labels") or part.tasks
    answers = done.get("answers") or part.tasks * part.overlap
    return _bought_apart(part, done["final"], CONFIRMED, labels, answers, world)


def _bought_apart(
    part: LabelPlan, score: Mapping[str, Any], mark: str, labels: int, answers: int, world: World
) -> Measurement:
    """A plan bought from annotators that the search has not met, as evidence."""
    return Measurement(
        part,
        score["accuracy"],
        score.get("sure_as") or score["images"],
        FINAL,
        score.get("luck"),
        mark + world.condition(part).key,
        labels,
        answers,
    )


def first_delivered(plan: LabelPlan, world: World) -> dict[str, Any] | None:
    """The model of the first labels that a study bought to deliver, on the final images.

    They are labels of images without any, from annotators that the search has not met: what they
    give is free of the luck that made a plan look best. None where there are too few of them.

    Args:
        plan: that labels are bought by.
        world: the study's world.
    """
    fresh = apart(world, DELIVERED)
    records = fresh.store.orders(fresh.condition(plan))
    if not records or records[0].end is None:
        return None
    tasks = [task for task, _ in records[0].order.wanted]
    searched = [r.order for r in world.store.all_orders() if not mark_of(r.order)]
    seen = {task for order in searched for task, _ in order.wanted}
    unseen = [int(row) for row in world.pool if int(row) not in seen]
    is_chosen = tasks != unseen[: len(tasks)]  # by a model, which makes them no fair sample
    if len(tasks) < _FEWEST or is_chosen or not records[0].usable_answers:
        return None
    others = [int(row) for row in world.pool if int(row) not in set(tasks)]
    fresh = fresh.but(pool=np.array([*tasks, *others], dtype=np.int64))
    part = dataclasses.replace(plan, overlap=1, tasks=len(tasks), dynamic=None)
    trained = fit_plan(part, fresh)
    return {
        "plan": part.key,
        "labels": len(trained.labels.task),
        "answers": int((~trained.answers.control).sum()),
        "final": final_score(trained, fresh),
    }


def measurement_of_delivery(kept: Mapping[str, Any], world: World) -> list[Measurement]:
    """The first delivered labels as evidence; empty where there are none.

    Args:
        kept: deliveries, in the order in which they were measured.
        world: the study's world.
    """
    firsts = [made["first"] for made in kept.values() if made["first"]]
    if not firsts:
        return []
    first = firsts[-1]
    part = LabelPlan.parse(first["plan"])
    labels, answers = max(1, first["labels"]), max(1, first["answers"])
    return [_bought_apart(part, first["final"], DELIVERED, labels, answers, world)]


def measured_again(
    plan: LabelPlan, done: Mapping[str, Any], estimates: PlanEstimates
) -> dict[str, Any]:
    """The accuracy of the whole plan, as the purchase of a part of it says alone.

    The part's error is scaled by the learning curve's ratio of the plan's to the part's.

    Args:
        plan: the recommended plan.
        done: what `confirm` returned for it.
        estimates: give the ratio.

    Returns:
        Accuracy, and two intervals: over purchases and images, and over purchases on these images.
    """
    score = done["final"]
    part = dataclasses.replace(plan, tasks=int(done["tasks"]))
    images = score.get("sure_as") or score["images"]
    both = 1 - estimates.draws([part, plan])
    growth = both[:, 1] / both[:, 0]
    error = min(1.0, max(1 - score["accuracy"], 0.5 / images) * float(growth.mean()))
    luck = float(estimates.purchase_sd([plan])[0]) ** 2
    alone = luck + error**2 * float((growth / growth.mean()).var())
    accuracy = 1 - error
    with_images = alone + accuracy * error / images
    return {
        "accuracy": round(accuracy, 6),
        "interval_95": _interval(accuracy, with_images),
        "interval_95_same_images": _interval(accuracy, alone),
    }


def _interval(accuracy: float, variance: float) -> list[float]:
    half = Z95 * math.sqrt(variance)
    return [round(max(0.0, accuracy - half), 6), round(min(1.0, accuracy + half), 6)]

"""What people answered in a study, over all its conditions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from budget.money import ZERO
from hpo.trial.purchase import TESTED
from hpo.trial.world import World
from labeling.machine import is_machine
from labeling.machine.people import NOBODY, ControlTally, tally_of
from labeling.types import Answers, Bools, Condition


def merge(parts: list[Answers]) -> Answers:
    """Answers of several conditions as one: no annotator answers in two of them."""
    shifts = np.cumsum([0, *(int(part.annotator.max(initial=-1)) + 1 for part in parts)])
    return Answers(
        np.concatenate([part.task for part in parts]),
        np.concatenate([p.annotator + shift for p, shift in zip(parts, shifts, strict=False)]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.control for part in parts]),
        np.concatenate([part.usable for part in parts]),
    )


def kept_answers(conditions: Sequence[Condition], world: World) -> list[tuple[Answers, Bools]]:
    """Each condition's answers, and which of them count.

    Usable ones do. A recording gives its answers again in each condition: there an image keeps
    those of the condition that has most of them.
    """
    parts = [world.store.answers(condition, world.market.question) for condition in conditions]
    if world.market.kind.sells_again:
        return [(part, part.usable) for part in parts]
    size = 1 + max(int(part.task.max(initial=-1)) for part in parts)
    real = [part.usable & ~part.control for part in parts]
    counts = [np.bincount(p.task[r], minlength=size) for p, r in zip(parts, real, strict=True)]
    first = np.argmax(counts, axis=0)
    return [
        (part, part.usable & (part.control | (first[part.task] == place)))
        for place, part in enumerate(parts)
    ]


def bought_conditions(world: World, study: str | None) -> list[Condition]:
    """The conditions in which labels were bought; own labels, at price 0, are reported apart."""
    owned = dict.fromkeys(record.order.condition for record in world.store.all_orders())
    wanted = (world.market.data, study)
    return [
        condition
        for condition in owned
        if condition.price != ZERO
        and not is_machine(condition)
        and condition.data in wanted
        and not condition.market.endswith(TESTED)  # those measure models, and train none
    ]


def banned_controls(world: World) -> ControlTally:
    """Control answers of annotators who were banned, in all conditions."""
    conditions = bought_conditions(world, None)
    if not conditions:
        return NOBODY
    parts = [world.store.answers(condition, world.market.question) for condition in conditions]
    lost = merge([part.where(part.control & ~part.usable) for part in parts])
    right = lost.label == world.data.truth[lost.task]
    return tally_of(right, lost.annotator, int(lost.annotator.max(initial=-1)) + 1)

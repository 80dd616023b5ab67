"""What all labels bought so far give today, merged over conditions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from budget.money import ZERO
from hpo.trial.evaluate import Trained, rounded, score_on, train_labels
from hpo.trial.labels import narrow, to_labels
from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling.types import Answers, AnswerTimes, Condition, LabelPlan, LabelSet


def merge(parts: list[Answers]) -> Answers:
    """Answers of several conditions as one: nobody answers in two of them."""
    shifts = np.cumsum([0, *(int(part.annotator.max(initial=-1)) + 1 for part in parts)])
    return Answers(
        np.concatenate([part.task for part in parts]),
        np.concatenate([p.annotator + shift for p, shift in zip(parts, shifts, strict=False)]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.control for part in parts]),
        np.concatenate([part.usable for part in parts]),
    )


def merged_labels(
    world: World, tasks: Sequence[int], study: str | None = None
) -> tuple[LabelSet, Answers, int] | None:
    """Labels from all usable answers owned, whichever condition they were bought in.

    Answers about new images of another purchase are left out: their rows are others there.

    Args:
        world: whose store is read.
        tasks: rows that labels are wanted for.
        study: content of the study's own images, where the world's pool is another.

    Returns:
        The labels, the answers behind them and the number of conditions; None without answers.
    """
    conditions = _conditions(world, study)
    if not conditions:
        return None
    parts = [world.store.answers(condition, world.market.question) for condition in conditions]
    answers = merge([part.where(part.usable) for part in parts])
    return to_labels(answers, tasks, world), answers, len(conditions)


def _conditions(world: World, study: str | None) -> list[Condition]:
    """What labels were bought in; own labels, at price 0, stand on a line of their own."""
    owned = dict.fromkeys(record.order.condition for record in world.store.all_orders())
    known = (world.market.data, study)
    return [one for one in owned if one.price != ZERO and one.data in known]


def merged_times(world: World, study: str | None = None) -> AnswerTimes:
    """When the answers of `merged_labels` came, row by row."""
    question, found = world.market.question, []
    for condition in _conditions(world, study):
        usable = world.store.answers(condition, question).usable
        found.append(world.store.times(condition, question).where(usable))
    return AnswerTimes(
        np.concatenate([times.submitted_s for times in found]),
        np.concatenate([times.seconds for times in found]),
    )


def merged_today(plan: LabelPlan, world: World) -> dict[str, Any] | None:
    """The model of all usable answers owned, on the final images; None where shares are the truth.

    The confirmation's answers are among them. Called at the end, and decides nothing.

    Args:
        plan: the recommended plan, whose folds are dealt.
        world: the study's world.
    """
    owned = None if is_subjective(world) else merged_labels(world, world.pool.tolist())
    if owned is None:
        return None
    labels, answers, conditions = owned
    labels, answers = narrow(labels, answers, world.pool, partial(merged_times, world), world)
    model, target = train_labels(plan, labels, world)
    scores = score_on("final", Trained(plan, labels, answers, target, model), world)
    return {
        "conditions": conditions,
        "labelled_images": len(labels.task),
        "answers": int((~answers.control).sum()),
        **rounded(scores),
    }

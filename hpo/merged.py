"""What all labels bought so far give today, merged over conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from budget.money import ZERO
from hpo.opinion import is_subjective
from hpo.trial import Trained, rounded, score_on, train_labels
from hpo.world import World
from labeling.aggregate import aggregate
from labeling.types import Answers, LabelPlan, LabelSet


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


def merged_labels(world: World, tasks: Sequence[int]) -> tuple[LabelSet, Answers, int] | None:
    """Labels from all usable answers owned, whichever condition they were bought in.

    Args:
        world: whose store is read.
        tasks: rows that labels are wanted for.

    Returns:
        The labels, the answers behind them and the number of conditions; None without answers.
    """
    orders = [record.order for record in world.store.all_orders()]
    # Own labels, at price 0, stand on a line of their own.
    conditions = dict.fromkeys(o.condition for o in orders if o.condition.price != ZERO)
    if not conditions:
        return None
    parts = [world.store.answers(condition, world.market.question) for condition in conditions]
    answers = merge([part.where(part.usable) for part in parts])
    labels = aggregate(
        answers, tasks, len(world.data.classes), world.config.aggregation, world.control_truth
    )
    return labels, answers, len(conditions)


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
    model, target = train_labels(plan, labels, world)
    scores = score_on("final", Trained(plan, labels, answers, target, model), world)
    return {
        "conditions": conditions,
        "labelled_images": len(labels.task),
        "answers": int((~answers.control).sum()),
        **rounded(scores),
    }

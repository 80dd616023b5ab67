"""Answers to control tasks in one condition, and those of them that were right."""

from __future__ import annotations

from hpo.trial.world import World
from labeling.types import Condition


def checked(condition: Condition, world: World) -> dict[str, int]:
    """Right and all answers to control tasks, of ended orders."""
    given = world.store.answers(condition)
    judged = given.where(given.control)
    right = [world.control_truth[int(task)] for task in judged.task]
    correct = int((judged.label == right).sum()) if len(judged) else 0
    return {"right": correct, "answers": len(judged)}

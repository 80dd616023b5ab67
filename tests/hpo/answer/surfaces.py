"""Surfaces whose accuracy is known, and what a study would measure on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from hpo.answer.estimates.evidence import VALIDATION, Measurement
from hpo.trial.world import World
from labeling.types import LabelPlan

Surface = Callable[[LabelPlan], float]
IMAGES = 400


def saturated(plan: LabelPlan) -> float:
    return 0.91 - 10 / (plan.tasks * plan.overlap)


def steep(plan: LabelPlan) -> float:
    return 1 - 0.45 * (plan.tasks * plan.overlap**0.6 / 200) ** -0.5


def flat(plan: LabelPlan) -> float:
    return 0.45


SURFACES = {"flat": flat, "saturated": saturated, "steep": steep}


def conditions(world: World, count: int) -> list[list[LabelPlan]]:
    """Plans of some conditions, of 200 to 1,000 tasks."""
    by_condition: dict[str, list[LabelPlan]] = {}
    for plan in world.space.plans:
        larger = dataclasses.replace(plan, tasks=20 * plan.tasks)
        by_condition.setdefault(world.condition(plan).key, []).append(larger)
    assert len(by_condition) >= count
    return list(by_condition.values())[:count]


def measured(
    plans: Sequence[LabelPlan], surface: Surface, world: World, noise: float, seed: int
) -> list[Measurement]:
    """Measurements of a surface; plans of one condition are measured on one purchase."""
    rng = np.random.default_rng(seed)
    return [
        Measurement(
            plan,
            float(np.clip(surface(plan) + noise * rng.standard_normal(), 0.01, 0.99)),
            IMAGES,
            VALIDATION,
            (noise / 2) ** 2,
            world.condition(plan).key,
            plan.tasks,
            plan.tasks * plan.overlap,
            3,
        )
        for plan in plans
    ]

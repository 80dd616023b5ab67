"""The plans that an answer may name: of a condition that was bought in, inside the limits."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Collection, Sequence

from budget.money import Money
from hpo.answer.estimates.plan_estimates import PlanEstimates
from hpo.settings.search_space import task_count
from labeling.types import LabelPlan

BEYOND = 20  # times the most tasks measured: above it nothing can be said
_FINE_STEPS = 1.1  # between numbers of tasks, where any number may be named
_STEPS = 1.5  # between numbers of tasks that are looked at beyond the study's own


def images_wanted(estimates: PlanEstimates) -> int:
    """Images there are in all: `--pool-size`, or the study's pool."""
    return estimates.world.config.pool_size or len(estimates.world.pool)


def images_answerable(estimates: PlanEstimates) -> int:
    """The most images that the learning curve can speak of."""
    return BEYOND * max((m.tasks for m in estimates.measured), default=0)


def candidates(estimates: PlanEstimates, images: int) -> list[LabelPlan]:
    """Plans for some images, in the conditions that were bought in, within the study's limits.

    Args:
        estimates: what is known of the study's plans.
        images: images there are. Beyond the study's own pool the plans belong to a campaign of
            its own: its deadline is the study's, its money is not.
    """
    counts = _task_counts(estimates, images)
    plans = [_sized(plan, n) for plan in _tried(estimates) for n in counts]
    return [plan for plan in plans if is_inside(estimates, plan, images)]


def as_many_images(estimates: PlanEstimates, images: int, dollars: Money) -> list[LabelPlan]:
    """Plans as large as some money allows, between the numbers of tasks that `candidates` names.

    Args:
        estimates: what is known of the study's plans.
        images: images there are, as for `candidates`.
        dollars: the most that a plan may cost.
    """
    counts = _task_counts(estimates, images)

    def is_able(plan: LabelPlan) -> bool:
        return estimates.costs.price(plan) <= dollars and is_inside(estimates, plan, images)

    found = []
    for plan in _tried(estimates):
        sizes = range(min(counts), max(counts) + 1)
        able = bisect.bisect_left(sizes, True, key=lambda n: not is_able(_sized(plan, n)))
        if able:
            found.append(_sized(plan, sizes[able - 1]))
    return found


def of_any_size(estimates: PlanEstimates, images: int) -> list[LabelPlan]:
    """Plans for some images in small steps of tasks, the same steps for every number of images.

    Args:
        estimates: what is known of the study's plans.
        images: images there are, as for `candidates`.
    """
    counts = _task_counts(estimates, images)
    size, sizes = float(min(counts)), set(counts)
    while (size := size * _FINE_STEPS) < max(counts):
        sizes.add(round(size))
    plans = [_sized(plan, n) for plan in _tried(estimates) for n in sorted(sizes)]
    return [plan for plan in plans if is_inside(estimates, plan, images)]


def most_money(estimates: PlanEstimates, images: int) -> Money | None:
    """The most that a plan may cost by the study's limits; None for a campaign of its own."""
    world = estimates.world
    if images > len(world.pool):
        return None
    return world.ledger.balance().cap.share(world.config.plan_share)


def _sized(plan: LabelPlan, tasks: int) -> LabelPlan:
    return dataclasses.replace(plan, tasks=tasks)


def _tried(estimates: PlanEstimates) -> Collection[LabelPlan]:
    """One plan for each condition that was bought in and each overlap."""
    tried = {}
    for plan in estimates.world.space.plans:
        if estimates.is_tried(plan):
            tried[estimates.coding.condition_of(plan), plan.overlap, plan.dynamic] = plan
    return tried.values()


def is_inside(estimates: PlanEstimates, plan: LabelPlan, images: int) -> bool:
    """Whether a plan for some images keeps the limits: of money, in the study's pool; of time."""
    if images <= len(estimates.world.pool):
        return estimates.costs.outside(plan) is None
    return estimates.costs.is_in_time(plan)


def _task_counts(estimates: PlanEstimates, images: int) -> Sequence[int]:
    """Numbers of tasks: the space's levels, and beyond the study's pool shares of the images."""
    world, pool = estimates.world, len(estimates.world.pool)
    if images == pool:
        return world.space.tasks
    most = min(images, images_answerable(estimates))
    shares = {task_count(text, images) for text in world.config.tasks if text.endswith("%")}
    counts = {n for n in (*world.space.tasks, *shares, most) if n <= most}
    between = float(min(pool, most))
    while (between := between * _STEPS) < most:
        counts.add(round(between))
    return sorted(counts)

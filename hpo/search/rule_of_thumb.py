"""The rule of thumb: the plans that a practitioner buys without any search.

The smallest price that meets the deadline, one control task per suite, overlap 1; fill the pool;
then raise the overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from labeling.types import LabelPlan


def rule_curve(plans: Sequence[LabelPlan], inside: Callable[[LabelPlan], bool]) -> list[LabelPlan]:
    """The rule's plans, from small to large: one for each size that some price can do in time.

    Args:
        plans: the search space.
        inside: whether a plan keeps the study's limits, the deadline among them.
    """
    plans = _as_usual([plan for plan in plans if plan.dynamic is None])
    if not plans:
        return []
    controls = min({plan.controls for plan in plans}, key=lambda c: (abs(c - 1), c))
    exam = min(plan.exam for plan in plans)
    usual = [plan for plan in plans if plan.controls == controls and plan.exam == exam]
    largest = max(plan.tasks for plan in usual)
    least = min(plan.overlap for plan in usual)
    sizes = sorted({(p.overlap, p.tasks) for p in usual if p.overlap == least})
    sizes += sorted({(p.overlap, p.tasks) for p in usual if p.tasks == largest} - set(sizes))
    curve = []
    for overlap, tasks in sizes:
        fitting = [p for p in usual if (p.overlap, p.tasks) == (overlap, tasks) and inside(p)]
        if fitting:
            curve.append(min(fitting, key=lambda p: p.price))
    return curve


def rule_purchase(
    curve: Sequence[LabelPlan], affordable: Callable[[LabelPlan], bool]
) -> LabelPlan | None:
    """The rule's next purchase: the full pool first, then more overlap; else the largest that fits.

    Args:
        curve: of `rule_curve`.
        affordable: whether a plan lacks something and its reservation is within what is left.
    """
    if not curve:
        return None
    largest = max(plan.tasks for plan in curve)
    full = [plan for plan in curve if plan.tasks == largest]
    fitting = [plan for plan in full if affordable(plan)]
    if fitting:
        return fitting[0]
    smaller = [plan for plan in curve if plan.tasks < largest and affordable(plan)]
    return smaller[-1] if smaller else None


def practitioner_plan(
    plans: Sequence[LabelPlan],
    minutes: Callable[[LabelPlan], float | None],
    longest: float | None,
    affordable: Callable[[LabelPlan], int],
) -> LabelPlan:
    """The plan that a practitioner buys by, without any search, for the whole pool.

    With exam, then the fewest control tasks (one at least without an exam), the smallest overlap,
    and the lowest price at which the images that the money bears are labelled in time; if there is
    none, the price at which that is soonest.

    Args:
        plans: the search space.
        minutes: a plan's minutes; None where time is not known.
        longest: the deadline; None for none.
        affordable: a plan's tasks that the money bears.
    """
    mine = _practitioners([plan for plan in plans if plan.dynamic is None] or plans)
    most = max(plan.tasks for plan in mine)
    mine = [plan for plan in mine if plan.tasks == most]
    takes = {
        plan.key: minutes(replace(plan, tasks=max(1, min(most, affordable(plan))))) or 0.0
        for plan in mine
    }
    in_time = [plan for plan in mine if longest is None or takes[plan.key] <= longest]
    if in_time:
        return min(in_time, key=lambda plan: plan.price)
    return min(mine, key=lambda plan: (takes[plan.key], plan.price))


def practitioner_within(plans: Sequence[LabelPlan]) -> LabelPlan | None:
    """The practitioner's plan of the most tasks, at the lowest price, of those inside limits."""
    plans = [plan for plan in plans if plan.dynamic is None]
    if not plans:
        return None
    return max(_practitioners(plans), key=lambda plan: (plan.tasks, -plan.price.micros))


def _practitioners(plans: Sequence[LabelPlan]) -> list[LabelPlan]:
    """With exam, the fewest control tasks (one at least without an exam), the least overlap."""
    plans = _as_usual(plans)
    exam = max(plan.exam for plan in plans)
    mine = [plan for plan in plans if plan.exam == exam]
    wanted = 0 if exam else 1
    controls = min({plan.controls for plan in mine}, key=lambda c: (abs(c - wanted), c))
    mine = [plan for plan in mine if plan.controls == controls]
    least = min(plan.overlap for plan in mine)
    return [plan for plan in mine if plan.overlap == least]


def _as_usual(plans: Sequence[LabelPlan]) -> Sequence[LabelPlan]:
    """The plans that show no predictions and ask everybody, or one group, where there are any."""
    plans = [plan for plan in plans if not plan.prelabel] or plans
    first = min((plan.group for plan in plans), default="")
    return [plan for plan in plans if plan.group == first]

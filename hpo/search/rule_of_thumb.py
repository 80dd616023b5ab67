"""The rule of thumb: the plans that a practitioner buys without any search.

The smallest price that meets the deadline, one control task per suite, overlap 1; fill the pool;
then raise the overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labeling.types import LabelPlan


def rule_curve(plans: Sequence[LabelPlan], inside: Callable[[LabelPlan], bool]) -> list[LabelPlan]:
    """The rule's plans, from small to large: one for each size that some price can do in time.

    Args:
        plans: the search space.
        inside: whether a plan keeps the study's limits, the deadline among them.
    """
    plans = [plan for plan in plans if plan.dynamic is None]
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

"""A label version on disk for every purchase: labels, answers, and what they cost."""

from __future__ import annotations

from functools import partial
from typing import Any

from budget.money import Money
from hpo.breakdown import of_condition
from hpo.labels import facts_of, narrow, views_to_plain
from hpo.trial import labels_of, minutes_of, plan_to_plain, price_tag, times_of
from hpo.world import World
from labeling import versions
from labeling.types import Condition, LabelPlan


def money_to_plain(amount: Money) -> dict[str, Any]:
    """An amount as text in dollars and as whole micro-dollars."""
    return {"usd": amount.exact(), "micros": amount.micros}


def condition_to_plain(condition: Condition) -> dict[str, Any]:
    """A condition as JSON types."""
    return {
        "key": condition.key,
        "data": condition.data,
        "market": condition.market,
        "campaign": condition.campaign,
        "price": money_to_plain(condition.price),
        "reward_per_assignment": money_to_plain(condition.reward),
        "controls_per_suite": condition.controls,
        "suite_size": condition.suite_size,
        "exam": condition.exam,
        "dynamic_overlap": str(condition.dynamic) if condition.dynamic else None,
    }


def save_version(plan: LabelPlan, world: World) -> str:
    """Write the label version of a plan that was bought; the same content is written once.

    Returns:
        The version's id: the hash of its content.
    """
    condition = world.condition(plan)
    labels, answers = labels_of(plan, world)
    times = partial(times_of, plan, world)
    view = views_to_plain(world.config)["view"]
    if view is not None:  # the version holds every label; the view says which were trained on
        kept, behind = narrow(labels, answers, world.tasks(plan), times, world)
        view |= {"labels": len(kept.task), "answers": int((~behind.control).sum())}
    parts = of_condition(condition, world)
    ends = [record.end for record in world.store.orders(condition) if record.end is not None]
    cost = {name: money_to_plain(getattr(parts, name)) for name in parts.__dataclass_fields__}
    manifest = {
        "schema": 1,
        "study": world.config.study,
        "plan": plan_to_plain(plan),
        "condition": condition_to_plain(condition),
        "price_tag": money_to_plain(price_tag(plan, world)),
        "condition_cost": {**cost, "total": money_to_plain(parts.total)},
        "minutes": round(minutes_of(plan, world), 3),
        "orders_ended": [end.reason for end in ends],
        "answers_missing": sum(end.missing for end in ends),
        "images": world.data.key(),
        "classes": list(world.market.asked.classes),
        "question": world.market.asked.name,
        "aggregation": world.config.aggregation,
        **({"view": view} if view else {}),
    }
    version = versions.save(
        world.folder / "versions",
        manifest,
        labels,
        answers,
        names=world.data.images.names,
        classes=world.market.asked.classes,
        facts=facts_of(answers, times(), world),
    )
    return version.id

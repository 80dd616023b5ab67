"""A label version on disk for every label set bought: labels, answers, cost, and its model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from budget.files import write_whole
from hpo.trial.evaluate import confused, labels_of, times_of
from hpo.trial.labels import facts_of, views_to_plain
from hpo.trial.model.trained import Trained
from hpo.trial.outcome import plan_to_plain
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.spending import of_condition
from hpo.trial.world import World
from labeling import versions
from labeling.campaign.campaign import Campaign
from labeling.types import Condition, OrderEnd


def condition_to_plain(condition: Condition) -> dict[str, Any]:
    """A condition as JSON types."""
    return {
        "key": condition.key,
        "data": condition.data,
        "market": condition.market,
        "campaign": condition.campaign,
        "price": condition.price.to_json(),
        "reward_per_assignment": condition.reward.to_json(),
        "controls_per_suite": condition.controls,
        "suite_size": condition.suite_size,
        "exam": condition.exam,
        "dynamic_overlap": str(condition.dynamic) if condition.dynamic else None,
        **({"prelabels": condition.prelabels} if condition.prelabels else {}),
        **({"group": condition.group.name} if condition.group else {}),
    }


def campaign_to_plain(campaign: Campaign) -> dict[str, Any]:
    """A campaign's questions and rules, as JSON types."""
    return {
        "name": campaign.name,
        "key": campaign.key,
        "questions": [asdict(question) for question in campaign.questions],
        "instructions": campaign.instructions,
        "instructions_hash": hashlib.blake2b(
            campaign.instructions.encode(), digest_size=8
        ).hexdigest(),
        "language": campaign.language,
        "language_test": campaign.language_test,
        "exam": asdict(campaign.exam),
        "quality_rules": asdict(campaign.rules),
        "assignment_seconds": campaign.assignment_seconds,
    }


def model_file(folder: Path, version: str) -> Path:
    """Where the model trained on a label version lies in a study's folder."""
    return folder / "models" / f"{version}.safetensors"


def scores_file(folder: Path, version: str) -> Path:
    """Where it is told how the model trained on a label version takes classes for one another."""
    return folder / "models" / f"{version}.scores.json"


def save_version(trained: Trained, world: World) -> str:
    """Write the label version of an owned plan, and its model; the same content is written once.

    Returns:
        The version's id: the hash of its content.
    """
    plan = trained.plan
    condition = world.condition(plan)
    view = views_to_plain(world.config)["view"]
    labels, answers = trained.labels, trained.answers
    if view is not None:  # the version holds every label; the view says which were trained on
        view |= {"labels": len(labels.task), "answers": int((~answers.control).sum())}
        labels, answers = labels_of(plan, world)
    parts = of_condition(condition, world)
    ends = [record.end for record in world.store.orders(condition) if record.end is not None]
    costs = PlanCosts(world)
    minutes = costs.minutes(plan)
    manifest = {
        "schema": 1,
        "study": world.config.study,
        "plan": plan_to_plain(plan),
        "condition": condition_to_plain(condition),
        "campaign": campaign_to_plain(world.market.campaign),
        "currency": "USD",
        "fee": _fee(world),
        "price_tag": costs.price(plan).to_json(),
        "condition_cost": {**parts.to_plain(), "total": parts.total.to_json()},
        **({} if minutes is None else {"minutes": round(minutes, 3)}),
        **_people(condition, ends, world),
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
        facts=facts_of(answers, times_of(plan, world), world),
    )
    _save_model(trained, world, version.id)
    return version.id


def _fee(world: World) -> dict[str, Any]:
    tariff = world.config.suite_tariff
    return {"share": str(float(tariff.fee_share)), "minimum": tariff.fee_minimum.to_json()}


def _people(condition: Condition, ends: list[OrderEnd], world: World) -> dict[str, int]:
    """Counts of a condition's annotators: paid, banned, and failed in the exam.

    Not who only looked: no platform tells that.
    """
    answers = world.store.answers(condition)
    return {
        "participants": len(np.unique(answers.annotator)),
        "banned": len(np.unique(answers.annotator[~answers.usable])),
        "exam_failed": sum(end.exam_failed for end in ends),
    }


def _save_model(trained: Trained, world: World, version: str) -> None:
    from training.encoder import encoder_of
    from training.saved import model_bytes

    path = model_file(world.folder, version)
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    told = {"role": "validation", "confused": confused(trained, world)}
    write_whole(scores_file(world.folder, version), f"{json.dumps(told)}\n".encode())
    facts = {"backbone": world.features.name, "weights": world.features.weights_source}
    facts |= {"labels": version, "plan": trained.plan.key, "study": world.config.study}
    encoder = encoder_of(world.features, world.data.images)
    write_whole(path, model_bytes(trained.model, world.market.asked.classes, facts, encoder))

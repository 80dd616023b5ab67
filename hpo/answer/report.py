"""The answer as one plain object: built from stored rows only, the same for the same study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from budget.money import ZERO, Money
from hpo.answer.front import knee, pareto_front, points_per_dollar
from hpo.answer.recommend import TOLERANCE, recommend
from hpo.data.dataset import class_counts, few_labels_notes
from hpo.data.labels_csv import ROLES
from hpo.settings.config import to_plain
from hpo.settings.stored_answer import SCHEMA
from hpo.trial import spending
from hpo.trial.evaluate import price_tag
from hpo.trial.labels import views_to_plain
from hpo.trial.outcome import SCORES, Outcome, Purchase, plan_to_plain
from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling.aggregation.shares import DENSE
from labeling.campaign.campaign import score_name
from labeling.store.records import OrderRecord
from labeling.types import LabelPlan


def _plan(plan: LabelPlan) -> dict[str, Any]:
    price = plan.price.to_json()
    raw = {**plan_to_plain(plan), "price_per_task": price}
    del raw["price_micros"]
    return raw


def _outcome(outcome: Outcome) -> dict[str, Any]:
    per_image = outcome.price_tag.micros * 1000 // max(1, outcome.plan.tasks)
    return {
        "plan": _plan(outcome.plan),
        "accuracy": outcome.accuracy,
        "interval_95": [outcome.low, outcome.high],
        **{name: value for name in SCORES if (value := getattr(outcome, name)) is not None},
        "price_tag": outcome.price_tag.to_json(),
        "dollars_per_1000_images": f"{per_image / 1e6:.2f}",
        "minutes": outcome.minutes,
        "labelled_images": outcome.labels,
        "answers": outcome.answers,
        "target": outcome.target,
        "penalty": outcome.penalty,
        "repeat_draws": outcome.draws,
        "view": outcome.view,
    }


def _purchase(
    number: int,
    bought: Purchase,
    record: OrderRecord,
    behind: Sequence[OrderRecord],
    paid: Money,
    world: World,
) -> dict[str, Any]:
    """A purchase: its last order, with the money of all orders behind it, at its price now."""
    end = record.end
    plan = bought.outcome.plan
    return {
        "purchase": number,
        **_outcome(replace(bought.outcome, price_tag=price_tag(plan, world))),
        "paid": paid.to_json(),
        "assignments": sum(r.assignments for r in behind),
        "assignments_unusable": sum(r.unusable for r in behind),
        "assignments_limit": sum(r.order.limit for r in behind),
        "ended": end.reason if end else "open",
        "answers_missing": end.missing if end else None,
        "annotators": end.joined if end else None,
        "version": bought.version,
    }


def build_report(
    world: World,
    outcomes: Sequence[Outcome],
    purchases: Sequence[Purchase],
    stopped: str,
) -> dict[str, Any]:
    """A study's purchases and evaluations as JSON types; sections of the answer add theirs.

    It holds no clock time, path or thread count, so that the same study gives the same bytes.

    Args:
        world: the study's world; its stored rows are read.
        outcomes: every evaluated plan.
        purchases: those that bought something, in order.
        stopped: why the study ended.
    """
    records = {record.order.key: record for record in world.store.all_orders()}
    conditions = [record.order.condition for record in records.values()]
    front = pareto_front(outcomes)
    bend, best = knee(front), recommend(outcomes)
    parts = spending.of_study(world)
    balance = world.ledger.balance()
    gains = points_per_dollar(front)
    behind, _ = spending.orders_behind(purchases, world)
    paid = spending.paid_for(purchases, world)
    return {
        "schema": SCHEMA,
        "study": world.config.study,
        **ground(world),
        "money": {
            "currency": "USD",
            "cap": balance.cap.to_json(),
            "spent": balance.spent.to_json(),
            "held": balance.held.to_json(),
            "left": balance.left.to_json(),
            "bought": {name: getattr(parts, name).to_json() for name in parts.__dataclass_fields__},
        },
        "question": question(world),
        **views_to_plain(world.config),
        "stopped": stopped,
        "conditions": len({c.key for c in conditions if c.price != ZERO}),  # not own labels
        "evaluated_plans": len(outcomes),
        "purchases": [
            _purchase(place + 1, bought, records[bought.order], behind[place], paid[place], world)
            for place, bought in enumerate(purchases)
        ],
        "front": [
            {**_outcome(o), "points_per_dollar": None if gain is None else round(gain, 3)}
            for o, gain in zip(front, gains, strict=True)
        ],
        "knee": bend.plan.key if bend else None,
        "recommended": _recommended(best) if best else None,
        "notes": _notes(world, [records[bought.order] for bought in purchases]),
    }


def ground(world: World) -> dict[str, Any]:
    """A study's configuration, images and market, as JSON types."""
    return {
        "config": _config(world),
        "data": _data(world),
        "market": world.market.said,
    }


def question(world: World) -> dict[str, Any]:
    """The question that annotators answer, and the score of a model's answers to it."""
    return {
        "name": world.market.asked.name,
        "kind": world.market.asked.kind,
        "classes": list(world.market.asked.classes),
        "score": "1 - mean absolute share error" if is_subjective(world) else "accuracy",
    }


def _config(world: World) -> dict[str, Any]:
    """The configuration without file paths: what they held is named by content elsewhere."""
    plain = to_plain(world.config)
    plain["data"] = world.config.data.partition(":")[0]
    plain["market"] = world.market.kind.name
    plain["scenario"] = world.market.scenario
    return {name: value for name, value in plain.items() if name not in _PATHS}


_PATHS = ("labels", "backbone_file", "image_url_prefix")


def _recommended(best: Outcome) -> dict[str, Any]:
    return {
        **_outcome(best),
        "why": f"cheapest plan within {100 * TOLERANCE:g} point of the best search estimate",
        "final": None,
    }


def _data(world: World) -> dict[str, Any]:
    data = world.data
    return {
        "images": {role: len(data.rows[role]) for role in ROLES},
        "classes": list(data.classes),
        "validation_classes": class_counts(data, "validation"),
        "content": data.key(),
        "left_out": data.left_out,
        "backbone": world.config.backbone,
    }


def _question_notes(world: World) -> list[str]:
    if not is_subjective(world):
        return []
    return [
        f"Question {world.market.asked.name!r} is a matter of taste: the score of a model is its "
        f"{score_name(world.market.asked.kind)}, 1 minus the mean absolute error of the predicted "
        f"share of people, on images that at least {DENSE} people answered."
    ]


def _notes(world: World, bought: Sequence[OrderRecord]) -> list[str]:
    notes = [
        *world.market.notes,
        *_question_notes(world),
        *world.data.notes,
        *few_labels_notes(world.data),
    ]
    if world.config.max_minutes is None and world.market.kind.knows_price:
        notes.append(
            "Without a deadline price changes only time in this model; "
            "the lowest price is best by assumption."
        )
    for record in bought:
        end = record.end
        if end is not None and end.missing:
            word = {"limit": "its limit of assignments", "deadline": "the deadline"}
            notes.append(
                f"The order at {record.order.condition.price} a task, "
                f"{record.order.condition.controls} control tasks, ended at "
                f"{word.get(end.reason, 'the end of supply')} with {end.missing} of "
                f"{record.order.answers_wanted} answers missing."
            )
    if world.ledger.balance().overrun:
        notes.append("A settlement came out above its hold.")
    return list(dict.fromkeys(notes))

"""The answer as one plain object: built from stored rows only, the same for the same study."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from budget.money import ZERO, Money
from hpo.answer.advice.advisor import Advisor, plan_fields
from hpo.answer.front import knee, tell_estimates
from hpo.answer.plan_in_words import counted
from hpo.answer.sections.section import Findings
from hpo.answer.sentences import points_per_dollar
from hpo.data.dataset import class_counts, few_labels_notes
from hpo.data.labels_csv import ROLES
from hpo.settings.config import to_plain
from hpo.settings.stored_answer import SCHEMA
from hpo.trial import spending
from hpo.trial.labels import views_to_plain
from hpo.trial.outcome import SCORES, Outcome, Purchase
from hpo.trial.purchase import TESTED, mark_of
from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling.aggregation.shares import DENSE
from labeling.campaign.campaign import score_name
from labeling.machine import MACHINE, is_machine
from labeling.store.records import OrderRecord


def _outcome(outcome: Outcome, measured: Outcome) -> dict[str, Any]:
    """A plan with what is expected of it, and what was measured."""
    per_image = outcome.price_tag.micros * 1000 // max(1, outcome.plan.tasks)
    return {
        "plan": plan_fields(outcome.plan),
        "accuracy": outcome.accuracy,
        "interval_95": [outcome.low, outcome.high],
        "measured": {
            "accuracy": measured.accuracy,
            "interval_95": [measured.low, measured.high],
            "repeat_draws": measured.draws,
        },
        **{name: value for name in SCORES if (value := getattr(outcome, name)) is not None},
        "price_tag": outcome.price_tag.to_json(),
        "dollars_per_1000_images": f"{per_image / 1e6:.2f}",
        "minutes": outcome.minutes,
        "labelled_images": outcome.labels,
        "answers": outcome.answers,
        "target": outcome.target,
        "penalty": outcome.penalty,
        "view": outcome.view,
    }


def _purchase(
    number: int,
    bought: Purchase,
    told: Outcome,
    record: OrderRecord,
    behind: Sequence[OrderRecord],
    paid: Money,
) -> dict[str, Any]:
    """A purchase: its last order, with the money of all orders behind it."""
    end = record.end
    return {
        "purchase": number,
        **_outcome(told, bought.outcome),
        "paid": paid.to_json(),
        "assignments": sum(r.assignments for r in behind),
        "assignments_unusable": sum(r.unusable for r in behind),
        "assignments_limit": sum(r.order.limit for r in behind),
        "ended": end.reason if end else "open",
        "answers_missing": end.missing if end else None,
        "annotators": end.joined if end else None,
        "version": bought.version,
    }


def build_report(findings: Findings, outcomes: Sequence[Outcome], stopped: str) -> dict[str, Any]:
    """A study's purchases and evaluations as JSON types; sections of the answer add theirs.

    It holds no clock time, path or thread count, so that the same study gives the same bytes.

    Args:
        findings: the study's state; stored rows of its own world are read.
        outcomes: every evaluated plan, as measured.
        stopped: why the study ended.
    """
    world, advisor = findings.own, findings.advisor
    records = {record.order.key: record for record in world.store.all_orders()}
    conditions = [record.order.condition for record in records.values()]
    measured = {o.plan.key: o for o in outcomes}
    bend = knee(findings.front)
    parts = spending.of_study(world)
    balance = world.ledger.balance()
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
            "bought": parts.to_plain(),
        },
        "question": question(world),
        **views_to_plain(world.config),
        "stopped": stopped,
        "conditions": len({c.key for c in conditions if c.price != ZERO and not is_machine(c)}),
        "evaluated_plans": len(outcomes),
        "answers_owned": sum(
            record.usable_answers
            for record in records.values()
            if mark_of(record.order) not in (TESTED, MACHINE)
        ),
        "purchases": _purchases(findings, records),
        "front": _front(findings.front, measured),
        "knee": bend.plan.key if bend else None,
        "recommended": _recommended(findings.best, measured, advisor) if findings.best else None,
        "notes": [
            *_notes(world, [records[bought.order] for bought in findings.purchases]),
            *_outside_notes(findings.front, measured),
        ],
    }


def _front(front: Sequence[Outcome], measured: Mapping[str, Outcome]) -> list[dict[str, Any]]:
    """Rows of the front, each with the points per further dollar over the row before."""
    rows = [_outcome(told, measured[told.plan.key]) for told in front]
    rates = [
        round(
            points_per_dollar(dear.accuracy - cheap.accuracy, dear.price_tag - cheap.price_tag), 4
        )
        for cheap, dear in itertools.pairwise(front)
    ]
    return [
        {**row, "points_per_dollar": rate}
        for row, rate in zip(rows, [None, *rates][: len(rows)], strict=True)
    ]


def _purchases(findings: Findings, records: Mapping[str, OrderRecord]) -> list[dict[str, Any]]:
    bought = findings.purchases
    told = tell_estimates([p.outcome for p in bought], findings.advisor.estimates)
    behind, _ = spending.orders_behind(bought, findings.own)
    paid = spending.paid_for(bought, findings.own)
    return [
        _purchase(i + 1, p, told[i], records[p.order], behind[i], paid[i])
        for i, p in enumerate(bought)
    ]


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
    if world.config.campaign is not None:
        plain["campaign"] = world.market.campaign.name
    plain["market"] = world.market.kind.name
    plain["scenario"] = world.market.scenario
    if world.config.machine is not None:
        plain["machine"] = world.config.machine.partition(":")[0]
    plain["backbone"] = _without_folder(world.config.backbone)
    return {name: value for name, value in plain.items() if name not in _PATHS}


def _without_folder(backbone: str) -> str:
    """A backbone's name; of the path to an exported one its last folder only."""
    kind, colon, path = backbone.partition(":")
    return f"{kind}:{PurePath(path).name}" if colon else backbone


_PATHS = ("labels", "own_labels", "backbone_file", "image_url_prefix", "storage")


def _recommended(
    best: Outcome, measured: Mapping[str, Outcome], advisor: Advisor
) -> dict[str, Any]:
    return {**_outcome(best, measured[best.plan.key]), "why": advisor.why, "final": None}


def _data(world: World) -> dict[str, Any]:
    data = world.data
    return {
        "images": {role: len(data.rows[role]) for role in ROLES},
        "classes": list(data.classes),
        "validation_classes": class_counts(data, "validation"),
        "content": data.key(),
        "left_out": data.left_out,
        "backbone": _without_folder(world.config.backbone),
    }


def _question_notes(world: World) -> list[str]:
    if not is_subjective(world):
        return []
    return [
        f"Question {world.market.asked.name!r} is a matter of taste: the score of a model is its "
        f"{score_name(world.market.asked.kind)}, 1 minus the mean absolute error of the predicted "
        f"share of people, on images that at least {DENSE} people answered."
    ]


def _outside_notes(front: Sequence[Outcome], measured: Mapping[str, Outcome]) -> list[str]:
    """Plans of the front whose estimate and measurement do not agree, if any."""
    keys = [
        told.plan.key
        for told in front
        if not measured[told.plan.key].low <= told.accuracy <= measured[told.plan.key].high
    ]
    if not keys:
        return []
    return [
        f"{counted(len(keys), 'expected accuracy', 'expected accuracies')} of the front "
        f"{'lies' if len(keys) == 1 else 'lie'} outside the interval of its measurement, as the "
        f"other measurements say otherwise: {', '.join(keys)}."
    ]


def _notes(world: World, bought: Sequence[OrderRecord]) -> list[str]:
    notes = [
        *world.market.notes,
        *_question_notes(world),
        *world.data.notes,
        *few_labels_notes(world.data),
    ]
    if (
        world.config.max_minutes is None
        and len(world.space.prices) > 1
        and (world.market.kind.knows_price)
    ):
        notes.append(
            "Without a deadline price changes only time in this model; "
            "the lowest price is best by assumption."
        )
    for record in bought:
        end = record.end
        if end is not None and end.missing:
            word = {"limit": "its limit of assignments", "deadline": "the deadline"}
            notes.append(
                f"The order at {record.order.condition.price} "
                f"{'an hour' if world.space.wage else 'a task'}, with "
                f"{counted(record.order.condition.controls, 'control task')}, ended at "
                f"{word.get(end.reason, 'the end of supply')} with {end.missing} of "
                f"{record.order.answers_wanted} answers missing."
            )
    if world.ledger.balance().overrun:
        notes.append("A settlement came out above its hold.")
    return list(dict.fromkeys(notes))

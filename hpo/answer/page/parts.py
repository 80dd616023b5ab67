"""The parts of the page below its first screen, a row each, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from budget.money import Money
from hpo.answer.page import figures
from hpo.answer.page.gathered import AnnotatorRow, Gathered
from hpo.answer.page.steps import steps_of
from hpo.answer.plan_in_words import counted, few_answers, told_plan_in_words
from hpo.answer.sentences import (
    cents,
    ended,
    interval,
    percent,
    points,
    points_words,
    search_end,
    share,
    why_stop,
    with_interval,
)
from hpo.answer.terminal import front_rows, further_rate, words
from hpo.settings.glossary import GLOSSARY

Report = Mapping[str, Any]
Made = Mapping[str, Any]

_MOST_ANNOTATORS = 500
_MOST_SHOWN = 200  # purchases, before a reader asks for all
_MOST_CLASSES = 30  # of a table


@dataclass(frozen=True, slots=True)
class PagePart:
    """One part of the page.

    Attributes:
        name: its address on the page, and its template.
        title: its heading.
        make: what its template shows; None leaves the part out.
        is_printed: whether it is on the two printed pages.
    """

    name: str
    title: str
    make: Callable[[Report, Gathered], Made | None]
    is_printed: bool = False


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table of words and numbers.

    Attributes:
        heads: names of the columns; a number's begins with "#".
        rows: cells, one a column.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


# --- money ahead ---


def _next_dollar(report: Report, _: Gathered) -> Made | None:
    if not report["advice"]:
        return None
    front = front_rows(report)
    rows = [
        (
            told_plan_in_words(row["plan"]),
            cents(row["price_tag"]),
            with_interval(row),
            "" if before is None else further_rate(row, before),
        )
        for row, before in zip(front, [None, *front], strict=False)
    ]
    heads = ("plan", "#price tag", "#expected (95 % interval)", "#points per further $")
    verdict, made = report["advice"]["verdict"], report["delivery"]
    return {
        "table": PageTable(heads, rows),
        "verdict": verdict,
        "why_stop": why_stop(verdict) if verdict["stop"] else "",
        "gain": "" if verdict["stop"] else points_words(verdict["gain"]),
        "more": "" if verdict["stop"] else cents(verdict["more"]),
        "ended": ended("The purchase", made["ended"]) if made else "",
        "direct": _directly(made["directly"]) if made else None,
    }


def _directly(rows: Sequence[Report]) -> PageTable:
    heads = ("plan", "#price tag", "#expected (95 % interval)", "#the delivered model's gain")
    cells = [
        (
            told_plan_in_words(row["plan"]),
            cents(row["price_tag"]),
            with_interval(row),
            points_words(row["gain"]),
        )
        for row in rows
    ]
    return PageTable(heads, cells)


def _forecast(report: Report, _: Gathered) -> Made | None:
    chart = figures.forecast_chart(report)
    if chart is None or report["delivery"]:
        return None  # delivered labels are more than the plans that the learning asked about
    ahead = report["advice"]["forecast"]
    rows = [
        (
            f"{row['times']} times",
            told_plan_in_words(row["plan"]),
            cents(row["price_tag"]),
            with_interval(row),
            points_words(row["gain"]),
            "yes" if row["gain"]["told_from_noise"] else "no",
        )
        for row in ahead["at"]
    ]
    heads = ("up to", "plan", "#price tag", "#expected", "#gain", "told from noise")
    missed = ahead["backtest_median_error_points"]
    return {
        "chart": chart,
        "table": PageTable(heads, rows),
        "missed": None if missed is None else points(missed),
        "tested": counted(ahead["backtest_forecasts"], "forecast"),
    }


def _time(report: Report, _: Gathered) -> Made | None:
    chart = figures.time_chart(report)
    return None if chart is None else {"chart": chart, "limit": report["config"]["max_minutes"]}


def _matters(report: Report, _: Gathered) -> Made | None:
    if not report["advice"]:
        return None
    shares = {row["knob"]: share(row["share"]) for row in report["advice"]["importance"]}
    rows = [
        {
            "knob": row["knob"],
            "points": points(row["points"]),
            "interval": f"{points(row['interval_95'][0])} to {points(row['interval_95'][1])}",
            "share": shares.get(row["knob"], ""),
            "matters": row["matters"],
            "tried": row.get("tried", True),
            "levels": list(
                zip(map(_level, row["levels"]), map(percent, row["accuracy"]), strict=False)
            ),
            "best": _level(row["best"]),
            "width": row["points"],
        }
        for row in report["advice"]["matters"]
    ]
    most = max((row["width"] for row in rows), default=0.0) or 1.0
    return {"rows": rows, "most": most}


def _level(level: object) -> str:
    return {True: "with", False: "without"}[level] if isinstance(level, bool) else str(level)


# --- people and labels ---


def _annotators(report: Report, gathered: Gathered) -> Made | None:
    people = gathered.annotators
    if not people:
        return None
    banned = sum(person.totals.banned for person in people)
    paid = Money(sum(person.totals.reward_micros for person in people))
    times = sorted(person.seconds for person in people)
    return {
        "people": len(people),
        "banned": banned,
        "paid": paid.cents(),
        "on_controls": _mean_skill(people, True),
        "by_agreement": _mean_skill(people, False),
        "seconds": f"{times[len(times) // 2]:.1f}",
        "chart": figures.annotators_chart(people),
        "table": PageTable(
            ("condition", "#annotator", "#suites", "#accuracy %", "#s a task", "#paid", "banned"),
            [_person(person) for person in people[:_MOST_ANNOTATORS]],
        ),
        "more": max(0, len(people) - _MOST_ANNOTATORS),
    }


def _mean_skill(people: Sequence[AnnotatorRow], checked: bool) -> str | None:
    """How often people are right, in words; None where that is not known of anybody."""
    skills = [p.skill for p in people if p.skill is not None and p.is_checked is checked]
    return percent(sum(skills) / len(skills)) if skills else None


def _person(person: AnnotatorRow) -> Sequence[str]:
    totals = person.totals
    return (
        person.condition,
        str(person.number),
        str(totals.suites),
        "" if person.skill is None else f"{100 * person.skill:.0f}",
        f"{person.seconds:.1f}",
        str(Money(totals.reward_micros)),
        "banned" if totals.banned else "",
    )


def _labels(report: Report, gathered: Gathered) -> Made | None:
    merged = report["all_labels_merged"]
    quality = merged["labels"] if merged else None
    if not quality and not gathered.confidence:
        return None
    facts = []
    if quality:
        sure = f"{percent(quality['accuracy'])} ({interval(quality['interval_95'])})"
        facts = [
            ("right, by estimate", sure),
            ("right by answers alone", percent(quality["answers_alone"])),
            ("changed by the model", percent(quality["changed_by_model"])),
        ]
    most = max(gathered.confidence, default=0) or 1
    bars = [
        (f"{10 * at} to {10 * at + 10} %", count, 100 * count / most)
        for at, count in enumerate(gathered.confidence)
    ]
    total = sum(gathered.classes.values()) or 1
    classes = [
        (name, f"{count:,}", 100 * count / total) for name, count in gathered.classes.items()
    ]
    return {
        "facts": facts,
        "bars": bars,
        "classes": classes[:_MOST_CLASSES],
        "more_classes": max(0, len(classes) - _MOST_CLASSES),
        "whose": "the delivery" if report["delivery"] else "the recommended plan",
    }


# --- the model ---


def _confusion(report: Report, _: Gathered) -> Made | None:
    told = report.get("evaluation")
    if not told or len(told["per_class"]) > _MOST_CLASSES:
        return None
    names = [row["class"] for row in told["per_class"]]
    rows = []
    for name, row, facts in zip(names, told["confusion"], told["per_class"], strict=True):
        total = sum(row) or 1
        cells = [(count, round(100 * count / total)) for count in row]
        recall = "" if facts["recall"] is None else share(facts["recall"])
        rows.append({"name": name, "cells": cells, "recall": recall})
    return {"names": names, "rows": rows, "images": counted(told["images"], "final image")}


def _reliability(report: Report, _: Gathered) -> Made | None:
    chart = figures.reliability_chart(report)
    return None if chart is None else {"chart": chart, "brier": report["evaluation"]["brier"]}


def _worst(report: Report, gathered: Gathered) -> Made | None:
    told = report.get("evaluation")
    if not told:
        return None

    def card(row: Report, given: str, name: str) -> Made:
        return {
            "image": row["image"],
            "source": gathered.images.get(row["image"]),
            "given": row[given],
            "given_name": name,
            "said": row["said"],
            "sure": share(row["probability"]),
        }

    return {
        "images": [card(row, "true", "true class") for row in told["worst_images"]],
        "labels": [card(row, "bought", "bought label") for row in told["worst_labels"]],
    }


# --- the books ---


def _purchases(report: Report, _: Gathered) -> Made | None:
    if not report["purchases"]:
        return None
    rows = [_purchase(row) for row in report["purchases"]]
    return {
        "rows": rows[:_MOST_SHOWN],
        # Rows of elements take a browser seconds; of these a script makes them where they are seen.
        "rest": rows[_MOST_SHOWN:],
        "count": len(rows),
        "later": cents(report["delivery"]["bought"]) if report["delivery"] else "",
        "study": report["study"],
    }


def _purchase(row: Report) -> Sequence[tuple[str, float | str]]:
    """Cells of a purchase, each as shown and as sorted and downloaded."""
    plan, (low, high) = row["plan"], row["interval_95"]
    measured, minutes = row["measured"]["accuracy"], row["minutes"]
    price = plan["price_per_task"]
    unusable = row["assignments_unusable"] / max(1, row["assignments"])
    return (
        (str(row["purchase"]), row["purchase"]),
        (plan["key"], plan["key"]),
        (cents(row["price_tag"]), figures.dollars(row["price_tag"])),
        (cents(row["paid"]), figures.dollars(row["paid"])),
        (f"{100 * row['accuracy']:.1f}", row["accuracy"]),
        (f"{100 * low:.1f}", low),
        (f"{100 * high:.1f}", high),
        (f"{100 * measured:.1f}", measured),
        (f"{plan['tasks']:,}", plan["tasks"]),
        (few_answers(plan).split(" answer")[0], plan["overlap"]),
        (f"${price['usd']}", figures.dollars(price)),
        (str(plan["controls"]), plan["controls"]),
        ("yes" if plan["exam"] else "no", "yes" if plan["exam"] else "no"),
        ("" if minutes is None else f"{minutes:.1f}", "" if minutes is None else round(minutes, 2)),
        ("" if row["annotators"] is None else str(row["annotators"]), row["annotators"] or 0),
        (share(unusable), round(unusable, 4)),
        (row["ended"], row["ended"]),
    )


def _assumptions(report: Report, _: Gathered) -> Made | None:
    return {"notes": report["notes"], "ended": search_end(report), "said": words(report)}


def _glossary(report: Report, _: Gathered) -> Made | None:
    return {"terms": GLOSSARY}


def _steps(report: Report, _: Gathered) -> Made | None:
    return {"steps": steps_of(report)}


PARTS = (
    PagePart("next-dollar", "What the next dollar adds", _next_dollar, True),
    PagePart("forecast", "Forecast for more money", _forecast, True),
    PagePart("time", "Time against money", _time),
    PagePart("matters", "What matters", _matters, True),
    PagePart("annotators", "Annotators", _annotators),
    PagePart("labels", "Label quality", _labels, True),
    PagePart("confusion", "What the model takes for what", _confusion),
    PagePart("reliability", "How sure the model is", _reliability),
    PagePart("worst", "Images that it gets most wrong", _worst),
    PagePart("purchases", "Every purchase", _purchases),
    PagePart("assumptions", "Assumptions and findings", _assumptions),
    PagePart("steps", "How to repeat and how to buy", _steps, True),
    PagePart("glossary", "Words", _glossary),
)

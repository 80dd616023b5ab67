"""The charts of an answer, each from a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpo.answer.page.charts import Chart, ChartAxis, ChartPoint, ChartSeries, draw
from hpo.answer.page.gathered import AnnotatorRow
from hpo.answer.plan_in_words import counted, told_plan_in_words
from hpo.answer.sentences import cents, percent, with_interval
from labeling.campaign.campaign import score_name

Report = Mapping[str, Any]


def _dollars_axis(name: str) -> ChartAxis:
    return ChartAxis(name, lambda value: f"${value:g}", is_log=True)


def _score_axis(report: Report) -> ChartAxis:
    score = score_name(report["question"]["kind"])
    return ChartAxis(f"{score} of the trained model (%)", lambda value: f"{100 * value:.4g}")


def dollars(money: Mapping[str, Any]) -> float:
    """An amount in dollars, for a place on an axis."""
    return float(money["micros"]) / 1e6


def _estimate(row: Report, words: str = "") -> ChartPoint:
    low, high = row["interval_95"]
    said = words or told_plan_in_words(row["plan"])
    tip = f"{said}: {cents(row['price_tag'])}, {with_interval(row)}"
    return ChartPoint(dollars(row["price_tag"]), row["accuracy"], tip, low, high)


def _measured(row: Report) -> ChartPoint:
    tip = (
        f"Purchase {row['purchase']}, {told_plan_in_words(row['plan'])}: "
        f"{cents(row['price_tag'])}, measured {percent(row['measured']['accuracy'])}"
    )
    return ChartPoint(dollars(row["price_tag"]), row["measured"]["accuracy"], tip)


def front_chart(report: Report) -> Chart | None:
    """Accuracy against money: the front with its intervals, and what is recommended or delivered.

    Purchases stand as they were measured; the rule of thumb and direct purchases beside them.
    """
    rule = report["advice"].get("rule_of_thumb", {}).get("curve", [])
    series = [
        ChartSeries(
            "purchases, as measured", "bought", [_measured(r) for r in report["purchases"]]
        ),
        ChartSeries(
            "rule of thumb, expected",
            "rule",
            [ChartPoint(p.x, p.y, p.tip) for p in map(_estimate, rule)],
            "none",
            is_line=True,
        ),
        ChartSeries(
            "front, expected with 95 % interval",
            "front",
            [_estimate(row) for row in report["front"]],
            is_line=True,
        ),
        *_chosen(report),
    ]
    axis = _dollars_axis("price tag of the plan, fee included ($, log scale)")
    return draw("Accuracy against money", axis, _score_axis(report), series)


def _chosen(report: Report) -> list[ChartSeries]:
    """What is delivered beside direct purchases for the budget, or else the recommended plan."""
    if made := report["delivery"]:
        row = {**made["final"], "price_tag": report["money"]["spent"]}
        words = f"Delivered model on {made['final']['images']:,} final images"
        return [
            ChartSeries(
                "bought directly and evenly, expected",
                "direct",
                [_estimate(each) for each in made["directly"]],
                "square",
            ),
            ChartSeries("delivered, measured", "best", [_estimate(row, words)], "star"),
        ]
    if best := report["recommended"]:
        return [ChartSeries("recommended, expected", "best", [_estimate(best)], "star")]
    return []


def forecast_chart(report: Report) -> Chart | None:
    """The best plans for more money beside the answer: what further money is expected to give."""
    ahead = report["advice"].get("forecast", {}).get("at", [])
    chosen = report["answer"]["chosen"]
    if not ahead or not chosen:
        return None
    unlike = [row for row in ahead if row["plan"] != chosen["plan"]]
    dots = [
        _estimate(row, f"Up to {row['times']} times: {told_plan_in_words(row['plan'])}")
        for row in unlike
    ]
    series = [
        ChartSeries("for more money", "front", dots, "square"),
        ChartSeries("the answer's plan", "best", [_estimate(chosen)], "star"),
    ]
    axis = _dollars_axis("price tag of the plan, fee included ($, log scale)")
    return draw("Forecast", axis, _score_axis(report), series)


def time_chart(report: Report) -> Chart | None:
    """Minutes against money of every purchase and of the front's plans."""

    def dots(rows: Sequence[Report]) -> list[ChartPoint]:
        return [
            ChartPoint(
                dollars(row["price_tag"]),
                row["minutes"],
                f"{told_plan_in_words(row['plan'])}: {cents(row['price_tag'])}, "
                f"{row['minutes']:.1f} minutes",
            )
            for row in rows
            if row["minutes"] is not None
        ]

    best = [report["recommended"]] if report["recommended"] and not report["delivery"] else []
    return draw(
        "Time against money",
        _dollars_axis("price tag of the plan, fee included ($, log scale)"),
        ChartAxis("time until all answers are in (minutes)", lambda value: f"{value:g}"),
        [
            ChartSeries("purchases", "bought", dots(report["purchases"])),
            ChartSeries("front", "front", dots(report["front"])),
            ChartSeries("recommended", "best", dots(best), "star"),
        ],
    )


def reliability_chart(report: Report) -> Chart | None:
    """How often the model is right, against how sure it is."""
    told = report.get("evaluation")
    if not told:
        return None
    dots = [
        ChartPoint(
            row["confidence"],
            row["accuracy"],
            f"{row['images']:,} images: {percent(row['confidence'])} sure, "
            f"{percent(row['accuracy'])} right",
        )
        for row in told["reliability"]
    ]
    ideal = [ChartPoint(value, value, "as sure as right") for value in (0.0, 1.0)]

    def say(value: float) -> str:
        return f"{100 * value:.0f}"

    return draw(
        "Reliability",
        ChartAxis("how sure the model is (%)", say, bounds=(0.0, 1.0)),
        ChartAxis("how often it is right (%)", say, bounds=(0.0, 1.0)),
        [
            ChartSeries("perfectly calibrated", "rule", ideal, "none", is_line=True),
            ChartSeries("the model, images by how sure it is", "front", dots, is_line=True),
        ],
    )


def annotators_chart(people: Sequence[AnnotatorRow]) -> Chart | None:
    """Accuracy against working time of every annotator."""

    def dots(banned: bool) -> list[ChartPoint]:
        return [
            ChartPoint(
                person.seconds,
                person.skill,
                f"Annotator {person.number}, {person.condition}: {percent(person.skill)} right, "
                f"{person.seconds:.1f} s a task, {counted(person.totals.suites, 'suite')}",
            )
            for person in people
            if person.totals.banned is banned and person.skill is not None
        ]

    return draw(
        "Annotators",
        ChartAxis("working time (seconds a task)", lambda value: f"{value:g}"),
        ChartAxis("right on controls, else by agreement (%)", lambda value: f"{100 * value:.4g}"),
        [
            ChartSeries("paid and used", "front", dots(False)),
            ChartSeries("banned", "bad", dots(True), "square"),
        ],
    )

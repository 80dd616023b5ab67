"""The controller's plots as plain Plotly figures, from a run directory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.answer.estimates.plan_estimates import tolerance
from hpo.answer.front import pareto_front
from hpo.answer.sentences import points_per_dollar
from hpo.tracking.clearml.mirror.run_directory import RunDirectory, TrialRow
from hpo.tracking.clearml.server.records import Figure
from hpo.trial.outcome import Outcome

GREY, BLUE, RED, GREEN = "#a6a6a6", "#1f5fa8", "#c8481c", "#3b7d4f"
KNOBS = ("price", "overlap", "controls", "tasks", "exam")


def objective(run: RunDirectory) -> Figure:
    """Accuracy of every evaluation in the order they were made."""
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "accuracy/validation",
        "x": [row.number for row in run.rows],
        "y": [row.outcome.accuracy for row in run.rows],
        "text": [row.outcome.plan.key for row in run.rows],
        "marker": {"color": [BLUE if row.version else GREY for row in run.rows]},
    }
    return _figure([trace], "job # (blue: bought, grey: owned already)", "objective")


def pareto(run: RunDirectory) -> Figure:
    """Accuracy against price tag, with 95 % intervals; log-dollar axis."""
    outcomes = run.latest.values()
    traces = [_points("evaluated plans", list(outcomes))]
    traces.append(_reported_front(run.report) if run.report else _measured_front(list(outcomes)))
    if run.report:
        traces += _reported_beside(run.report)
    figure = _figure(traces, "price tag of the plan, dollars", f"{run.score} of the trained model")
    every = [dollars for trace in traces for dollars in trace["x"]]
    figure["layout"]["xaxis"] |= {"type": "log", **_dollar_ticks(every)}
    return figure


def _dollar_ticks(dollars: Sequence[float]) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of every decade: Plotly itself labels the decades only."""
    positive = [value for value in dollars if value > 0]
    if not positive:
        return {}
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    ticks = [round(step * 10.0**power, 9) for power in range(low, high + 1) for step in (1, 2, 5)]
    return {
        "tickvals": ticks,
        "ticktext": [f"${tick:g}" if tick >= 1 else f"${tick:.2f}" for tick in ticks],
    }


def _points(name: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [o.price_tag.dollars for o in outcomes],
        "y": [o.accuracy for o in outcomes],
        "text": [o.plan.key for o in outcomes],
        "marker": {"color": GREY},
    }


def with_interval(
    name: str, rows: Sequence[tuple[float, float, Sequence[float], str]], color: str, mode: str
) -> dict[str, Any]:
    """A trace of (dollars, accuracy, 95 % interval, text)."""
    return {
        "type": "scatter",
        "mode": mode,
        "name": name,
        "x": [row[0] for row in rows],
        "y": [row[1] for row in rows],
        "text": [row[3] for row in rows],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(row[2][1] - row[1], 6) for row in rows],
            "arrayminus": [round(row[1] - row[2][0], 6) for row in rows],
        },
        "marker": {"color": color},
        "line": {"color": color},
    }


def _measured_front(outcomes: list[Outcome]) -> dict[str, Any]:
    front = [
        (o.price_tag.dollars, o.accuracy, (o.low, o.high), o.plan.key)
        for o in _front_so_far(outcomes)
    ]
    return with_interval("front as measured so far", front, BLUE, "lines+markers")


def _front_so_far(outcomes: list[Outcome]) -> list[Outcome]:
    return pareto_front(outcomes, lambda o: (o.price_tag.micros, o.accuracy))


def _dollars(money: Mapping[str, Any]) -> float:
    return int(money["micros"]) / 1e6


def _reported_front(report: Mapping[str, Any]) -> dict[str, Any]:
    front = [
        (_dollars(row["price_tag"]), row["accuracy"], row["interval_95"], row["plan"]["key"])
        for row in report["front"]
    ]
    return with_interval("front, expected", front, BLUE, "lines+markers")


def _reported_beside(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The recommended plan on untouched images, the rule of thumb, and the forecast."""
    traces = []
    best, advice = report["recommended"], report["advice"]
    if best and best["final"]:
        final = best["final"]
        star = (_dollars(best["price_tag"]), final["accuracy"], final["interval_95"])
        name = "recommended, on untouched images"
        traces.append(with_interval(name, [(*star, best["plan"]["key"])], RED, "markers"))
        traces[-1]["marker"] = {"color": RED, "symbol": "star", "size": 14}
    rule = advice.get("rule_of_thumb", {}).get("curve", [])
    if rule:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "rule of thumb, expected",
                "x": [_dollars(row["price_tag"]) for row in rule],
                "y": [row["accuracy"] for row in rule],
                "text": [row["plan"]["key"] for row in rule],
                "line": {"color": GREY, "dash": "dash"},
            }
        )
    ahead = advice.get("forecast", {}).get("at", [])
    if ahead:
        rows = [
            (_dollars(row["price_tag"]), row["accuracy"], row["interval_95"], row["plan"]["key"])
            for row in ahead
        ]
        traces.append(with_interval("forecast", rows, GREEN, "markers"))
    return traces


def incumbent(run: RunDirectory) -> Figure:
    """Best accuracy so far, and the price tag of the plan to take, against dollars spent."""
    steps = incumbents(run.rows)
    spent = [dollars for dollars, _, _ in steps]
    measured = f"best {run.score} measured so far"
    best = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": measured,
        "x": spent,
        "y": [accuracy for _, accuracy, _ in steps],
        "line": {"shape": "hv", "color": BLUE},
    }
    price = {
        "type": "scatter",
        "mode": "lines",
        "name": "price tag of the cheapest plan within a point of it",
        "x": spent,
        "y": [dollars for _, _, dollars in steps],
        "yaxis": "y2",
        "line": {"shape": "hv", "color": RED, "dash": "dash"},
    }
    figure = _figure([best, price], "spent in the study, dollars", measured)
    figure["layout"]["yaxis2"] = {
        "title": {"text": "price tag, dollars"},
        "overlaying": "y",
        "side": "right",
        "rangemode": "tozero",
        "automargin": True,
    }
    figure["layout"]["margin"] = {"l": 70, "r": 90, "t": 80, "b": 90}  # the page's cuts the right
    return figure


def incumbents(rows: Sequence[TrialRow]) -> list[tuple[float, float, float]]:
    """After every evaluation: dollars spent, best accuracy, price tag of the plan to take."""
    steps: list[tuple[float, float, float]] = []
    latest: dict[str, Outcome] = {}
    best = 0.0
    for row in rows:
        latest[row.outcome.plan.key] = row.outcome
        best = max(best, row.outcome.accuracy)
        near = [o for o in latest.values() if o.accuracy >= best - tolerance(best)]
        if near:
            cheapest = min(outcome.price_tag.dollars for outcome in near)
            steps.append((row.spent / 1e6, best, cheapest))
    return steps


def marginal(run: RunDirectory) -> Figure:
    """Points of accuracy that a further dollar buys, along the front."""
    if run.report:
        steps = [
            (_dollars(row["price_tag"]), row["points_per_dollar"], row["plan"]["key"])
            for row in run.report["front"]
        ]
    else:
        front = _front_so_far(list(run.latest.values()))
        steps = [
            (dear.price_tag.dollars, _rate(dear, cheap), dear.plan.key)
            for cheap, dear in itertools.pairwise(front)
        ]
    measured = [step for step in steps if step[1] is not None]
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "points per further dollar",
        "x": [step[0] for step in measured],
        "y": [step[1] for step in measured],
        "text": [step[2] for step in measured],
        "line": {"shape": "vh", "color": GREEN},
    }
    return _figure(
        [trace], "price tag of the plan, dollars", f"{run.score}: points per further dollar"
    )


def _rate(dear: Outcome, cheap: Outcome) -> float:
    return points_per_dollar(dear.accuracy - cheap.accuracy, dear.price_tag - cheap.price_tag)


def parallel(run: RunDirectory) -> Figure:
    """Every plan as a line over its knobs, price tag and accuracy, coloured by accuracy."""
    outcomes = list(run.latest.values())
    columns: dict[str, list[float]] = {
        "price per task, $": [o.plan.price.dollars for o in outcomes],
        "overlap": [o.plan.overlap for o in outcomes],
        "control tasks": [o.plan.controls for o in outcomes],
        "tasks": [o.plan.tasks for o in outcomes],
        "exam": [int(o.plan.exam) for o in outcomes],
        "price tag, $": [o.price_tag.dollars for o in outcomes],
        "accuracy": [o.accuracy for o in outcomes],
    }
    trace: dict[str, Any] = {
        "type": "parcoords",
        "line": {"colorscale": "Viridis", "color": columns["accuracy"], "showscale": True},
        "dimensions": [{"label": name, "values": values} for name, values in columns.items()],
    }
    exam = next(axis for axis in trace["dimensions"] if axis["label"] == "exam")
    exam.update(tickvals=[0, 1], ticktext=["no", "yes"])
    return {"data": [trace], "layout": {}}


def summary(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The table of all evaluations; see `summary_rows` of the controller's record."""
    names = list(rows[0]) if rows else []
    header = [_SHORT.get(name, name.removeprefix("General/")) for name in names]
    return {
        "data": [
            {
                "type": "table",
                "columnwidth": [_WIDTHS.get(name, 1) for name in header],
                "header": {"values": header, "align": "left"},
                "cells": {
                    "values": [[_cell(row[name]) for row in rows] for name in names],
                    "align": "left",
                    "height": 30,
                },
            }
        ],
        "layout": {"height": min(900, 140 + 30 * len(rows))},
    }


def _cell(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


_SHORT = {"task id": "plan", "objective": "accuracy", "iteration": "#", "minutes": "min."}
_WIDTHS = {"plan": 2.4, "#": 0.45, "overlap": 0.9, "95 %": 1.5, "min.": 0.7, "status": 1.6}
"""Shares of the table's width, so that plans are not cut where they differ."""


def _figure(traces: list[dict[str, Any]], x: str, y: str) -> Figure:
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": x}},
            "yaxis": {"title": {"text": y}},
            "hovermode": "closest",
        },
    }

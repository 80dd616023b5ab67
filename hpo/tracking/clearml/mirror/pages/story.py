"""A study in words: the lines of its console, and its answer as it is printed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from budget.money import Money
from hpo.answer.sentences import interval, percent, usd
from hpo.answer.terminal import show, words
from hpo.study.journal import CONFIRMATION, DELIVERY
from hpo.tracking.clearml.mirror.run_directory import Child, RunDirectory, TrialRow
from hpo.tracking.clearml.server.records import Figure, Line, epoch_ms
from hpo.trial.outcome import Outcome
from labeling import versions

_WIDTH = 110  # columns of a printed answer


def console(run: RunDirectory) -> list[Line]:
    """The lines of a study's console, each at its own time; at the end the printed answer.

    A server keeps every line that it got. So the lines follow the journal, and a later line of the
    journal changes no earlier line.
    """
    lines = [_line(step, run) for step in run.story]
    if run.report is not None:
        lines.append(Line(epoch_ms(run.ended), printed(run.report)))
    return lines


def _line(step: TrialRow | Mapping[str, Any], run: RunDirectory) -> Line:
    if isinstance(step, TrialRow):
        return Line(epoch_ms(step.at), _evaluated(step, run.score))
    if step["event"] == CONFIRMATION:
        return Line(epoch_ms(step["at"]), _confirmed(step, run.score))
    if step["event"] == DELIVERY:
        return Line(epoch_ms(step["at"]), _delivered(step, run.score))
    return Line(epoch_ms(step["at"]), _start(step, step is run.story[0]))


def _start(about: Mapping[str, Any], is_first: bool) -> str:
    cap = f"cap {Money(int(about['cap'])).cents()}"
    if not is_first:
        return f"study {about['study']} goes on: {cap}"
    images = ", ".join(f"{count} {role}" for role, count in about["data"]["images"].items())
    return f"study {about['study']}: images {images}; market {about['market']['name']}; {cap}"


def _evaluated(row: TrialRow, score: str) -> str:
    outcome = row.outcome
    measured = f"{score} {percent(outcome.accuracy)} ({interval([outcome.low, outcome.high])})"
    if row.version is None:
        return f"evaluated {outcome.plan.key}, owned already: {measured}"
    money = f"paid {Money(row.paid).cents()}, spent {Money(row.spent).cents()}"
    return f"bought {outcome.plan.key}: {measured}; {money} of {Money(row.cap).cents()}"


def _confirmed(again: Mapping[str, Any], score: str) -> str:
    final = again["final"]
    measured = f"{percent(final['accuracy'])} ({interval(final['interval_95'])})"
    return (
        f"bought {again['tasks']} tasks of the recommended plan again for {usd(again['paid'])}: "
        f"{score} {measured} on images that no decision has touched"
    )


def _delivered(made: Mapping[str, Any], score: str) -> str:
    labels, final = made["labels"], made["final"]
    measured = f"{percent(final['accuracy'])} ({interval(final['interval_95'])})"
    return (
        f"delivered labels of {labels['images']} images from {labels['answers']} answers, "
        f"{usd(made['money']['spent'])} of it bought by plan {made['plan']}: {score} {measured} on "
        "images that no decision has touched"
    )


def printed(report: Mapping[str, Any]) -> str:
    """The answer as a terminal shows it."""
    from rich.console import Console

    page = io.StringIO()
    console = Console(file=page, width=_WIDTH, color_system=None, highlight=False)
    show(report, {}, console, details=True)
    return page.getvalue().rstrip()


def answer_table(report: Mapping[str, Any]) -> Figure:
    """The answer in sentences, a row each."""
    said = words(report)
    cells = {"values": [said], "align": "left", "height": 30}
    table = {"type": "table", "header": {"values": ["the answer"], "align": "left"}, "cells": cells}
    return {"data": [table], "layout": {"height": 120 + 34 * len(said)}}


def trial_console(run: RunDirectory, child: Child) -> list[Line]:
    """The lines of a trial's console: its plan, its annotators, its model."""
    outcome, at_ms = child.outcome, epoch_ms(child.at)
    paid = f", paid {Money(child.paid).cents()}" if child.number else ", for nothing: owned already"
    lines = [f"plan {child.key}{paid}", *_people(run, child), *_measured(outcome, run.score)]
    return [Line(at_ms, line) for line in lines]


def _people(run: RunDirectory, child: Child) -> Iterator[str]:
    try:
        manifest = json.loads(
            (run.folder / "versions" / child.version / versions.MANIFEST).read_text()
        )
    except (OSError, ValueError):
        return  # the dataset's own record names the damage
    if "participants" in manifest:
        yield (
            f"{manifest['participants']} annotators in {manifest['minutes']:.0f} minutes, "
            f"{manifest['banned']} of them banned, {manifest['exam_failed']} failed the exam, "
            f"{manifest['answers_missing']} answers missing"
        )


def _measured(outcome: Outcome, score: str) -> Iterator[str]:
    yield f"{outcome.answers} usable answers to {outcome.labels} tasks; target {outcome.target}"
    further = {"macro F1": outcome.macro_f1, "calibration error": outcome.ece}
    told = [f"{name} {value:.4f}" for name, value in further.items() if value is not None]
    measured = f"{score} {percent(outcome.accuracy)} ({interval([outcome.low, outcome.high])})"
    yield ", ".join([f"{measured} on validation images", *told])

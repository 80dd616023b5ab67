"""The view of a running study, and what a pipe is told instead."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from budget.money import ZERO, Money
from hpo.cli.live_view import PhaseStart, front_sketch, seconds_left, view_lines
from hpo.cli.progress import Loudness, ProgressLine
from hpo.settings.config import make_config
from hpo.study.journal import Progress, StudyPhase
from hpo.trial.outcome import Outcome
from labeling.types import LabelPlan
from tests.commands import labelworth, small_flags

CONFIG = make_config({"budget": "4", "goal": "plan"})


def outcome(key: str, accuracy: float, dollars: str) -> Outcome:
    plan = LabelPlan.parse(key)
    bounds = (accuracy, accuracy - 0.02, accuracy + 0.02)
    money = Money.parse(dollars)
    return Outcome(plan, *bounds, None, None, None, money, None, 10, 10, "posterior", 1.0)


FRONT = [
    outcome("p0.001-k1-c0-n98-exam", 0.80, "0.13"),
    outcome("p0.001-k1-c0-n392-exam", 0.87, "0.52"),
    outcome("p0.001-k2-c0-n980-exam", 0.92, "2.60"),
]


def progress(phase: StudyPhase, doing: str, spent: str = "1.00", **more: Any) -> Progress:
    paid = Money.parse(spent)
    return Progress(
        doing, 3, FRONT[2], paid, ZERO, Money.parse("4") - paid, phase=phase, front=FRONT, **more
    )


def test_the_view_tells_phase_money_front_and_what_is_next() -> None:
    start = PhaseStart(StudyPhase.SEARCHING, 2.0, 0)
    now = progress(StudyPhase.SEARCHING, "buying p0.002-k3-c1-n980-exam")
    lines = view_lines(now, start, 12.0, CONFIG, 100)
    assert lines[0] == "Searching, 3 purchases, 12 s, at most about 30 s left in it"
    assert lines[1].startswith("████████░")
    assert lines[1].endswith(" spent $1.00 held $0.00 left $3.00")
    assert "92.0 %│" in lines[2]
    assert lines[2].endswith("★")
    assert lines[-2].startswith("best: 92.0 % for $2.60: 980 images, 2 answers each")
    assert lines[-1].startswith("now:  buying 980 images, 3 answers each, $0.002 a task")


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_view_is_never_wider_than_the_terminal(width: int) -> None:
    start = PhaseStart(StudyPhase.ANSWERING, 2.0, 0, ("training on all labels owned",))
    now = progress(StudyPhase.ANSWERING, "training on all labels owned")
    lines = view_lines(now, start, 12.0, CONFIG, width)
    assert max(map(len, lines)) <= width
    assert width < 60 or "step 1 of at most" in lines[0]


def test_a_front_of_one_plan_is_no_sketch() -> None:
    assert front_sketch(FRONT[:1], FRONT[0], 80) == []
    assert "".join(front_sketch(FRONT, None, 80)).count("●") == 3


def test_time_left_is_told_where_money_moves() -> None:
    start = PhaseStart(StudyPhase.BUYING, 10.0, 500_000)
    assert seconds_left(progress(StudyPhase.BUYING, "x"), start, 20.0, CONFIG) == 60.0
    assert seconds_left(progress(StudyPhase.BUYING, "x"), start, 11.0, CONFIG) is None
    assert seconds_left(progress(StudyPhase.ANSWERING, "x"), start, 20.0, CONFIG) is None
    learning = make_config({"budget": "4"})
    start = PhaseStart(StudyPhase.SEARCHING, 0.0, 0)
    now = progress(StudyPhase.SEARCHING, "x", "0.10")
    assert seconds_left(now, start, 10.0, learning) == pytest.approx(10.0)  # of 5 %, 20 cents


def told(loudness: Loudness, *steps: Progress) -> list[str]:
    out = io.StringIO()
    with ProgressLine(Console(file=out, width=200), CONFIG, loudness) as shown:
        for step in steps:
            shown.update(step)
    return out.getvalue().splitlines()


def test_a_pipe_gets_purchases_and_the_steps_after_the_search() -> None:
    steps = (
        progress(StudyPhase.SEARCHING, "buying a"),
        progress(StudyPhase.SEARCHING, "evaluating b"),
        progress(StudyPhase.ANSWERING, "training on all labels owned"),
        progress(StudyPhase.ANSWERING, "training on all labels owned"),
        progress(StudyPhase.SEARCHING, "", note="\x1b[2Jkept"),
    )
    usual = told(Loudness.USUAL, *steps)
    assert [line.rpartition("| ")[2] for line in usual[:2]] == [
        "buying a",
        "training on all labels owned",
    ]
    assert usual[2:] == ["?[2Jkept"]
    assert len(told(Loudness.VERBOSE, *steps)) == 5
    assert told(Loudness.QUIET, *steps) == []


@pytest.mark.slow
def test_quiet_and_verbose_studies(tmp_path: Path, small_data: str) -> None:
    words = small_flags(small_data, study="s", trials=2)
    quiet = labelworth(*words, "-q", cwd=tmp_path)
    assert quiet.returncode == 0
    assert quiet.stderr == ""
    assert "Spend about" in quiet.stdout
    verbose = labelworth(*words, "-v", "--runs", "other", cwd=tmp_path)
    assert "buying p0.001" in verbose.stderr
    assert "measuring the recommended plan on the final images" in verbose.stderr
    assert verbose.stdout.replace("other/", "runs/") == quiet.stdout
    assert labelworth(*words, "-q", "-v", cwd=tmp_path).returncode == 2

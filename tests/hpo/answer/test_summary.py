"""The first block of an answer, in cases that make its lines long."""

from __future__ import annotations

from typing import Any

import pytest

from hpo.answer.summary import WIDTH, _expect, _spend, next_line


def told(kind: str, share: float, differs: bool) -> dict[str, Any]:
    """What the line of the expected accuracy is made of."""
    return {
        "question": {"kind": kind},
        "answer": {"chosen": {"accuracy": 0.8204, "interval_95": [0.7933, 0.8451]}},
        "recommended": {"plan": {"tasks": 12_205}},
        "advice": {"campaign": None},
        "confirmation": {
            "tasks": 1_470,
            "share": share,
            "differs": differs,
            "measured": {"accuracy": 0.7991},
            "search_estimate": 0.83,
        },
    }


@pytest.mark.parametrize("kind", ["objective", "subjective"])
@pytest.mark.parametrize("differs", [True, False])
def test_a_part_that_was_bought_again_is_told_as_a_part_and_fits(kind: str, differs: bool) -> None:
    line = _expect(told(kind, 0.12, differs))
    assert len(line) <= WIDTH
    assert "part" in line or "1,470 of its 12,205 tasks" in line
    assert ("beyond noise" in line) == differs
    assert ("agreement with the panel" in line) == (kind == "subjective")


@pytest.mark.parametrize("kind", ["objective", "subjective"])
@pytest.mark.parametrize("differs", [True, False])
def test_a_whole_plan_bought_again_fits(kind: str, differs: bool) -> None:
    line = _expect(told(kind, 1.0, differs))
    assert len(line) <= WIDTH
    assert "79.9 %" in line
    assert ("beyond noise" in line) == ("less" in line) == differs


@pytest.mark.parametrize("tasks", [98, 3_308, 1_234_567])
@pytest.mark.parametrize("exam", [True, False])
@pytest.mark.parametrize("controls", [0, 1, 3])
def test_the_first_line_never_leaves_out_the_checks_of_a_plan(
    tasks: int, exam: bool, controls: int
) -> None:
    plan = {"tasks": tasks, "overlap": 1, "exam": exam, "controls": controls}
    plan["price_per_task"] = {"usd": "0.0015"}  # type: ignore[assignment]
    price = {"micros": 5_390_000 * max(1, tasks // 1000), "usd": "5.39"}
    line = _spend(
        {
            "answer": {"chosen": {"plan": plan, "price_tag": price}, "images": 5_000_000},
            "config": {"suite_size": 10},
        }
    )
    assert len(line) <= WIDTH
    assert ("exam" in line) == exam
    assert (f"{controls} control" in line) == bool(controls)


def test_the_next_step_after_own_images_is_another_one() -> None:
    def line(data: str, market: str) -> str:
        return next_line({"config": {"data": data}, "market": {"kind": market}})

    assert line("digits3", "simulated").startswith("Next: your own images: ")
    for data in ("folder", "npz"):
        assert line(data, "simulated").startswith("Next: a rehearsal through Toloka's API: ")
        assert line(data, "rehearsal").startswith("Next: labelworth doctor, ")

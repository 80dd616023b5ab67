"""News: every paid assignment once, however the platform's lists change between two questions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from budget.errors import MarketError
from labeling.toloka.pools.assignment_updates import (
    AssignmentReader,
    AssignmentUpdates,
    minutes_between,
)
from tests.labeling.toloka.ground import TWO

START = datetime(2030, 1, 1, tzinfo=UTC)


class Told:
    """A platform that answers with prepared lists, by the bounds it is asked for."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, str]] = []

    def list(self, path: str, limit: int, **filters: str) -> list[dict[str, Any]]:
        self.asked.append(filters)
        after, upto = filters.get("id_gt", ""), filters.get("id_lte", "~")
        return [item for key, item in sorted(self.items.items()) if after < key <= upto]

    def set(self, number: int, status: str, second: int | None = None, **more: Any) -> None:
        """An assignment, submitted so many seconds after the start."""
        at = "" if second is None else f"2030-01-01T00:{second // 60:02d}:{second % 60:02d}.250"
        ends = {"SKIPPED": "skipped", "EXPIRED": "expired"}
        self.items[f"{number:04d}"] = {
            "id": f"{number:04d}",
            "user_id": f"user {number}",
            "status": status,
            "created": "2030-01-01T00:00:00",
            "reward": Decimal("0.02"),
            "tasks": [{"id": "t1"}, {"id": "t2"}],
            "solutions": [{"output_values": {"kind": k, "nice": "yes"}} for k in "ab"],
            **({ends.get(status, "submitted"): at} if at else {}),
            **more,
        }


def news(told: Told, review: bool = False, upto: str = "", after: str = "") -> AssignmentUpdates:
    return AssignmentUpdates(told, "1", after, upto, review)  # type: ignore[arg-type]


def test_an_assignment_that_is_submitted_then_accepted_is_paid_once() -> None:
    told = Told()
    seen = news(told)
    for status in ("ACTIVE", "SUBMITTED", "ACCEPTED"):
        told.set(1, status, 30 if status != "ACTIVE" else None)
        assert seen.poll()
    assert [suite.id for suite in seen.paid] == ["0001"]
    assert not seen.open
    assert not seen.poll()


def test_one_that_is_rejected_after_all_is_not_paid() -> None:
    told = Told()
    seen = news(told)
    told.set(1, "SUBMITTED", 30)
    seen.poll()
    told.set(1, "REJECTED", 30)
    seen.poll()
    assert seen.paid == []


def test_with_review_what_is_submitted_is_open_until_it_is_judged() -> None:
    told = Told()
    seen = news(told, review=True)
    told.set(1, "SUBMITTED", 30)
    seen.poll()
    assert [suite.id for suite in seen.waiting] == ["0001"]
    assert seen.open == {"0001"}
    assert seen.paid == []
    told.set(1, "ACCEPTED", 30)
    seen.poll()
    assert not seen.open
    assert len(seen.paid) == 1


def test_paid_assignments_are_in_the_order_of_submission_also_when_noticed_late() -> None:
    told = Told()
    seen = news(told)
    told.set(1, "ACCEPTED", 50)
    told.set(2, "ACCEPTED", 40)
    seen.poll()
    told.set(3, "ACCEPTED", 45)
    seen.poll()
    assert [suite.id for suite in seen.paid] == ["0002", "0003", "0001"]


def test_what_cannot_change_any_more_is_not_read_again_but_once_at_the_end() -> None:
    told = Told()
    seen = news(told)
    for number in range(1, 61):
        told.set(number, "ACCEPTED", number)
    told.set(31, "ACTIVE")
    seen.poll()
    seen.poll()
    assert told.asked[-1] == {"pool_id": "1", "id_gt": "0030"}
    told.items.pop("0010")  # a list that was not complete at first
    told.set(7, "ACCEPTED", 7, id="0007")
    told.set(31, "ACCEPTED", 31)
    told.items["0005a"] = {**told.items["0005"], "id": "0005a"}  # an id that came late
    seen.poll()
    assert "0005a" not in seen.suites
    seen.read_all()
    assert "0005a" in seen.suites
    assert len(seen.paid) == 61


def test_an_order_sees_neither_earlier_nor_later_ones() -> None:
    told = Told()
    for number in range(1, 10):
        told.set(number, "ACCEPTED", number)
    seen = news(told, after="0003", upto="0006")
    seen.poll()
    assert sorted(seen.suites) == ["0004", "0005", "0006"]
    assert seen.last == "0006"


def reading() -> AssignmentReader:
    return AssignmentReader(TWO, {"t1": 11, "t2": 99}, frozenset({"t2"}), START)


def test_an_assignment_holds_rows_answers_to_each_question_times_and_the_reward() -> None:
    told = Told()
    seen = news(told)
    told.set(1, "ACCEPTED", 90)
    seen.poll()
    made = reading().assignment(seen.paid[0])
    assert made.tasks == (11, 99)
    assert made.control == (False, True)
    assert made.labels == (0, 1)
    assert made.further == ((1, 1),)
    assert (made.submitted_s, made.seconds) == (90.25, 90.25)
    assert str(made.reward) == "$0.02"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tasks": [{"id": "t1"}, {"id": "strange"}]}, "not those of this study"),
        ({"tasks": [{"id": "t1"}]}, "not those of this study"),
        ({"solutions": [{"output_values": {"kind": "x", "nice": "yes"}}] * 2}, "'x' is no answer"),
        ({"solutions": [{"output_values": {"kind": "a"}}] * 2}, "is no answer to 'nice'"),
    ],
)
def test_what_cannot_be_read_is_said_and_not_guessed(change: dict[str, Any], said: str) -> None:
    told = Told()
    seen = news(told)
    told.set(1, "ACCEPTED", 90, **change)
    seen.poll()
    with pytest.raises(MarketError, match=said):
        reading().assignment(seen.paid[0])


def test_minutes_are_those_of_the_crowd_in_process_to_the_last_bit() -> None:
    for ms in range(0, 400_000, 43):  # a quarter of them differ from (ms / 1000) / 60
        assert minutes_between(START, START + timedelta(milliseconds=ms)) == ms / 60_000

"""News of an order: its assignments, read again from where some may still change."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from budget.money import Money
from labeling.campaign import Campaign
from labeling.toloka.errors import MarketError
from labeling.toloka.http import Api
from labeling.types import Assignment

_LISTED = 10_000  # assignments in one answer
_STRIDE = 20  # assignments that cannot change any more, left behind together
PAID = frozenset({"ACCEPTED", "SUBMITTED"})


@dataclass(frozen=True, slots=True)
class Reading:
    """How a platform's assignments turn into ours.

    Attributes:
        campaign: what was asked.
        rows: image row of each task, by the task's id.
        control: ids of the control tasks.
        opened: when the order's pool was first opened.
    """

    campaign: Campaign
    rows: Mapping[str, int]
    control: frozenset[str]
    opened: datetime

    def assignment(self, raw: Any) -> Assignment:
        """A submitted suite.

        Raises:
            MarketError: it holds a task or an answer that is not known here.
        """
        answers = [
            tuple(self._label(raw, solution, at) for solution in raw.solutions)
            for at in range(len(self.campaign.questions))
        ]
        if len(raw.tasks) != len(raw.solutions) or any(t.id not in self.rows for t in raw.tasks):
            raise MarketError(f"assignment {raw.id}: its tasks are not those of this study")
        first, *further = answers
        return Assignment(
            id=raw.id,
            annotator=raw.user_id,
            tasks=tuple(self.rows[task.id] for task in raw.tasks),
            labels=first,
            control=tuple(task.id in self.control for task in raw.tasks),
            submitted_s=seconds_between(self.opened, raw.submitted),
            seconds=seconds_between(raw.created, raw.submitted),
            reward=Money.parse(str(raw.reward), "reward"),
            further=tuple(further),
        )

    def _label(self, raw: Any, solution: Any, at: int) -> int:
        question = self.campaign.questions[at]
        value = (solution.output_values or {}).get(question.name)
        if value not in question.classes:
            raise MarketError(
                f"assignment {raw.id}: {str(value)[:40]!r} is no answer to {question.name!r}"
            )
        return question.classes.index(value)


class News:
    """What an order's assignments are by now.

    Args:
        api: the platform.
        pool_id: the order's pool.
        after: the last assignment of earlier orders; empty for the pool's first order.
        upto: the last assignment of this order, once it has ended; empty until then.
        review: whether answers are looked at before they are accepted: until then they are open.

    Attributes:
        raw: every assignment as it was read last, by id.
        open: ids of those that may still be submitted, or still be accepted.
    """

    def __init__(self, api: Api, pool_id: str, after: str, upto: str, review: bool) -> None:
        self.raw: dict[str, Any] = {}
        self.open: set[str] = set()
        self._api = api
        self._pool_id = pool_id
        self._after = after
        self._upto = upto
        self._review = review
        self._settled = ""
        self._paid: list[Any] = []

    def poll(self) -> bool:
        """Ask once. Returns whether anything has changed."""
        return self._ask(max(self._after, self._settled))

    def read_all(self) -> None:
        """Ask for all of them again, from the first one on: nothing paid for may be missed."""
        self._ask(self._after)

    def _ask(self, after: str) -> bool:
        """Ask for all assignments behind one; move on behind those that cannot change any more."""
        filters = {"id_gt": after} if after else {}
        if self._upto:
            filters["id_lte"] = self._upto
        found = self._api.read(
            lambda client: list(
                client.get_assignments(pool_id=self._pool_id, batch_size=_LISTED, **filters)
            )
        )
        found = sorted(found, key=lambda raw: raw.id)
        changed = [raw for raw in found if self._is_news(raw)]
        for raw in changed:
            self._note(raw)
        first_open = min(self.open, default=None)
        settled = [raw.id for raw in found if first_open is None or raw.id < first_open]
        if len(settled) >= _STRIDE:
            self._settled = settled[-1]
        return bool(changed)

    @property
    def last(self) -> str:
        """The last assignment of all there are."""
        return max(self.raw, default=self._after)

    @property
    def waiting(self) -> list[Any]:
        """Submitted and neither accepted nor rejected, where answers are reviewed."""
        return [self.raw[key] for key in sorted(self.open) if state(self.raw[key]) == "SUBMITTED"]

    @property
    def paid(self) -> list[Any]:
        """What is or will be paid, in the order of submission."""
        return self._paid

    @property
    def given(self) -> list[Any]:
        """All that was submitted, paid or not: the platform counts it towards overlap."""
        return [raw for raw in self.raw.values() if state(raw) in PAID | {"REJECTED"}]

    @property
    def ended(self) -> list[datetime]:
        """When each assignment that is not active any more came to its end."""
        times = [(raw.submitted, raw.skipped, raw.expired) for raw in self.raw.values()]
        return [next(t for t in ends if t is not None) for ends in times if any(ends)]

    def _note(self, raw: Any) -> None:
        self.raw[raw.id] = raw
        if self._is_open(raw):
            self.open.add(raw.id)
            return
        self.open.discard(raw.id)
        if state(raw) in PAID:
            insort(self._paid, raw, key=lambda one: (one.submitted, one.id))

    def _is_news(self, raw: Any) -> bool:
        known = self.raw.get(raw.id)
        return known is None or state(known) != state(raw)

    def _is_open(self, raw: Any) -> bool:
        return state(raw) == "ACTIVE" or (self._review and state(raw) == "SUBMITTED")


def state(raw: Any) -> str:
    """An assignment's status as a word."""
    return str(getattr(raw.status, "value", raw.status))


def seconds_between(start: datetime, end: datetime) -> float:
    """Seconds from one time to another, to a whole millisecond."""
    return round((end - start).total_seconds(), 3)

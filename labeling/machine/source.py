"""A machine as a market: one annotator, one answer an image, paid by the call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from budget.files import locked, private_folder
from budget.money import ZERO, Money
from budget.tariff import Tariff
from budget.tariffs.calls import CallTariff
from labeling.machine.kept import LOST, KeptReplies, KeptReply
from labeling.machine.replies import Call, MachineModel, MachineReply
from labeling.source import Pool, checked_tasks
from labeling.types import Assignment, Condition, Floats, Order, OrderEnd, Page, Restriction

_PAGE = 200  # answers of a page
_TRIES = 3  # calls about one image


class MachineSource:
    """A machine that answers for money.

    Each call about an image is an assignment. A reply that cannot be used was paid: its annotator
    is a second one, who is banned. Answers to an image, once paid, cost nothing again.

    Args:
        model: the machine.
        hashes: content hash of each image, by row.
        folder: where replies are kept; unused for a recorded model.
        study: name of the study that pays: others get its answers for nothing.
    """

    def __init__(
        self, model: MachineModel, hashes: Sequence[str], folder: Path, study: str = ""
    ) -> None:
        self._model = model
        self._hashes = hashes
        self._study = study
        self._tariff = CallTariff(model.usual)
        path = folder / f"{model.version}.jsonl"
        self._lock = path.with_suffix(".lock")
        self._kept = None if model.is_recorded else KeptReplies(path, model.most)

    @property
    def tariff(self) -> Tariff:
        """By the call."""
        return self._tariff

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Not told: a machine's time is short beside people's."""
        return 0.0

    def place(self, order: Order) -> Pool:
        """Name the order; `collect` asks the machine."""
        checked_tasks(order, ())
        return Pool(f"machine-{order.key}", order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Ask about every image that has no usable reply yet; the replies, page by page.

        Other studies that ask the same model wait: a call under way would look lost to them.
        """
        with self._alone():
            yield from self._pages(pool)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._kept is None:
            yield
            return
        private_folder(self._lock.parent)
        with locked(self._lock):
            yield

    def _pages(self, pool: Pool) -> Iterator[Page]:
        made: list[Assignment] = []
        bans: dict[str, Restriction] = {}
        answered = 0
        for row, attempt, reply, paid in self._replies(pool.order):
            made.append(_assignment(row, attempt, reply, paid, self._model.version))
            answered += not reply.trouble
            if reply.trouble:
                bans.setdefault(
                    made[-1].annotator, Restriction(made[-1].annotator, 0.0, "unusable")
                )
            if len(made) == _PAGE:
                yield Page(tuple(made), tuple(bans.values()), None)
                made = []
        missing = len(pool.order.wanted) - answered
        end = OrderEnd("limit" if missing else "complete", 0.0, missing, 1, 1, 0)
        yield Page(tuple(made), tuple(bans.values()), end)

    def said(self, rows: Sequence[int], classes: int) -> Floats:
        """[n, C] probabilities of the classes of images; nan where none are owned.

        Args:
            rows: the images.
            classes: number of classes C.
        """
        told = np.full((len(rows), classes), np.nan)
        for at, row in enumerate(rows):
            reply = self._usable(int(row))
            if reply is not None:
                told[at] = reply.said
        return told

    def close(self) -> None:
        """Nothing is open."""

    def _key(self, row: int) -> str:
        text = f"{self._hashes[row]}/{self._model.version}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _usable(self, row: int) -> MachineReply | None:
        if self._kept is None:
            found = next(self._model.ask([Call(row, 0, self._key(row))]), None)
            return found[1] if found and not found[1].trouble else None
        replies = (each.reply for each in self._of(row))
        return next((reply for reply in replies if not reply.trouble), None)

    def _replies(self, order: Order) -> Iterator[tuple[int, int, MachineReply, Money]]:
        """Row, attempt, reply and payment of each call that the order stands for."""
        rows = [task for task, _ in order.wanted]
        if self._kept is None:
            calls = [Call(row, 0, self._key(row)) for row in rows]
            for call, reply in self._model.ask(calls):
                yield call.row, 0, reply, reply.cost
            return
        money = _OrderMoney(order, self._model.most)
        first, (size, largest) = 0, self._model.batches
        while first < len(rows):
            yield from self._batch(rows[first : first + size], order, money)
            first, size = first + size, min(2 * size, largest)

    def _batch(
        self, rows: Sequence[int], order: Order, money: _OrderMoney
    ) -> Iterator[tuple[int, int, MachineReply, Money]]:
        """The replies about some images: those that are kept, then those of new calls."""
        for _ in range(_TRIES):
            calls = self._due(rows, order, money)
            if not calls:
                break
            self._keep(calls, self._mine(order))
        self._due(rows, order, money)  # counts the last replies
        for row in rows:
            for attempt, each in enumerate(self._of(row)):
                if each.order == self._mine(order):
                    yield row, attempt, each.reply, each.reply.cost
                elif not each.reply.trouble:
                    yield row, attempt, each.reply, ZERO  # another order paid for it

    def _due(self, rows: Sequence[int], order: Order, money: _OrderMoney) -> list[Call]:
        """Calls about images without a usable reply, as many as the order still bears."""
        calls: list[Call] = []
        for row in rows:
            kept = self._of(row)
            mine = [each for each in kept if each.order == self._mine(order)]
            money.paid[row] = sum((each.reply.cost for each in mine), ZERO)
            money.worst = max([money.worst, *(each.reply.cost for each in mine)])
        money.count()
        for row in rows:
            kept = self._of(row)
            is_open = all(each.reply.trouble for each in kept)
            tried = sum(each.order == self._mine(order) and each.reply.cost > ZERO for each in kept)
            if is_open and tried < _TRIES and money.bears(len(calls) + 1):
                came = sum(each.reply.trouble != LOST for each in kept)
                calls.append(Call(row, len(kept), self._key(row), f"{self._key(row)}-{came}"))
        return calls

    def _mine(self, order: Order) -> str:
        return f"{self._study}/{order.key}"

    def _keep(self, calls: Sequence[Call], order: str) -> None:
        """Send calls; each is on disk before it is sent, and its reply before it counts."""
        assert self._kept is not None  # noqa: S101 - a recorded model makes no calls
        self._kept.send(calls, order)
        for call, reply in self._model.ask(calls):
            self._kept.keep(call, order, reply)

    def _of(self, row: int) -> list[KeptReply]:
        assert self._kept is not None  # noqa: S101 - a recorded model keeps nothing
        return self._kept.of(self._key(row))


class _OrderMoney:
    """The money of an order while calls are made: a reply may cost more than it can.

    Attributes:
        paid: money paid for each image, by row.
        worst: the dearest call so far; at least the most that one should cost.
    """

    def __init__(self, order: Order, most: Money) -> None:
        self._held = most * order.limit
        self.worst = most
        self.paid: dict[int, Money] = {}
        self._spent = ZERO

    def bears(self, calls: int) -> bool:
        """Whether a number of further calls can be paid, each as dear as the dearest so far."""
        return self._spent + self.worst * calls <= self._held

    def count(self) -> None:
        """Add up what was paid."""
        self._spent = sum(self.paid.values(), ZERO)


def _assignment(
    row: int, attempt: int, reply: MachineReply, paid: Money, version: str
) -> Assignment:
    label = int(np.argmax(reply.said)) if reply.said else 0
    who = f"{version}-unusable" if reply.trouble else version
    return Assignment(f"{row}-{attempt}", who, (row,), (label,), (False,), 0.0, 0.0, paid)

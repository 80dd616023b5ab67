"""A machine whose answers lie in a file: a seller that was asked before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from budget.money import ZERO, Money
from labeling.machine.replies import Call, MachineReply
from labeling.machine.tables import MachineTable


class FileModel:
    """A machine's recorded answers, sold at a price each.

    Args:
        table: the answers.
        rows: place in the table of each image that has an answer, by image row.
        price: of an answer, where the table has no costs.
    """

    is_recorded = True
    batches = (1, 1)
    spare = Fraction(0)

    def __init__(self, table: MachineTable, rows: Mapping[int, int], price: Money) -> None:
        self._table = table
        self._rows = rows
        self._price = price
        digest = hashlib.blake2b(digest_size=8)
        digest.update("\x1f".join(table.images).encode())
        digest.update(table.said.tobytes())
        self.version = f"file-{digest.hexdigest()}"

    @property
    def most(self) -> Money:
        """The dearest answer."""
        return max(self._table.cost, default=ZERO) if self._table.cost else self._price

    @property
    def usual(self) -> Money:
        """The mean price of an answer, rounded up."""
        costs = self._table.cost
        return sum(costs, ZERO).share(Fraction(1, len(costs))) if costs else self._price

    def ask(self, calls: Sequence[Call]) -> Iterator[tuple[Call, MachineReply]]:
        """The answers in the file; an image without one has no reply, and costs nothing."""
        for call in calls:
            at = self._rows.get(call.row)
            if at is not None:
                cost = self._table.cost[at] if self._table.cost else self._price
                yield call, MachineReply(tuple(self._table.said[at].tolist()), cost)

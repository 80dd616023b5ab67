"""The rows of an account, verified one after the other, with their running totals."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from budget.money import ZERO, Money

GENESIS = "0" * 64
"""What the first row follows."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Money reserved under a key."""

    key: str
    amount: Money


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger: kind is "cap", "reserve", "settle" or "void".

    Attributes:
        at: when it was written, in UTC; "" in rows of an older release. Nothing depends on it.
    """

    seq: int
    kind: str
    key: str
    amount: Money
    note: str
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Balance:
    """The ledger's sums at one moment; left + held + spent = cap.

    Attributes:
        cap: the most that may be spent.
        spent: settled money.
        held: open holds.
        overrun: whether a settlement was above its hold: the study must stop.
    """

    cap: Money
    spent: Money
    held: Money
    overrun: bool

    @property
    def left(self) -> Money:
        """Money left to hold; negative when settlements above their holds broke the cap."""
        return self.cap - self.spent - self.held


@dataclass(slots=True)
class Book:
    """The verified rows of an account, and their totals.

    Attributes:
        entries: the rows, oldest first.
        head: the hash of the last row.
        cap: the highest cap.
        reserved: the amount of each hold.
        resolved: the settlement or void of each hold that has one.
        spent: settled money.
        overrun: whether a settlement was above its hold.
    """

    entries: list[LedgerEntry] = field(default_factory=list)
    head: str = GENESIS
    cap: Money = ZERO
    reserved: dict[str, Money] = field(default_factory=dict)
    resolved: dict[str, LedgerEntry] = field(default_factory=dict)
    spent: Money = ZERO
    overrun: bool = False
    _open: dict[str, Money] = field(default_factory=dict)

    def open_holds(self) -> tuple[Hold, ...]:
        """Holds neither settled nor voided, oldest first."""
        return tuple(Hold(key, amount) for key, amount in self._open.items())

    def balance(self) -> Balance:
        """The totals."""
        held = sum(self._open.values(), ZERO)
        return Balance(self.cap, self.spent, held, self.overrun)

    def take(
        self,
        study: str,
        seq: int,
        kind: str,
        key: str,
        micros: int,
        note: str,
        prev: str,
        digest: str,
        at: str | None = None,
    ) -> str | None:
        """Verify a stored row and add it. Rows of an older release have no time.

        Returns:
            The fault of the row, or None.
        """
        if seq != len(self.entries) + 1 or prev != self.head or type(micros) is not int:
            return "it does not follow the one before"
        times = () if at is None else (at,)
        is_text = all(type(text) is str for text in (study, kind, key, note, *times))
        if not is_text or digest != digest_of(prev, study, seq, kind, key, micros, note, *times):
            return "its content does not match its hash"
        entry = LedgerEntry(seq, kind, key, Money(micros), note, at or "")
        if kind == "cap" and entry.amount > self.cap:
            self.cap = entry.amount
        elif kind == "reserve" and key not in self.reserved and self.cap > ZERO:
            self.reserved[key] = self._open[key] = entry.amount
        elif kind in ("settle", "void") and key in self._open:
            self.resolved[key] = entry
            self.spent += entry.amount
            self.overrun |= entry.amount > self._open.pop(key)
        else:
            return f"{kind} {key!r} is out of turn"
        self.entries.append(entry)
        self.head = digest
        return None


def digest_of(prev: str, *content: str | int) -> str:
    """The hash of a row that follows the row of another hash."""
    # A JSON list keeps the fields apart: joined texts of different fields could be equal.
    return hashlib.sha256(json.dumps([prev, *content]).encode()).hexdigest()

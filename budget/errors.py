"""What can be wrong with money and with what is written about it, each error with its numbers."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budget.money import Money


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line naming it and the remedy."""


class BudgetExceeded(Exception):  # noqa: N818 - the field's word for it
    """A hold was asked for that the cap cannot bear; nothing was written.

    Attributes:
        asked: the amount of the hold.
        left: what the cap leaves beside settled money and open holds.
    """

    def __init__(self, asked: Money, left: Money) -> None:
        super().__init__(f"{asked} asked, but only {left} of the budget is left")
        self.asked = asked
        self.left = left


class AlreadyResolved(Exception):  # noqa: N818
    """A key was used before for another amount, or its hold was resolved in another way.

    Attributes:
        key: the key of the hold.
        recorded: what the ledger holds under it, such as "settle $0.12".
        asked: what was asked now.
    """

    def __init__(self, key: str, recorded: str, asked: str) -> None:
        super().__init__(f"ledger key {key!r}: {asked} was asked, but {recorded} is recorded")
        self.key = key
        self.recorded = recorded
        self.asked = asked


class StorageError(Exception):
    """A file or database cannot be used as it is: full disk, no permission, locked, not reachable.

    Nothing of the failed step was kept; the same call works once the cause is gone.

    Attributes:
        path: the file, folder or database concerned, without credentials.
        problem: what is wrong.
        remedy: what the user can do about it.
    """

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")
        self.path = path
        self.problem = problem
        self.remedy = remedy


class LedgerCorrupt(StorageError):  # noqa: N818
    """What is stored cannot be what was written: nothing may be bought on it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem, "restore it from a backup or start a new study elsewhere")


def nearest(word: str, known: Sequence[str]) -> str:
    """A question after the closest valid name, or the list of valid names."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid are {', '.join(known)}"

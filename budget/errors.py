"""Everything that can go wrong by a cause outside the program, as one tree of errors.

    LabelworthError                 exit code
    ├── InputError                  2   something the user gave is wrong
    │   └── VersionMissing          2   no such label version here
    ├── StorageError                2   a file or database cannot be used as it is
    │   ├── VersionDamaged          2   a label version is not as it was saved
    │   └── LedgerCorrupt           6   what is stored cannot be what was written
    ├── AlreadyResolved             6   a hold was resolved before, in another way
    ├── BudgetExceeded              3   a hold above what the cap leaves
    ├── PlanRefused                 3   a plan outside the limits, or above the money left
    ├── NotConfirmed                4   real money was not confirmed
    ├── MarketError                 5   the market did not do what was asked
    │   ├── MarketUnreachable       5   no answer that can be read
    │   ├── MarketRefused           5   the market said no
    │   └── MarketContradiction     5   the market says two things that cannot both be true
    └── MirrorError                 7   a ClearML server does not hold what it should
        ├── MirrorUnavailable       7   the server does not answer now
        └── MirrorRefused           7   the server does not accept a request

A mistake in the program itself is none of these: it is a ValueError or TypeError, with a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class LabelworthError(Exception):
    """The root of the tree: its text is one line that names the cause and the remedy.

    Attributes:
        exit_code: of a command that ends with it.
    """

    exit_code: ClassVar[int] = 2

    @property
    def line(self) -> str:
        """What a command prints of it."""
        return str(self)


class InputError(LabelworthError, ValueError):
    """Something the user gave is wrong; the message is one line naming it and the remedy."""


class VersionMissing(InputError):  # noqa: N818
    """No label version of this id, or of this beginning of one, is where it was looked for."""


class StorageError(LabelworthError):
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


class VersionDamaged(StorageError):  # noqa: N818
    """A label version is not as it was saved."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem, "delete this folder; running the study saves it again")


class LedgerCorrupt(StorageError):  # noqa: N818
    """What is stored cannot be what was written: nothing may be bought on it."""

    exit_code = 6

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem, "restore it from a backup or start a new study elsewhere")

    @property
    def line(self) -> str:
        """What a command prints of it."""
        return f"ledger refused, nothing was bought: {self}"


class AlreadyResolved(LabelworthError):  # noqa: N818
    """A key was used before for another amount, or its hold was resolved in another way.

    Attributes:
        key: the key of the hold.
        recorded: what the ledger holds under it, such as "settle $0.12".
        asked: what was asked now.
    """

    exit_code = 6

    def __init__(self, key: str, recorded: str, asked: str) -> None:
        super().__init__(f"ledger key {key!r}: {asked} was asked, but {recorded} is recorded")
        self.key = key
        self.recorded = recorded
        self.asked = asked


class BudgetExceeded(LabelworthError):  # noqa: N818 - the field's word for it
    """A hold was asked for that the cap cannot bear; nothing was written.

    Attributes:
        asked: the amount of the hold, as text.
        left: what the cap leaves beside settled money and open holds, as text.
    """

    exit_code = 3

    def __init__(self, asked: str, left: str) -> None:
        super().__init__(f"{asked} asked, but only {left} of the budget is left")
        self.asked = asked
        self.left = left


class PlanRefused(LabelworthError):  # noqa: N818
    """A trial that cannot be: outside the study's limits, or the money left does not bear it."""

    exit_code = 3


class NotConfirmed(LabelworthError):  # noqa: N818
    """Another amount was typed than the one to be confirmed; nothing was bought."""

    exit_code = 4


class MarketError(LabelworthError):
    """The market did not do what was asked.

    Everything bought so far is kept. The same command goes on from there once the cause is gone.
    """

    exit_code = 5


class MarketUnreachable(MarketError):  # noqa: N818 - an adjective says it better
    """No answer that can be read, however often it was asked for."""


class MarketRefused(MarketError):  # noqa: N818
    """The market understood, and said no: nothing was done.

    Attributes:
        code: the platform's own word for it, such as "NOT_ENOUGH_BALANCE".
        status: the HTTP status.
    """

    def __init__(self, text: str, code: str, status: int) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


class MarketContradiction(MarketError):  # noqa: N818
    """The market says something that cannot be true beside what it said before, or what was asked.

    No user gave it, and nothing was stored of it.
    """


class MirrorError(LabelworthError):
    """A ClearML server does not hold what it should; the study itself is whole."""

    exit_code = 7


class MirrorUnavailable(MirrorError):  # noqa: N818
    """The server did not answer, or said that it cannot now. Asking again later may help."""


class MirrorRefused(MirrorError):  # noqa: N818
    """The server does not accept a request.

    Attributes:
        code: the HTTP status.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def nearest(word: str, known: Sequence[str]) -> str:
    """A question after the closest valid name, or the list of valid names."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid are {', '.join(known)}"

"""The tree of errors whose cause lies outside the program.

    LabelworthError                 exit code
    ├── InputError                  2   the user's input is wrong
    │   └── VersionMissing          2   the label version does not exist
    ├── StorageError                2   a file or database cannot be used as it is
    │   ├── VersionDamaged          2   a label version is not as it was saved
    │   ├── DatabaseLost            2   the connection to the database server broke
    │   └── LedgerCorrupt           6   the stored rows are not the rows that were written
    ├── NotBought                   6   stored answers do not lead to an order that was placed
    ├── AlreadyResolved             6   a hold was resolved before, in another way
    ├── BudgetExceeded              3   a hold exceeds the money left under the cap
    ├── PlanRefused                 3   a plan outside the limits, or above the money left
    ├── NotConfirmed                4   real money was not confirmed
    ├── MarketError                 5   a request to the market failed
    │   ├── MarketUnreachable       5   the market gave no readable answer
    │   ├── MarketRefused           5   the market refused the request
    │   └── MarketContradiction     5   the market's answers contradict each other
    └── MirrorError                 7   a ClearML server lacks a part of the study
        ├── MirrorUnavailable       7   the server does not answer now
        └── MirrorRefused           7   the server does not accept a request

A mistake in the program itself is a plain ValueError or TypeError, with a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class LabelworthError(Exception):
    """The root of the tree; the text is one line that names the cause and the remedy.

    Attributes:
        exit_code: exit code of a command that ends with this error.
    """

    exit_code: ClassVar[int] = 2

    @property
    def line(self) -> str:
        """The line that a command prints."""
        return str(self)


class InputError(LabelworthError, ValueError):
    """The user's input is wrong; the message is one line that names the input and the remedy."""


class VersionMissing(InputError):  # noqa: N818
    """The place searched holds no label version whose id is, or starts with, the given text."""


class StorageError(LabelworthError):
    """A file or database cannot be used as it is: full disk, no permission, locked, not reachable.

    The failed step left nothing behind; the same call works once the cause is gone.

    Attributes:
        path: the file, folder or database concerned, without credentials.
        problem: the cause.
        remedy: the user's next step.
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


class DatabaseLost(StorageError):  # noqa: N818
    """The database server is away, or ended a transaction, which may have been committed."""

    def __init__(self, path: str, problem: str) -> None:
        remedy = "what was bought is kept: the same command goes on once the server answers"
        super().__init__(path, problem, remedy)


class LedgerCorrupt(StorageError):  # noqa: N818
    """The stored rows are not the rows that were written: no purchase may rest on them."""

    exit_code = 6

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem, "restore it from a backup or start a new study elsewhere")

    @property
    def line(self) -> str:
        """The line that a command prints."""
        return f"ledger refused, nothing was bought: {self}"


class NotBought(LabelworthError):  # noqa: N818
    """A computation asked for an order that the study did not place, or not so."""

    exit_code = 6


class AlreadyResolved(LabelworthError):  # noqa: N818
    """A key was used before for another amount, or its hold was resolved in another way.

    Attributes:
        key: the key of the hold.
        recorded: the ledger's entry under the key, such as "settle $0.12".
        asked: the entry of this call.
    """

    exit_code = 6

    def __init__(self, key: str, recorded: str, asked: str) -> None:
        super().__init__(f"ledger key {key!r}: {asked} was asked, but {recorded} is recorded")
        self.key = key
        self.recorded = recorded
        self.asked = asked


class BudgetExceeded(LabelworthError):  # noqa: N818 - the field's word for it
    """A hold exceeds the money left under the cap; the ledger wrote nothing.

    Attributes:
        asked: the amount of the hold, as text.
        left: the cap less settled money and open holds, as text.
    """

    exit_code = 3

    def __init__(self, asked: str, left: str) -> None:
        super().__init__(f"{asked} asked, but only {left} of the budget is left")
        self.asked = asked
        self.left = left


class PlanRefused(LabelworthError):  # noqa: N818
    """A trial's plan lies outside the study's limits or costs more than the money left."""

    exit_code = 3


class NotConfirmed(LabelworthError):  # noqa: N818
    """The user typed another amount than the amount to confirm; nothing was bought."""

    exit_code = 4


class MarketError(LabelworthError):
    """A request to the market failed.

    The study keeps everything it has bought. The same command continues once the cause is gone.
    """

    exit_code = 5


class MarketUnreachable(MarketError):  # noqa: N818 - an adjective says it better
    """The market gave no readable answer, after all retries."""


class MarketRefused(MarketError):  # noqa: N818
    """The market read the request and refused it; the market changed nothing.

    Attributes:
        code: the platform's code of the refusal, such as "NOT_ENOUGH_BALANCE".
        status: the HTTP status.
    """

    def __init__(self, text: str, code: str, status: int) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


class MarketContradiction(MarketError):  # noqa: N818
    """An answer of the market contradicts an earlier answer or the request.

    The contradiction is no user's input, and the study stored nothing of the answer.
    """


class MirrorError(LabelworthError):
    """A ClearML server lacks a part of the study; the study itself is whole."""

    exit_code = 7


class MirrorUnavailable(MirrorError):  # noqa: N818
    """The server did not answer or is not ready. A later request may succeed."""


class MirrorRefused(MirrorError):  # noqa: N818
    """The server refused a request.

    Attributes:
        code: the HTTP status.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def nearest(word: str, names: Sequence[str]) -> str:
    """A question after the closest valid name, or the list of valid names."""
    import difflib

    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid are {', '.join(names)}"

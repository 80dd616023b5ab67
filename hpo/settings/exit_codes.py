"""Exit codes of the command line, and the line that goes with each error.

An error's own code stands at its class, in `budget.errors`. This module imports nothing, so that
the command line can say so where another package named `budget` is in the way.
"""

from __future__ import annotations

DONE = 0  # also when the budget is used up
BAD_INPUT = 2
NOTHING_AFFORDABLE = 3
NOT_CONFIRMED = 4
MARKET_TROUBLE = 5
LEDGER_REFUSED = 6
MIRROR_INCOMPLETE = 7
GOAL_MISSED = 8  # --target or --max-cost
_SHOWN = 80  # characters of a name that is too long
OUTPUT_UNREAD = 141  # as of a program that SIGPIPE ends


def explain(error: Exception) -> tuple[int, str]:
    """The exit code and the one line for an error that a user can mend; others are raised."""
    from budget.errors import LabelworthError

    if isinstance(error, LabelworthError):
        return error.exit_code, error.line
    cause: BaseException | None = error
    while cause is not None:
        if line := _storage_line(cause):
            return BAD_INPUT, line
        cause = cause.__cause__ or cause.__context__
    raise error


def _storage_line(cause: BaseException) -> str | None:
    """The line for a file or database that cannot be used, wherever it was noticed."""
    import errno
    import sqlite3

    kept = "what was bought is kept: make room or mend it, and run the same command"
    if (isinstance(cause, OSError) and cause.errno == errno.ENOSPC) or "disk is full" in str(cause):
        return f"the disk is full; {kept}"
    if isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EROFS):
        return f"{cause.filename}: cannot be written: {cause.strerror}"
    if isinstance(cause, OSError) and cause.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        return f"{str(cause.filename)[:_SHOWN]}...: {cause.strerror}; name another file or folder"
    if isinstance(cause, sqlite3.Error):
        return f"the study's search database cannot be used ({cause}); {kept}"
    return None

"""Calls that may be made again after the connection to a database server broke."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from budget.errors import DatabaseLost

_WAIT_S, _LOOK_S = 60.0, 0.2  # a server restarts in seconds
P = ParamSpec("P")
R = TypeVar("R")


def patient(work: Callable[[], R]) -> R:
    """Do some work, and again for a minute as long as the database server is away.

    The work must be idempotent: the server may have committed it before the connection broke.

    Raises:
        DatabaseLost: the server does not come back.
    """
    end = time.monotonic() + _WAIT_S
    while True:
        try:
            return work()
        except DatabaseLost:
            if time.monotonic() >= end:
                raise
            time.sleep(_LOOK_S)


def idempotent(call: Callable[P, R]) -> Callable[P, R]:
    """Make a function or method `patient`: once more, it changes nothing and returns the same."""

    @wraps(call)
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        return patient(lambda: call(*args, **kwargs))

    return again

"""What can go wrong with a market, each as one line that says what to do."""

from __future__ import annotations


class MarketError(Exception):
    """The market did not do what was asked.

    Everything bought so far is kept. The same command goes on from there once the cause is gone.
    """


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

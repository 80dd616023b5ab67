"""The platform's time: whole milliseconds since its start, written as ISO dates in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

# In the past: clients that ask for submissions before their own time miss none.
START = datetime(2022, 1, 3, 9, tzinfo=UTC)
DAY = 24 * 3600 * 1000
_LAST = (datetime.max.replace(tzinfo=UTC) - START) // timedelta(milliseconds=1)


def to_iso(ms: int) -> str:
    """A time in the platform's form: "2022-01-03T09:00:00.250"; at most the end of 9999."""
    return (START + timedelta(milliseconds=min(ms, _LAST))).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def date(ms: int) -> str:
    """A time in the form of the HTTP header Date."""
    return format_datetime(START + timedelta(milliseconds=min(ms, _LAST)), usegmt=True)


def from_iso(text: str) -> int:
    """A time in a client's form, with or without fractions of a second and zone.

    Raises:
        ValueError: the text is no ISO date.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment - START) / timedelta(milliseconds=1))

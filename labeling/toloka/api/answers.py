"""Answers of the platform that are errors: their meaning, whatever their body holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

MOST_WAIT_S = 600.0
"""Longest wait that the platform may ask for, in seconds."""

_MINUTE = 60.0
_MOST_TEXT = 300  # characters of the platform's own words in a message
_SECONDS = re.compile(r"[0-9]+")


def check_answer(response: Any, secret: str) -> None:
    """Raise an answer's error as toloka-kit's exception, with its status.

    toloka-kit reads only errors that are JSON objects with a code. For others, such as a list or a
    page of HTML, it raises exceptions that have lost the status.

    Args:
        response: the answer.
        secret: the token, which no message may repeat.

    Raises:
        ApiError: the answer is an error.
    """
    from toloka.client.exceptions import ApiError, raise_on_api_error

    try:
        raise_on_api_error(response)
        return
    except ApiError as error:
        told = error
    except Exception:  # any failure of reading means the same: an error without a code
        told = ApiError(message=_words(response))
        told.status_code, told.response = response.status_code, response
    told.message = one_line(told.message).replace(secret, "***")
    raise told from None


def one_line(value: Any) -> str:
    """Text of the platform on one line, cut where it is long."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."


def _words(response: Any) -> Any:
    """What the body of an error says; nothing if it is no JSON, such as a gateway's page."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    if isinstance(body, dict):
        return next((body[name] for name in ("message", "code") if body.get(name)), body)
    return body


def wait_asked(response: Any, payload: Any, now: Callable[[], datetime]) -> float:
    """Seconds to wait before the next request, as the platform asks; 0 if it does not ask.

    Args:
        response: the answer; None if none came.
        payload: the payload of the answer's error.
        now: the time in UTC; asked only if the platform names a date.
    """
    after = str(response.headers.get("Retry-After", "")).strip() if response is not None else ""
    if _SECONDS.fullmatch(after):
        return min(float(after), MOST_WAIT_S)
    if after and (date := _date(after)) is not None:
        return min(max((date - now()).total_seconds(), 0.0), MOST_WAIT_S)
    return _MINUTE if isinstance(payload, dict) and payload.get("interval") == "MIN" else 0.0


def _date(text: str) -> datetime | None:
    """A date of an HTTP header."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date

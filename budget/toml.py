"""TOML and JSON as users write them: whatever is wrong with them is one line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from budget.errors import InputError

_MOST = 10**6
_WANTED = {
    "str": "a text that can be printed",
    "int": f"a whole number of at least 1, and at most {_MOST:,}",
    "Decimal": f"a number from 0 to {_MOST:,}",
}


def parse_toml(text: str, name: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """The content of a TOML text.

    Args:
        text: the text.
        name: its name in the error message.
        parse_float: reads the numbers that are not whole.

    Raises:
        InputError: it is not TOML, is nested too deeply, or holds a number of thousands of digits.
    """
    try:
        return tomllib.loads(text, parse_float=parse_float)
    except RecursionError:
        raise InputError(f"{name}: not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # Python's own limit for the digits of a number is one, too
        line = str(error).partition(";")[0]
        raise InputError(f"{name}: not valid TOML: {line}") from None


def parse_json(text: str | bytes) -> Any:
    """The content of a JSON text.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def checked_value(origin: str, value: Any, kind: str) -> Any:
    """A value, where it is of its kind.

    Args:
        origin: file and key, for the message.
        value: as `parse_toml` gives it with `Decimal`; numbers that are not whole are `Decimal`.
        kind: "str", "int" (of at least 1) or "Decimal" (of at least 0).

    Raises:
        InputError: it is of another kind.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == "str" and isinstance(value, str) and value.isprintable():
        return value
    if kind == "int" and whole and 1 <= value <= _MOST:
        return value
    is_finite = whole or (isinstance(value, Decimal) and value.is_finite())
    if kind == "Decimal" and is_finite and 0 <= value <= _MOST:
        return Decimal(value)
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}..."
    raise InputError(f"{origin}: {shown} is not {_WANTED[kind]}")

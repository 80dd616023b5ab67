"""TOML as users write it: whatever is wrong with it is one line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

from budget.errors import InputError


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

"""Spellings of names: which are the same name, and which look like slips of one another."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

MISSING = ("", "nan", "null", "none", "na", "n/a", "<na>")
"""Cells, in lower case, by which programs write that there is no value."""
_WHOLE = re.compile(r"([+-]?)0*(\d+)(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LOST = re.compile(r"[+-]?\d([.,]\d+)?[eE]\+\d+")  # not 1e5, a name in hexadecimals
_GUARDED = ("=", "+", "-", "@", "\t", "\r", "'")


def plain_name(text: str) -> str:
    """A name without spaces at its ends, in one Unicode form (NFC)."""
    return unicodedata.normalize("NFC", text.strip())


def guarded(text: str) -> str:
    """A text that a spreadsheet reads as a text, not as a formula: an apostrophe goes first."""
    return f"'{text}" if text.startswith(_GUARDED) else text


def unguarded(text: str) -> str:
    """The text before `guarded`; a text that was not guarded stays as it is."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_GUARDED) else text


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.strip().lower() in MISSING


def whole_number(name: str) -> str | None:
    """A whole number in its plain form: 3, 3.0 and 03 are "3". None for anything else."""
    match = _WHOLE.fullmatch(name)
    if match is None:
        return None
    sign, digits = match.groups()
    return f"-{digits}" if sign == "-" and digits != "0" else digits


def is_number(name: str) -> bool:
    """Whether a name is a number."""
    return _NUMBER.fullmatch(name) is not None


def lost_digits(name: str) -> bool:
    """Whether a name is a number in scientific notation: a spreadsheet rounded it."""
    return _LOST.fullmatch(name.strip()) is not None


def look_alikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of names that differ by case, spaces or Unicode form only."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        groups["".join(folded.split())].append(name)
    return [tuple(sorted(group)) for group in groups.values() if len(group) > 1]

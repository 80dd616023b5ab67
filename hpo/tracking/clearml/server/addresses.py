"""Addresses of a ClearML server's pages, for people: without passwords."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import md5
from urllib.parse import quote

_SHOWN = ("selected", "type", "name", "tags", "status")
"""Columns that the page of a project shows of itself."""


def without_credentials(address: str) -> str:
    """An address without user and password."""
    return re.sub(r"//[^/@]*@", "//", address)


def plots_page(table: str, task: str) -> str:
    """The plots of a task of a project's table."""
    return f"{table}/{task}/output/metrics/plots"


def sorted_table(table: str, columns: Sequence[tuple[str, str]]) -> str:
    """A project's trials with columns of numbers, sorted by the first.

    Args:
        table: the page of the project's tasks.
        columns: metric and variant of each number; the highest of the first stands on top.
    """
    hashes = [".".join(map(_hashed, column)) for column in columns]
    numbers = [
        f"m.{both}.value.{quote(metric)}.{quote(variant)}"
        for both, (metric, variant) in zip(hashes, columns, strict=True)
    ]
    shown = "&".join(f"columns={name}" for name in (*_SHOWN, *numbers))
    return f"{table}?{shown}&order=-last_metrics.{hashes[0]}.value&filter=type:training"


def _hashed(name: str) -> str:
    """The key under which the server holds a metric's newest value."""
    return md5(name.encode(), usedforsecurity=False).hexdigest()

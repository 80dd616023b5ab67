"""A study's answer on disk. It is there exactly while the study is finished, and read at once.

Nothing heavy is imported here: to print a stored answer takes no data, no models and no database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.files import write_whole

SCHEMA = 3
"""The version of the report's format."""
REPORT = "report.json"
PAGE = "report.html"
"""The answer as a page, made from the report."""
STORE = "labelworth.sqlite"
"""Ledger, orders and answers."""
SEARCH = "optuna.sqlite"
"""The trials, in Optuna's storage."""


def to_json(report: Mapping[str, Any]) -> str:
    """The report's bytes: the same for the same report."""
    return json.dumps(report, indent=1, sort_keys=False, ensure_ascii=False) + "\n"


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Store the answer of a finished study."""
    write_whole(folder / REPORT, to_json(report).encode())


def forget_report(folder: Path) -> None:
    """Take the stored answer away, before the study learns something that it does not tell."""
    for name in (REPORT, PAGE):
        (folder / name).unlink(missing_ok=True)


def read_report(folder: Path) -> dict[str, Any] | None:
    """The answer of a finished study, as it was written; None where there is none.

    Raises:
        InputError: its report.json is damaged.
    """
    path = folder / REPORT
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        return report
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: damaged or unreadable ({error}); the study's command writes it again"
        ) from None


def printable_report(folder: Path) -> dict[str, Any] | None:
    """The stored answer where it can be printed as it is; None where it is to be made anew.

    That is so for a study that is not finished, a damaged file, and another program's format.
    """
    try:
        report = read_report(folder) if (folder / "study.json").exists() else None
    except InputError:
        return None
    return report if isinstance(report, dict) and report.get("schema") == SCHEMA else None

"""A study's answer on disk. It is there exactly while the study is finished, and read at once.

Nothing heavy is imported here: to print a stored answer takes no data, no models and no database.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.files import write_whole
from budget.sqlite_file import reading_alone
from budget.toml import parse_json

SCHEMA = 3
"""The version of the report's format."""
DIGEST = "answer digest"
"""Attribute of the trials' study: the hash of the report that was written last."""
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
        InputError: its report.json is damaged, or another program changed it.
    """
    told = _told_digest(folder / SEARCH)
    try:
        is_other = told is not None and digest((folder / REPORT).read_bytes()) != told
    except OSError:
        is_other = False
    if is_other:
        raise InputError(
            f"{folder / REPORT}: not the answer that the study wrote; its command writes it again"
        )
    return report_as_it_is(folder)


def report_as_it_is(folder: Path) -> dict[str, Any] | None:
    """The report on disk, whoever wrote it, for those who compare it; None where there is none.

    Raises:
        InputError: it is damaged.
    """
    try:
        return read_object(folder / REPORT, "the study's command writes it again")
    except FileNotFoundError:
        return None


def read_object(path: Path, remedy: str = "") -> dict[str, Any]:
    """A JSON object that this program wrote.

    Args:
        path: of its file.
        remedy: for the error, where there is one.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it cannot be read, or holds no JSON object.
    """
    remedy = f"; {remedy}" if remedy else ""
    try:
        read = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or unreadable ({error}){remedy}") from None
    if not isinstance(read, dict):
        raise InputError(f"{path}: damaged: it holds no JSON object{remedy}")
    return read


def digest(content: bytes) -> str:
    """The hash by which the trials' database knows the report: an edited one is not printed."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def attribute_of(trials: sqlite3.Connection, key: str) -> Any:
    """An attribute of the study in the trials' database; None where there is none.

    Raises:
        sqlite3.Error: the database is damaged.
        ValueError: the attribute is.
    """
    query = "SELECT value_json FROM study_user_attributes WHERE key = ?"
    row = trials.execute(query, (key,)).fetchone()
    return None if row is None else parse_json(row[0])


def _told_digest(search: Path) -> str | None:
    """The report's hash by the trials' database; None where it tells none."""
    if not search.exists():
        return None
    try:
        with closing(sqlite3.connect(reading_alone(search), uri=True)) as trials:
            told = attribute_of(trials, DIGEST)
    except (sqlite3.Error, ValueError):  # who verifies the database says so
        return None
    return told if isinstance(told, str) else None


def printable_report(folder: Path) -> dict[str, Any] | None:
    """The stored answer where it can be printed as it is; None where it is to be made anew.

    That is so for a study that is not finished, a damaged or edited file, and another format.
    """
    try:
        report = read_report(folder) if (folder / "study.json").exists() else None
    except InputError:
        return None
    return report if isinstance(report, dict) and report.get("schema") == SCHEMA else None

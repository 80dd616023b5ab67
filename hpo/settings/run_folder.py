"""A study's folder: its configuration, and files that are written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from budget.database import open_database
from budget.errors import InputError
from budget.files import write_whole
from budget.ledger import Balance, Ledger, accounts_of
from budget.money import Money
from hpo.settings.config import StudyConfig, check_unchanged, make_config, to_plain


def claim(folder: Path, config: StudyConfig) -> None:
    """Make the study's folder, or check that it belongs to this configuration."""
    path = folder / "study.json"
    try:
        if not path.exists() and (folder / "labelworth.sqlite").exists():
            raise InputError(
                f"{path}: missing, but the folder holds a study; bring it back, "
                "or start another study with --study NAME"
            )
        if path.exists():
            check_unchanged(read_config(folder), config)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps(to_plain(config), indent=1) + "\n"
        if not path.exists() or path.read_text() != text:
            write_whole(path, text.encode())
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error


def read_config(folder: Path) -> StudyConfig:
    """The configuration that a study's folder was started with.

    Raises:
        InputError: there is no study in the folder, or its study.json is damaged.
    """
    path = folder / "study.json"
    try:
        raw: Mapping[str, object] = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{folder}: no study here (study.json is missing)") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or unreadable: {error}") from None
    return make_config(raw)


def read_report(folder: Path) -> dict[str, Any] | None:
    """The answer of a study as it was written last; None where there is none yet.

    Raises:
        InputError: its report.json is damaged.
    """
    path = folder / "report.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        return report
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: damaged or unreadable ({error}); the study's command writes it again"
        ) from None


def to_json(report: Mapping[str, Any]) -> str:
    """The report's bytes: the same for the same report."""
    return json.dumps(report, indent=1, sort_keys=False, ensure_ascii=False) + "\n"


def money_to_plain(amount: Money) -> dict[str, Any]:
    """An amount as text in dollars and as whole micro-dollars."""
    return {"usd": amount.exact(), "micros": amount.micros}


def balance_in(folder: Path) -> Balance | None:
    """What a study's ledger amounts to; None where there is no study yet."""
    if not (folder / "labelworth.sqlite").exists():
        return None
    engine = open_database(folder / "labelworth.sqlite")
    try:
        # A study that was killed in its first moments has a database, and no account in it yet.
        known = folder.name in accounts_of(engine, folder.name)
        return Ledger.open(engine, folder.name).balance() if known else None
    finally:
        engine.dispose()

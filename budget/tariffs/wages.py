"""Wages of single annotators, from a TOML file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from budget.errors import InputError
from budget.money import Money
from budget.toml import parse_toml


def read_wages(path: Path) -> tuple[tuple[str, Money], ...]:
    """(annotator, wage per hour), by the table [wages] of a file.

    Raises:
        InputError: the file cannot be read, or a wage is no amount of dollars.
    """
    try:
        raw = parse_toml(path.read_text(encoding="utf-8"), str(path), Decimal)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--wages: {path}: cannot be read: {error}") from None
    table = raw.get("wages")
    if not isinstance(table, dict) or set(raw) != {"wages"}:
        raise InputError(
            f'--wages: {path}: one table [wages] is expected, with lines such as "ann@x.org" = 21'
        )
    wages = {name: Money.parse(str(wage), f"{path}: {name}") for name, wage in table.items()}
    if bad := [name for name, wage in wages.items() if wage.micros <= 0]:
        raise InputError(f"--wages: {path}: {bad[0]}: a wage is above $0")
    return tuple(sorted(wages.items()))

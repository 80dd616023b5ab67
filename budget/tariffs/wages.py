"""Wages of single annotators, and groups of annotators, from a TOML file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.files import regular
from budget.money import Money
from budget.tariffs.staff import Group
from budget.toml import parse_toml

EVERYBODY = "all"
"""Names the people together, so no group may have this name."""

_GROUP = re.compile(r"[a-z][a-z0-9_]{0,19}")


@dataclass(frozen=True, slots=True)
class Payroll:
    """What a file says of own annotators.

    Attributes:
        wages: (annotator, wage per hour) of those with a wage of their own.
        groups: in the order of their names.
    """

    wages: tuple[tuple[str, Money], ...] = ()
    groups: tuple[Group, ...] = ()


def read_wages(path: Path) -> Payroll:
    """The wages by the table [wages] of a file, and the groups by its table [groups].

    Raises:
        InputError: the file cannot be read, a wage is no amount of dollars, or a group is wrong.
    """
    try:
        raw = parse_toml(regular(path).read_text(encoding="utf-8"), str(path), Decimal)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--wages: {path}: cannot be read: {error}") from None
    tables = {name: raw.get(name, {}) for name in ("wages", "groups")}
    if not raw or set(raw) - set(tables) or not all(isinstance(t, dict) for t in tables.values()):
        raise InputError(
            f'--wages: {path}: a table [wages] with lines such as "ann@x.org" = 21, a table '
            '[groups] with lines such as seniors = ["ann@x.org"], or both are expected'
        )
    named = tables["wages"].items()
    wages = {name: Money.parse(str(wage), f"{path}: {name}") for name, wage in named}
    if bad := [name for name, wage in wages.items() if wage.micros <= 0]:
        raise InputError(f"--wages: {path}: {bad[0]}: a wage is above $0")
    return Payroll(tuple(sorted(wages.items())), _groups(tables["groups"], path))


def _groups(table: Mapping[str, Any], path: Path) -> tuple[Group, ...]:
    groups = []
    for name, members in sorted(table.items()):
        where = f"--wages: {path}: group {name}"
        if not _GROUP.fullmatch(name) or name == EVERYBODY:
            raise InputError(
                f"{where}: a group's name is up to 20 small letters, digits and _, such as "
                f"seniors; {EVERYBODY} means everybody"
            )
        if not isinstance(members, list) or not all(isinstance(one, str) for one in members):
            raise InputError(f'{where}: a list of annotators is expected, such as ["ann@x.org"]')
        if not members or len(set(members)) < len(members):
            raise InputError(f"{where}: {'somebody is in it twice' if members else 'it is empty'}")
        groups.append(Group(name, tuple(sorted(members))))
    return tuple(groups)

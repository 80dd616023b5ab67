"""Money lines add up as printed: what is spent, held and left is the cap."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from budget.money import ZERO, Money
from hpo.cli.commands.studies.status import show_status
from hpo.cli.progress import describe
from hpo.study.study import Progress


def amounts(line: str) -> dict[str, Money]:
    return {name: Money.parse(text) for name, text in re.findall(r"(\w+) \$([0-9.]+)", line)}


@pytest.mark.parametrize("spent", [12_345_678, 12_340_000, 1, 0, 20_000_000])
def test_the_live_line_adds_up_to_the_cap(spent: int) -> None:
    money = Money(spent), ZERO, Money(20_000_000 - spent)
    shown = amounts(describe(Progress("buying", 1, None, *money)))
    assert shown["spent"] + shown["held"] + shown["left"] == Money(20_000_000)
    assert shown["spent"].cents() == Money(spent).cents()


def test_the_status_adds_up_to_the_cap(small_study, capsys: pytest.CaptureFixture[str]) -> None:
    study = small_study(study="s", trials=1, price="0.00123")
    study.run()
    money = study.world.ledger.balance()
    assert money.spent.micros % 10_000  # else nothing is rounded
    show_status(Path(study.folder), as_json=False)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("cap"))
    shown = amounts(line)
    assert shown["spent"] + shown["held"] + shown["left"] == shown["cap"] == money.cap

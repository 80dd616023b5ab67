"""When a market that gives nothing is asked no more: the same before a kill and after it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from budget.money import ZERO
from hpo.study.delivery.delivery import _is_vain
from labeling.store.records import OrderRecord

ENDED, STOPPED = SimpleNamespace(reason="deadline"), SimpleNamespace(reason="stopped")


def record(key: str, usable_answers: int, end: Any) -> OrderRecord:
    """A tranche's order, for which nothing was paid."""
    order: Any = SimpleNamespace(key=key)
    return OrderRecord(order, 1, end, 0, 0, ZERO, ZERO, ZERO, 0.0, usable_answers, usable_answers)


def world_of(tranches: list[tuple[int, Any]], entries: list[tuple[str, str]]) -> Any:
    """A world with (usable answers, end) of each tranche and (kind, key) of each ledger entry."""
    records = [record(str(number), *tranche) for number, tranche in enumerate(tranches)]
    rows = [SimpleNamespace(kind=k, key=key, seq=seq) for seq, (k, key) in enumerate(entries)]
    store = SimpleNamespace(orders=lambda condition: records)
    return SimpleNamespace(store=store, ledger=SimpleNamespace(entries=lambda: rows))


CAP = ("cap", "cap-1")
BOTH = [CAP, ("reserve", "0"), ("settle", "0"), ("reserve", "1"), ("settle", "1")]


@pytest.mark.parametrize(
    ("tranches", "entries", "is_vain"),
    [
        ([(0, ENDED), (0, ENDED)], BOTH, True),
        ([(0, ENDED), (1, ENDED)], BOTH, False),
        ([(0, ENDED)], BOTH[:3], False),
        ([(0, ENDED), (0, None)], BOTH[:4], False),  # a killed process had it at work
        ([(0, ENDED), (0, STOPPED)], BOTH, False),
        ([(0, ENDED), (0, ENDED)], [*BOTH, ("cap", "cap-6")], False),  # worth a try
        ([(0, ENDED), (0, ENDED)], [*BOTH[:3], ("cap", "cap-4"), *BOTH[3:]], False),
        ([(0, ENDED), (0, ENDED)], [CAP, ("cap", "cap-2"), *BOTH[1:]], True),
    ],
)
def test_two_tranches_without_an_answer_end_the_purchase(
    tranches: list[tuple[int, Any]], entries: list[tuple[str, str]], is_vain: bool
) -> None:
    condition: Any = None
    assert _is_vain(condition, world_of(tranches, entries)) is is_vain

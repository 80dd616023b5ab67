"""A ledger under any sequence of calls, reopenings included, agrees with a plain model."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from budget.database import open_database
from budget.errors import AlreadyResolved, BudgetExceeded, InputError
from budget.ledger import Hold, Ledger
from budget.money import ZERO, Money
from tests.drawn import examples

keys = st.sampled_from(["a", "b", "c", "d", "e"])
amounts = st.integers(0, 12).map(Money)


class LedgerMachine(RuleBasedStateMachine):
    """Model: reserved amounts, and resolutions, by key."""

    def __init__(self, place: str | Path, study: str) -> None:
        super().__init__()
        self.place, self.study = place, study
        self.cap = Money(20)
        self.reserved: dict[str, Money] = {}
        self.resolved: dict[str, tuple[str, Money]] = {}
        self.engine = open_database(self.place)
        self.ledger = Ledger.open(self.engine, self.study, self.cap)

    def teardown(self) -> None:
        self.engine.dispose()

    def spent(self) -> Money:
        return sum((paid for _, paid in self.resolved.values()), ZERO)

    def held(self) -> Money:
        return sum((a for key, a in self.reserved.items() if key not in self.resolved), ZERO)

    @rule(key=keys, amount=amounts)
    def reserve(self, key: str, amount: Money) -> None:
        left = self.cap - self.spent() - self.held()
        known = self.reserved.get(key)
        if known is not None and (known != amount or self.resolved.get(key, ("",))[0] == "void"):
            with pytest.raises(AlreadyResolved):
                self.ledger.reserve(key, amount)
        elif known is None and amount > left:
            with pytest.raises(BudgetExceeded) as error:
                self.ledger.reserve(key, amount)
            assert (error.value.asked, error.value.left) == (str(amount), str(left))
        else:
            assert self.ledger.reserve(key, amount) == Hold(key, amount)
            self.reserved[key] = amount

    @rule(key=keys, paid=amounts)
    def settle(self, key: str, paid: Money) -> None:
        self.resolve(key, "settle", paid)

    @rule(key=keys)
    def void(self, key: str) -> None:
        self.resolve(key, "void", ZERO)

    def resolve(self, key: str, kind: str, paid: Money) -> None:
        hold = Hold(key, self.reserved.get(key, Money(1)))

        def act() -> None:
            if kind == "settle":
                self.ledger.settle(hold, paid)
            else:
                self.ledger.void(hold)

        if key not in self.reserved:
            with pytest.raises(InputError):
                act()
        elif self.resolved.get(key, (kind, paid)) != (kind, paid):
            with pytest.raises(AlreadyResolved):
                act()
        else:
            act()
            self.resolved[key] = (kind, paid)

    @rule(more=st.integers(0, 5).map(Money))
    def reopen(self, more: Money) -> None:
        before = self.ledger.balance(), self.ledger.open_holds()
        self.engine.dispose()
        self.engine = open_database(self.place)
        self.ledger = Ledger.open(self.engine, self.study, self.cap)
        assert (self.ledger.balance(), self.ledger.open_holds()) == before
        self.cap = self.cap + more
        self.ledger = Ledger.open(self.engine, self.study, self.cap)

    @invariant()
    def agrees(self) -> None:
        balance = self.ledger.balance()
        assert (balance.cap, balance.spent, balance.held) == (self.cap, self.spent(), self.held())
        assert balance.left + balance.held + balance.spent == self.cap
        overrun = any(paid > self.reserved[key] for key, (_, paid) in self.resolved.items())
        assert balance.overrun == overrun
        assert overrun or balance.left >= ZERO  # only a payment above its hold can break the cap


@pytest.mark.drawn
def test_a_ledger_agrees_with_its_model(database: str | Path) -> None:
    numbers = itertools.count()
    most = 25 if isinstance(database, Path) else 5  # a call takes longer on a server
    run_state_machine_as_test(
        lambda: LedgerMachine(database, f"study-{next(numbers)}"),
        settings=settings(
            deadline=None, max_examples=examples(most), stateful_step_count=30, derandomize=True
        ),
    )

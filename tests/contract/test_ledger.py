"""What a ledger owes its study: no amount beyond the cap, each key once, nothing forgotten."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from budget.database import open_database
from budget.errors import AlreadyResolved, BudgetExceeded, InputError
from budget.ledger import Balance, Hold, Ledger
from budget.money import ZERO, Money

CAP = Money.parse("20")
ONE = Money.parse("1")


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger.open(engine, "study", CAP)


def spawn(work: Callable[[], None]) -> int:
    """Start a child process that does the work; exit status 0 if it went well."""
    child = os.fork()
    if child == 0:
        status = 9
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- refusals ------------------------------------------------------------------------------------


def test_a_hold_beyond_the_cap_is_refused_with_its_numbers(ledger: Ledger) -> None:
    ledger.reserve("a", ONE * 15)
    with pytest.raises(BudgetExceeded) as error:
        ledger.reserve("b", ONE * 6)
    assert (error.value.asked, error.value.left) == (str(ONE * 6), str(ONE * 5))
    assert "$6.00" in str(error.value)
    assert "$5.00" in str(error.value)
    assert [entry.key for entry in ledger.entries()] == ["cap-1", "a"]
    ledger.reserve("b", ONE * 5)
    assert ledger.balance().left == ZERO
    with pytest.raises(BudgetExceeded):
        ledger.reserve("c", Money(1))


def test_a_key_stands_for_one_amount(ledger: Ledger) -> None:
    ledger.reserve("a", ONE)
    with pytest.raises(AlreadyResolved, match=r"'a'.*\$2.00.*\$1.00"):
        ledger.reserve("a", ONE * 2)


def test_a_hold_is_resolved_in_one_way(ledger: Ledger) -> None:
    settled, voided = ledger.reserve("settled", ONE), ledger.reserve("voided", ONE)
    ledger.settle(settled, Money(7))
    ledger.void(voided)
    for again in (
        lambda: ledger.settle(settled, Money(8)),
        lambda: ledger.void(settled),
        lambda: ledger.settle(voided, ZERO),
        lambda: ledger.reserve("voided", ONE),
    ):
        with pytest.raises(AlreadyResolved):
            again()
    assert ledger.balance() == Balance(CAP, Money(7), ZERO, False)


def test_a_hold_of_another_ledger_is_refused(ledger: Ledger, engine: Engine) -> None:
    other = Ledger.open(engine, "other", CAP)
    hold = other.reserve("a", ONE)
    with pytest.raises(InputError, match=r"'a' .* is not in this ledger"):
        ledger.settle(hold, ONE)
    with pytest.raises(InputError, match="not in this ledger"):
        other.void(Hold("a", ONE * 2))


def test_negative_amounts_are_refused(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="negative"):
        ledger.reserve("a", Money(-1))
    with pytest.raises(InputError, match="negative"):
        ledger.settle(ledger.reserve("b", ONE), Money(-1))


@pytest.mark.parametrize("cap", [ZERO, Money(-1)])
def test_a_cap_that_buys_nothing_is_refused(engine: Engine, cap: Money) -> None:
    with pytest.raises(InputError, match="positive"):
        Ledger.open(engine, "study", cap)


def test_a_cap_can_be_raised_by_a_row_and_never_lowered(engine: Engine, ledger: Ledger) -> None:
    with pytest.raises(InputError, match=r"\$19.00 is below the \$20.00"):
        Ledger.open(engine, "study", ONE * 19)
    ledger.reserve("a", CAP)
    raised = Ledger.open(engine, "study", ONE * 25)
    raised.reserve("b", ONE * 5)
    assert [(e.kind, e.amount) for e in raised.entries()] == [
        ("cap", CAP),
        ("reserve", CAP),
        ("cap", ONE * 25),
        ("reserve", ONE * 5),
    ]
    assert Ledger.open(engine, "study", ONE * 25).entries() == raised.entries()


def test_a_ledger_can_be_looked_at_without_naming_its_cap(engine: Engine, ledger: Ledger) -> None:
    assert Ledger.open(engine, "study").balance().cap == CAP
    with pytest.raises(InputError, match="'nobody'"):
        Ledger.open(engine, "nobody")


# --- what it keeps -------------------------------------------------------------------------------


def test_left_held_and_spent_make_up_the_cap(ledger: Ledger) -> None:
    first, second = ledger.reserve("a", ONE * 3), ledger.reserve("b", ONE * 4)
    assert (ledger.balance().spent, ledger.balance().held, ledger.balance().left) == (
        ZERO,
        ONE * 7,
        ONE * 13,
    )
    ledger.settle(first, ONE * 2, note="2 of 3 assignments")
    assert (ledger.balance().spent, ledger.balance().held, ledger.balance().left) == (
        ONE * 2,
        ONE * 4,
        ONE * 14,
    )
    ledger.void(second)
    assert (ledger.balance().spent, ledger.balance().held, ledger.balance().left) == (
        ONE * 2,
        ZERO,
        ONE * 18,
    )
    assert ledger.entries()[3].note == "2 of 3 assignments"


def test_asking_twice_changes_nothing(ledger: Ledger) -> None:
    hold = ledger.reserve("a", ONE)
    assert ledger.reserve("a", ONE) == hold
    ledger.settle(hold, Money(5))
    ledger.settle(hold, Money(5))
    assert ledger.reserve("a", ONE) == hold  # a run that comes again after its settlement
    other = ledger.reserve("b", ONE)
    ledger.void(other)
    ledger.void(other)
    assert len(ledger.entries()) == 5
    assert ledger.open_holds() == ()


def test_a_payment_above_its_hold_is_recorded_and_flagged(ledger: Ledger) -> None:
    ledger.settle(ledger.reserve("a", ONE), ONE)
    assert not ledger.balance().overrun
    ledger.settle(ledger.reserve("b", ONE), ONE * 30)
    assert ledger.balance().overrun
    assert ledger.balance().spent == ONE * 31
    assert ledger.balance().left == ONE * -11
    with pytest.raises(BudgetExceeded):
        ledger.reserve("c", ZERO)


def test_studies_in_one_database_do_not_touch(ledger: Ledger, engine: Engine) -> None:
    other = Ledger.open(engine, "other", ONE)
    ledger.reserve("a", CAP)
    assert other.reserve("a", ONE) == Hold("a", ONE)
    assert other.balance().left == ZERO


def test_reopening_gives_the_same_account(
    ledger: Ledger, engine: Engine, database: str | Path
) -> None:
    ledger.settle(ledger.reserve("a", ONE * 3), ONE)
    hold = ledger.reserve("b", ONE)
    entries = ledger.entries()
    engine.dispose()
    again = open_database(database)
    reopened = Ledger.open(again, "study", CAP)
    assert reopened.entries() == entries
    assert reopened.open_holds() == (hold,)
    again.dispose()


# --- several processes, and their deaths ---------------------------------------------------------


def test_racing_processes_never_exceed_the_cap_and_none_starves(database: str | Path) -> None:
    workers, tries, amount = 6, 12, Money(300_000)  # 72 tries of $0.30 for a cap of $10

    def work(worker: int) -> None:
        engine = open_database(database)
        ledger = Ledger.open(engine, "study", ONE * 10)
        for number in range(tries):
            try:
                hold = ledger.reserve(f"{worker}/{number}", amount)
            except BudgetExceeded:
                continue
            if number % 3 == 0:
                ledger.settle(hold, Money(200_000))

    children = [spawn(partial(work, worker)) for worker in range(workers)]
    assert [ended(child) for child in children] == [0] * workers
    engine = open_database(database)
    ledger = Ledger.open(engine, "study", ONE * 10)
    balance = ledger.balance()
    assert ZERO <= balance.left < amount  # bought up to the last hold that fits, and not beyond
    high_water = held = spent = ZERO
    amounts = {e.key: e.amount for e in ledger.entries() if e.kind == "reserve"}
    for entry in ledger.entries():
        if entry.kind == "reserve":
            held += entry.amount
        elif entry.kind == "settle":
            held, spent = held - amounts[entry.key], spent + entry.amount
        high_water = max(high_water, held + spent)
    assert high_water <= ONE * 10
    engine.dispose()


def test_one_key_raced_for_is_held_once(database: str | Path) -> None:
    def work() -> None:
        ledger = Ledger.open(open_database(database), "study", ONE)
        ledger.settle(ledger.reserve("order", ONE), Money(999_999))

    assert [ended(child) for child in [spawn(work) for _ in range(6)]] == [0] * 6
    engine = open_database(database)
    kinds = [entry.kind for entry in Ledger.open(engine, "study").entries()]
    assert kinds == ["cap", "reserve", "settle"]
    engine.dispose()


@pytest.mark.parametrize("resolve", [False, True])
def test_a_killed_process_loses_nothing_it_was_told_is_done(
    database: str | Path, resolve: bool
) -> None:
    def work() -> None:
        ledger = Ledger.open(open_database(database), "study", CAP)
        hold = ledger.reserve("order", ONE * 3)
        if resolve:
            ledger.settle(hold, ONE)
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(spawn(work)) == -signal.SIGKILL
    engine = open_database(database)
    ledger = Ledger.open(engine, "study", CAP)
    if resolve:
        assert (ledger.balance().spent, ledger.open_holds()) == (ONE, ())
    else:
        assert (ledger.balance().spent, ledger.open_holds()) == (ZERO, (Hold("order", ONE * 3),))
        ledger.settle(ledger.reserve("order", ONE * 3), ONE)
    assert ledger.balance().left == ONE * 19
    engine.dispose()

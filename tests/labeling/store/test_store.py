"""What the store owes: every answer once, the same order again, and nothing bought twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from budget.database import open_database
from budget.errors import BudgetExceeded, MarketContradiction
from budget.ledger import Ledger
from budget.money import Money
from budget.tariffs.suite import SuiteTariff
from labeling.store import Store
from labeling.store.records import OrderRecord, order_limit
from labeling.types import Assignment, Condition, Order, OrderEnd, Page, Restriction

CONDITION = Condition("data", "simulated:test", "campaign", Money(2_000), 1, 4, False)
OTHER = replace(CONDITION, price=Money(3_000))
ALLOWANCE = Fraction(2, 5)
END = OrderEnd("complete", 12.5, 0, 30, 9, 2)
POOL = [5, 3, 8, 1, 9, 0]  # the pool's order of its rows
CONTROL = 100


@pytest.fixture
def engine(database: str | Path) -> Iterator[Engine]:
    opened = open_database(database)
    yield opened
    opened.dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine, "study")


def assignment(name: str, annotator: str, tasks: list[int], at: float = 1.0) -> Assignment:
    """An assignment on real tasks and one control task; the label is the row modulo 3."""
    return Assignment(
        id=name,
        annotator=annotator,
        tasks=(*tasks, CONTROL),
        labels=(*(task % 3 for task in tasks), 1),
        control=(*(False for _ in tasks), True),
        submitted_s=at,
        seconds=30.5,
        reward=CONDITION.reward,
    )


def ask(store: Store, tasks: int, overlap: int, condition: Condition = CONDITION) -> Order | None:
    return store.order_for(condition, POOL[:tasks], overlap, ALLOWANCE, 15.0)


def order(store: Store, tasks: int, overlap: int, condition: Condition = CONDITION) -> Order:
    found = ask(store, tasks, overlap, condition)
    assert found is not None
    return found


def fill(
    store: Store, tasks: int, overlap: int, people: str, restrictions: tuple[Restriction, ...] = ()
) -> Order:
    """Buy an order in which each of the people does all its tasks."""
    wanted = order(store, tasks, overlap)
    rows = [task for task, _ in wanted.wanted]
    done = tuple(
        assignment(f"{wanted.tranche}/{who}", who, rows, at) for at, who in enumerate(people)
    )
    store.add(wanted, Page(done, restrictions, END))
    return wanted


def only(records: list[OrderRecord]) -> OrderRecord:
    assert len(records) == 1
    return records[0]


# --- refusals ------------------------------------------------------------------------------------


def test_news_of_an_unknown_order_are_refused(store: Store) -> None:
    stranger = Order(CONDITION, 7, ((1, 1),), 2, None)
    with pytest.raises(ValueError, match="is not in this study's store"):
        store.add(stranger, Page((), (), END))


def test_an_assignment_that_changes_its_content_is_refused_and_keeps_the_first(
    store: Store,
) -> None:
    wanted = order(store, 2, 1)
    first = assignment("a", "ann", POOL[:2])
    store.add(wanted, Page((first,), (), None))
    for changed in (
        replace(first, labels=(0, 0, 0)),
        replace(first, annotator="bob"),
        replace(first, reward=Money(1)),
        replace(first, submitted_s=2.0),
    ):
        with pytest.raises(MarketContradiction, match="'a': it differs"):
            store.add(wanted, Page((assignment("b", "bob", POOL[:2]), changed), (), END))
    assert only(store.orders(CONDITION)).assignments == 1
    one = assignment("c", "ann", POOL[:2])
    with pytest.raises(MarketContradiction, match="'c': it comes twice and differs"):
        store.add(wanted, Page((one, replace(one, seconds=1.0)), (), None))


def test_an_assignment_that_contradicts_itself_is_refused(store: Store) -> None:
    broken = replace(assignment("a", "ann", POOL[:2]), labels=(0,))
    with pytest.raises(MarketContradiction, match="'a': 3 tasks, 1 labels and 3 control marks"):
        store.add(order(store, 2, 1), Page((broken,), (), None))


def test_an_ended_order_takes_nothing_new(store: Store) -> None:
    ended = fill(store, 2, 1, "a")
    with pytest.raises(MarketContradiction, match="'late': its order ended without it"):
        store.add(ended, Page((assignment("late", "bob", POOL[:2]),), (), None))
    before = store.answers(CONDITION)
    store.add(ended, Page((), (Restriction("a", 99.0, "control"),), replace(END, missing=5)))
    assert store.answers(CONDITION).usable.all()
    assert len(store.answers(CONDITION)) == len(before)
    assert only(store.orders(CONDITION)).end == END


@pytest.mark.parametrize(
    ("tasks", "overlap", "problem"), [([1], 0, "overlap: 0"), ([1, 2, 1], 1, "given twice")]
)
def test_an_impossible_plan_is_refused(
    store: Store, tasks: list[int], overlap: int, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        store.order_for(CONDITION, tasks, overlap, ALLOWANCE, None)


# --- what is bought ------------------------------------------------------------------------------


def test_the_first_order_wants_the_whole_plan(store: Store) -> None:
    found = order(store, 3, 2)
    assert found.wanted == ((5, 2), (3, 2), (8, 2))
    assert (found.tranche, found.minutes) == (0, 15.0)
    assert found.limit == 3  # ceil(6 answers / 3 places) = 2, and 40 % more rounded up


def test_the_limit_allows_for_recompletion_and_for_tasks_that_are_few() -> None:
    assert order_limit(((1, 3),) * 980, 9, Fraction(0)) == 327
    assert order_limit(((1, 3),) * 980, 9, ALLOWANCE) == 458
    assert order_limit(((1, 5), (2, 1)), 9, Fraction(0)) == 5


def test_an_unfinished_order_comes_first_whatever_plan_asks(store: Store) -> None:
    first = order(store, 3, 2)
    assert ask(store, 6, 7) == first
    assert store.propose(CONDITION, POOL[:6], 7, ALLOWANCE, None) == first
    assert store.unfinished() == [first]
    assert order(store, 3, 2, OTHER) != first
    fill(store, 3, 2, "ab")
    assert order(store, 6, 7) != first


def test_a_plan_that_is_owned_buys_nothing(store: Store) -> None:
    fill(store, 3, 2, "ab")
    assert ask(store, 3, 2) is None
    assert ask(store, 2, 1) is None
    assert store.quote(CONDITION, POOL[:3], 2) == 0
    assert store.propose(CONDITION, POOL[:3], 2, ALLOWANCE, None) is None
    assert ask(store, 0, 5) is None


def test_an_order_that_ended_short_is_not_bought_again_for_the_same_plan(store: Store) -> None:
    wanted = order(store, 3, 2)
    store.add(wanted, Page((assignment("a", "ann", [5, 3]),), (), replace(END, reason="limit")))
    assert ask(store, 3, 2) is None
    assert ask(store, 4, 2) == Order(CONDITION, 1, ((1, 2),), 3, 15.0)


def test_a_higher_target_asks_for_what_is_short(store: Store) -> None:
    wanted = order(store, 3, 2)
    store.add(wanted, Page((assignment("a", "ann", [5, 3]),), (), END))
    assert store.quote(CONDITION, POOL[:4], 3) == 2 + 2 + 3 + 3
    more = order(store, 4, 3)
    assert more.wanted == ((5, 2), (3, 2), (8, 3), (1, 3))
    assert (more.tranche, more.key != wanted.key) == (1, True)


def test_answers_beyond_the_target_are_owned(store: Store) -> None:
    fill(store, 2, 1, "abc")
    assert store.owned_target(CONDITION) == {5: 1, 3: 1}
    assert ask(store, 2, 3) is None
    assert order(store, 2, 4).wanted == ((5, 1), (3, 1))


def test_targets_rise_when_an_order_ends_and_not_before(store: Store) -> None:
    wanted = order(store, 3, 2)
    assert store.owned_target(CONDITION) == {}
    store.add(wanted, Page((), (), END))
    assert store.owned_target(CONDITION) == {5: 2, 3: 2, 8: 2}
    assert store.owned_target(OTHER) == {}


def test_a_quote_writes_nothing(store: Store) -> None:
    assert store.quote(CONDITION, POOL, 3) == 18
    proposed = store.propose(CONDITION, POOL, 3, ALLOWANCE, 15.0)
    assert store.all_orders() == []
    assert ask(store, 6, 3) == proposed


# --- what is owned -------------------------------------------------------------------------------


def test_answers_come_in_order_of_submission_with_stable_codes(store: Store) -> None:
    wanted = order(store, 2, 2)
    late, early = assignment("x", "ann", POOL[:2], 9.0), assignment("y", "bob", POOL[:2], 4.0)
    store.add(wanted, Page((late,), (), None))
    assert len(store.answers(CONDITION)) == 0  # not yet: which are usable is not settled
    store.add(wanted, Page((early,), (), END))
    found = store.answers(CONDITION)
    assert found.task.tolist() == [5, 3, CONTROL, 5, 3, CONTROL]
    assert found.annotator.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.label.tolist() == [2, 0, 1, 2, 0, 1]
    assert found.control.tolist() == [False, False, True] * 2
    assert store.annotators(CONDITION) == ("bob", "ann")
    fill(store, 2, 3, "c")
    assert store.annotators(CONDITION) == ("bob", "ann", "c")
    assert store.answers(CONDITION).where(np.arange(9) < 6).annotator.tolist() == [0] * 3 + [1] * 3


def test_a_ban_takes_the_answers_of_its_order_and_of_later_ones(store: Store) -> None:
    fill(store, 1, 2, "ab")
    fill(store, 1, 4, "ac", (Restriction("a", 3.0, "control"),))
    fill(store, 1, 6, "ad")
    found = store.answers(CONDITION)
    names = np.array(store.annotators(CONDITION))[found.annotator]
    usable = [
        (str(name), bool(use))
        for name, use, control in zip(names, found.usable, found.control, strict=True)
        if not control
    ]
    assert usable == [
        ("a", True),
        ("b", True),
        ("a", False),
        ("c", True),
        ("a", False),
        ("d", True),
    ]
    assert store.quote(CONDITION, POOL[:1], 7) == 3
    assert [(r.assignments, r.unusable) for r in store.orders(CONDITION)] == [
        (2, 0),
        (2, 1),
        (2, 1),
    ]


def test_everything_submitted_is_paid_usable_or_not(store: Store) -> None:
    wanted = fill(store, 2, 2, "abc", (Restriction("b", 1.0, "fast"),))
    record = only(store.orders(CONDITION))
    assert record.order == wanted
    assert record.overlap == 2
    assert (record.assignments, record.unusable) == (3, 1)
    assert (record.answers, record.usable_answers) == (6, 4)
    assert record.reward == CONDITION.reward * 3
    assert store.paid(wanted, SuiteTariff()) == SuiteTariff().cost(3, CONDITION.reward)


def test_payment_is_summed_over_assignments_of_different_rewards(store: Store) -> None:
    wanted = order(store, 1, 2)
    cheap, dear = Money(5_000), Money(9_001)
    done = (
        replace(assignment("a", "ann", [5]), reward=cheap),
        replace(assignment("b", "bob", [5]), reward=dear),
    )
    store.add(wanted, Page(done, (), END))
    tariff = SuiteTariff()
    assert store.paid(wanted, tariff) == tariff.cost(1, cheap) + tariff.cost(1, dear)


def test_records_tell_the_whole_story_and_come_back_equal(store: Store, engine: Engine) -> None:
    first = fill(store, 2, 1, "a")
    second = order(store, 2, 1, OTHER)
    again = Store(engine, "study")
    assert [record.order for record in again.all_orders()] == [first, second]
    assert [record.end for record in again.all_orders()] == [END, None]
    assert again.unfinished() == [second]
    assert again.record(first.key) == only(again.orders(CONDITION))
    assert again.record("nothing") is None
    assert Store(engine, "another study").all_orders() == []


def test_a_page_with_numpy_numbers_is_stored_as_numbers(store: Store) -> None:
    wanted = order(store, 2, 1)
    row = assignment("a", "ann", POOL[:2])
    numpy_row = replace(
        row,
        tasks=tuple(np.array(row.tasks)),
        labels=tuple(np.array(row.labels)),
        control=tuple(np.array(row.control)),
        submitted_s=np.float64(row.submitted_s),
    )
    store.add(wanted, Page((numpy_row,), (), None))
    store.add(wanted, Page((row,), (), END))  # the same content
    assert store.answers(CONDITION).task.tolist() == [5, 3, CONTROL]


# --- withdrawal ----------------------------------------------------------------------------------


def test_an_order_refused_its_hold_can_be_taken_back(store: Store, engine: Engine) -> None:
    ledger = Ledger.open(engine, "study", Money(10))
    refused = order(store, 3, 2)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(refused.key, Money(11))
    store.withdraw(refused)
    assert store.all_orders() == []
    smaller = order(store, 1, 1)
    assert (smaller.key, smaller.tranche) == (refused.key, 0)


def test_an_order_that_may_have_been_placed_stays(store: Store, engine: Engine) -> None:
    ledger = Ledger.open(engine, "study", Money(10))
    held = order(store, 1, 1)
    ledger.reserve(held.key, Money(10))
    begun = order(store, 1, 1, OTHER)
    store.add(begun, Page((assignment("a", "ann", [5]),), (), None))
    for placed in (held, begun):
        with pytest.raises(ValueError, match="it has to stay"):
            store.withdraw(placed)
    assert len(store.unfinished()) == 2


# --- several processes, crashes, speed -----------------------------------------------------------


def test_racing_workers_get_the_same_order(database: str | Path, tmp_path: Path) -> None:
    children = []
    for number in range(6):
        child = os.fork()
        if child == 0:
            status = 9
            try:
                found = order(
                    Store(open_database(database), "study"), 2 + number % 3, 1 + number % 2
                )
                (tmp_path / f"key-{number}").write_text(f"{found.key} {found.wanted}")
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children] == [0] * 6
    assert len({path.read_text() for path in tmp_path.glob("key-*")}) == 1


def test_pages_committed_before_a_kill_are_kept(database: str | Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            store = Store(open_database(database), "study")
            wanted = order(store, 2, 2)
            store.add(wanted, Page((assignment("a", "ann", POOL[:2]),), (), None))
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    engine = open_database(database)
    store = Store(engine, "study")
    record = only(store.all_orders())
    assert (record.end, record.assignments) == (None, 1)
    assert ask(store, 2, 2) == record.order
    engine.dispose()


def test_an_order_of_3000_answers_is_stored_in_one_go(store: Store) -> None:
    """Seconds are only printed: a shared machine's clock fails no test."""
    pool = list(range(1000))
    found = store.order_for(CONDITION, pool, 3, ALLOWANCE, None)
    assert found is not None
    done = tuple(
        assignment(f"a{n}", f"w{n % 60}", [(3 * n + i) % 1000 for i in range(3)], float(n))
        for n in range(1000)
    )
    start = time.perf_counter()
    store.add(found, Page(done, (), END))
    print(f"3,000 answers and 1,000 control answers stored in {time.perf_counter() - start:.3f} s")
    assert len(store.answers(CONDITION)) == 4000
    assert store.quote(CONDITION, pool, 3) == 0


# --- orders of exact answers ---


def exact(store: Store, *wanted: tuple[int, int]) -> Order:
    return store.order_of(CONDITION, wanted, Fraction(0), 15.0)


def test_an_order_of_exact_answers_is_the_same_until_it_ends_and_then_a_new_one(
    store: Store,
) -> None:
    first = exact(store, (5, 1), (3, 2), (8, 1))
    assert first.wanted == ((5, 1), (3, 2), (8, 1))
    assert first.limit == 2  # 4 answers in suites of 3, without any allowance
    assert exact(store, (9, 1)) == first  # unfinished: whoever asks gets it
    store.add(first, Page((assignment("a", "ann", [5, 3, 8]),), (), END))
    second = exact(store, (5, 1))  # an image may be asked about again
    assert (second.tranche, second.wanted) == (1, ((5, 1),))
    assert second.key != first.key


@pytest.mark.parametrize("wanted", [(), ((5, 0),), ((5, 1), (5, 1))])
def test_an_order_of_exact_answers_wants_each_task_once(
    store: Store, wanted: tuple[tuple[int, int], ...]
) -> None:
    with pytest.raises(ValueError, match="wanted"):
        exact(store, *wanted)
    assert store.all_orders() == []

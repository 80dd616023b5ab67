"""Tasks and answers of orders are read once, and what is told is the orders as they are now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from budget.database import open_database
from budget.money import Money
from labeling.store import Store
from labeling.types import Assignment, Condition, Order, OrderEnd, Page

CONDITION = Condition("data", "simulated:test", "campaign", Money(2_000), 1, 4, False)
END = OrderEnd("complete", 12.5, 0, 30, 9, 2)


@pytest.fixture
def engine(database: str | Path) -> Iterator[Engine]:
    opened = open_database(database)
    yield opened
    opened.dispose()


@contextmanager
def reads(engine: Engine, table: str) -> Iterator[list[str]]:
    """The statements that read a table, as they are sent."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT") and f"FROM {table}" in statement:
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def order(store: Store, tasks: int, overlap: int = 1) -> Order:
    asked = store.order_for(CONDITION, list(range(tasks)), overlap, Fraction(0), None)
    assert asked is not None
    return asked


def done(name: str, task: int) -> Assignment:
    return Assignment(name, f"by {name}", (task,), (0,), (False,), 1.0, 30.0, CONDITION.reward)


def test_the_tasks_of_an_ended_order_are_read_once(engine: Engine) -> None:
    store = Store(engine, "study")
    for overlap in (1, 2, 3):
        store.add(order(store, 2, overlap), Page((done(f"a{overlap}", 0),), (), END))
    left_out = store.orders(CONDITION)[0].order.key
    with reads(engine, "order_tasks") as sent:
        for _ in range(5):
            records = store.all_orders()
            assert store.orders(CONDITION) == records
            assert store.record(left_out) == records[0]
            assert store.without(frozenset([left_out])).all_orders() == records[1:]
    assert not sent, "the first call had read all three orders"
    with reads(engine, "order_tasks") as sent:
        assert Store(engine, "study").all_orders() == records
    assert len(sent) == len(records) == 3


def test_an_unfinished_order_is_told_as_it_stands(engine: Engine) -> None:
    store, worker = Store(engine, "study"), Store(engine, "study")
    asked = order(store, 2)
    sums = []
    for name, end in (("a", None), ("b", END)):
        worker.add(asked, Page((done(name, 0),), (), end))
        (record,) = store.all_orders()
        sums.append((record.assignments, record.answers, record.end))
    assert sums == [(1, 1, None), (2, 2, END)]


def test_an_order_in_the_place_of_a_withdrawn_one_is_told_with_its_own_tasks(
    engine: Engine,
) -> None:
    store, worker = Store(engine, "study"), Store(engine, "study")
    withdrawn = order(worker, 3)
    assert [record.order for record in store.all_orders()] == [withdrawn]
    worker.withdraw(withdrawn)
    instead = order(worker, 2)  # the same key, and in SQLite the same number
    assert instead.key == withdrawn.key
    worker.add(instead, Page((done("a", 0),), (), END))
    assert [record.order for record in store.all_orders()] == [instead]
    assert instead.wanted != withdrawn.wanted


def test_the_answers_of_ended_orders_are_read_once(engine: Engine) -> None:
    store, worker = Store(engine, "study"), Store(engine, "study")
    worker.add(order(worker, 2, 1), Page((done("a", 0),), (), END))
    with reads(engine, "answers") as sent:
        first = [store.answers(CONDITION).task.tolist() for _ in range(4)]
    assert (len(sent), first) == (1, [[0]] * 4)
    unfinished = order(worker, 2, 2)
    worker.add(unfinished, Page((done("b", 1),), (), None))
    assert store.answers(CONDITION).task.tolist() == [0]
    worker.add(unfinished, Page((done("c", 0),), (), END))
    assert store.answers(CONDITION).task.tolist() == [0, 1, 0]
    assert store.answers(CONDITION).annotator.tolist() == [0, 1, 2]
    without = store.without(frozenset([unfinished.key]))
    assert without.answers(CONDITION).task.tolist() == [0]
    assert store.answers(CONDITION).task.tolist() == [0, 1, 0]


def test_a_caller_cannot_change_the_answers_of_another(engine: Engine) -> None:
    store = Store(engine, "study")
    store.add(order(store, 2, 1), Page((done("a", 0),), (), END))
    with pytest.raises(ValueError, match="read-only"):
        store.answers(CONDITION).label[0] = 1

"""Orders and all bought answers in SQL: the answers owned, and the answers a plan still lacks.

The store keeps an order before money is held or answers are bought. An order grows by pages, and
each page is one commit. All calls are idempotent: a repeated page, also in another split, changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
)

from budget.database import (
    check_parts,
    create_tables,
    idempotent,
    reading,
    seal_tables,
)
from budget.ledger import alone_with_accounts, is_reserved
from budget.money import ZERO, Money
from budget.tariff import Tariff
from labeling.store.kept_answers import KeptAnswers
from labeling.store.order_records import read_records
from labeling.store.pages import add_page, insert_rows
from labeling.store.queries import (
    ENDED,
    answer_rows,
    changing,
    lacking,
    of_condition,
    targets_of,
    wanted_of,
)
from labeling.store.records import OrderRecord, Wanted, order_limit
from labeling.store.tables import (
    ANSWERS,
    ASSIGNMENTS,
    ORDER_TASKS,
    ORDERS,
    PARTS,
    RESTRICTIONS,
    TABLES,
    condition_to_text,
    order_from_row,
)
from labeling.types import Answers, AnswerTimes, Condition, Order, Page


class Store:
    """Orders and answers of one study; any number of processes may use them.

    Attributes:
        sealed_late: an older release had filled the tables, and their rows were sealed just now.
    """

    def __init__(self, engine: Engine, study: str) -> None:
        """Open the study's orders; create and seal the tables on first use.

        Raises:
            StorageError: the database cannot be read or written.
        """
        create_tables(engine, TABLES)
        self.sealed_late = bool(seal_tables(engine, PARTS))
        self._engine = engine
        self._study = study
        self._hidden: frozenset[str] = frozenset()
        self._ended: dict[int, OrderRecord] = {}
        self._answers = KeptAnswers()

    def without(self, keys: frozenset[str]) -> Store:
        """The same orders except some, by key: the study's answers without these orders.

        Use the result for reading only: a new order there could repeat a left-out order.
        """
        other = Store(self._engine, self._study)
        other._hidden = keys
        # Records and answers of an order are the same whichever orders are left out.
        other._ended, other._answers = self._ended, self._answers
        return other

    @idempotent
    def order_for(
        self,
        condition: Condition,
        tasks: Sequence[int],
        overlap: int,
        allowance: Fraction,
        minutes: float | None,
    ) -> Order | None:
        """The next order that a plan's answers need, stored.

        If the condition has an unfinished order, of any plan, the result is that order: buy it and
        call again. Workers that call at the same time get the same order.

        Args:
            condition: the plan's condition.
            tasks: the plan's tasks, a prefix of the pool's order.
            overlap: usable answers wanted per task.
            allowance: share of assignments allowed beyond the expected number, for recompletion.
            minutes: the deadline of a new order; None for no deadline.

        Returns:
            The order, or None if ended orders have delivered, or at least asked for, all answers of
            the plan: a short order is not repeated. Only an order that the user stopped does not
            count as having asked.

        Raises:
            ValueError: an overlap below 1, or a task given twice.
        """
        # One transaction from the look to the insert, else two workers buy the same answers twice.
        with changing(self._engine, self._study, condition) as connection:
            unfinished = self._orders(connection, of_condition(condition), ~ENDED)
            if unfinished:
                return unfinished[0]
            order = self._new(connection, condition, tasks, overlap, allowance, minutes)
            if order is not None:
                targets = targets_of(connection, self._of(condition))
                raised = [int(task) for task in tasks if targets.get(int(task), 0) < overlap]
                self._write(connection, order, overlap, raised)
            return order

    @idempotent
    def order_of(
        self, condition: Condition, wanted: Wanted, allowance: Fraction, minutes: float | None
    ) -> Order:
        """An order of exactly these answers, stored; the condition's unfinished order if any.

        Unlike those of `order_for`, its answers need not be a plan's: tasks and numbers are free.

        Args:
            condition: the condition that sells the answers.
            wanted: (task, further usable answers wanted), each at least 1; a task once.
            allowance: share of assignments allowed beyond the expected number.
            minutes: the order's deadline; None for no deadline.

        Raises:
            ValueError: no answer is wanted, or a task is given twice.
        """
        if not wanted or min(count for _, count in wanted) < 1:
            raise ValueError("wanted: each task wants at least one answer")
        if len({task for task, _ in wanted}) < len(wanted):
            raise ValueError("wanted: a task is given twice; each may be given once")
        with changing(self._engine, self._study, condition) as connection:
            unfinished = self._orders(connection, of_condition(condition), ~ENDED)
            if unfinished:
                return unfinished[0]
            order = self._next(connection, condition, wanted, allowance, minutes)
            most = max(count for _, count in wanted)
            self._write(connection, order, most, [task for task, _ in wanted])
            return order

    @idempotent
    def propose(
        self,
        condition: Condition,
        tasks: Sequence[int],
        overlap: int,
        allowance: Fraction,
        minutes: float | None,
    ) -> Order | None:
        """The order that `order_for` would return; nothing is stored."""
        with reading(self._engine) as connection:
            unfinished = self._orders(connection, of_condition(condition), ~ENDED)
            if unfinished:
                return unfinished[0]
            return self._new(connection, condition, tasks, overlap, allowance, minutes)

    @idempotent
    def quote(self, condition: Condition, tasks: Sequence[int], overlap: int) -> int:
        """Number of further usable answers that a plan would buy."""
        with reading(self._engine) as connection:
            wanted = lacking(connection, self._of(condition), tasks, overlap)
        return sum(count for _, count in wanted)

    @idempotent
    def add(self, order: Order, page: Page) -> None:
        """Store a page of an order's assignments and bans, in one commit.

        Stored assignments and bans are skipped. A page with an end ends the order and fixes its
        usable answers: the answers of annotators without a ban in this or an earlier order of the
        condition. Later bans change nothing.

        Raises:
            ValueError: the order is not in the store.
            MarketContradiction: an assignment comes twice and differs, differs from the stored
                assignment of the same id, or is new though the order has ended.
        """
        with changing(self._engine, self._study, order.condition) as connection:
            number, has_ended = self._stored(connection, order)
            add_page(connection, number, has_ended, page)

    def withdraw(self, order: Order) -> None:
        """Delete an order for which the ledger refused to hold money.

        Raises:
            ValueError: the order is not in the store, or it stays: money was held for it in this
                database's ledger, it has an assignment, or it has ended.
        """
        # Look and delete in one transaction: between two, another process could hold the money.
        with changing(self._engine, self._study, order.condition) as connection:
            alone_with_accounts(connection, self._study)
            number, has_ended = self._stored(connection, order)
            came = connection.execute(
                select(exists().where(ASSIGNMENTS.c.order_id == number))
            ).scalar_one()
            if has_ended or came or is_reserved(connection, self._study, order.key):
                raise ValueError(f"order {order.key!r}: it may have been placed; it has to stay")
            for table in (RESTRICTIONS, ORDER_TASKS):
                connection.execute(delete(table).where(table.c.order_id == number))
            connection.execute(delete(ORDERS).where(ORDERS.c.id == number))

    @idempotent
    def paid(self, order: Order, tariff: Tariff) -> Money:
        """Rewards and platform fee of all assignments of an order, usable or not."""
        with reading(self._engine) as connection:
            number = self._stored(connection, order)[0]
            check_parts(connection, [ASSIGNMENTS.name], [number])
            counts = connection.execute(
                select(ASSIGNMENTS.c.reward_micros, func.count())
                .where(ASSIGNMENTS.c.order_id == number)
                .group_by(ASSIGNMENTS.c.reward_micros)
            ).all()
        return sum((tariff.cost(count, Money(micros)) for micros, count in counts), ZERO)

    def record(self, key: str) -> OrderRecord | None:
        """The order with a key (its hold has the same key), or None."""
        return next(iter(self._records(ORDERS.c.key == key)), None)

    def orders(self, condition: Condition) -> list[OrderRecord]:
        """A condition's orders, by tranche."""
        return self._records(ORDERS.c.condition_key == condition.key)

    def all_orders(self) -> list[OrderRecord]:
        """All orders of the study, in the sequence of their creation."""
        return self._records()

    @idempotent
    def unfinished(self) -> list[Order]:
        """Orders without an end, in the sequence of their creation."""
        with reading(self._engine) as connection:
            return self._orders(connection, ~ENDED)

    @idempotent
    def owned_target(self, condition: Condition) -> dict[int, int]:
        """The overlap that ended orders have asked for, by task; stopped orders do not count."""
        with reading(self._engine) as connection:
            return targets_of(connection, self._of(condition))

    @idempotent
    def answers(self, condition: Condition, question: int = 0) -> Answers:
        """All answers of a condition's ended orders to one question, in order of submission.

        Annotator codes are positions in `annotators`; a code stays when further orders end.

        Args:
            condition: the condition.
            question: index of the question in the campaign, from 0.
        """
        query = select(ORDERS.c.id).where(self._mine, of_condition(condition), ENDED)
        with reading(self._engine) as connection:
            orders = tuple(connection.scalars(query.order_by(ORDERS.c.id)))
        read = partial(self._read_answers, condition, question)
        return self._answers.recall(condition.key, question, orders, read)

    def _read_answers(
        self, condition: Condition, question: int, orders: tuple[int, ...]
    ) -> Sequence[Row[Any]]:
        return self._answer_rows(condition, question, among=ORDERS.c.id.in_(orders))

    def times(self, condition: Condition, question: int = 0) -> AnswerTimes:
        """Times of the answers of `answers`, row by row."""
        # The seconds belong to the whole suite: its answers, counted by the window, share them.
        suite = func.count().over(partition_by=[ANSWERS.c.order_id, ANSWERS.c.assignment])
        rows = self._answer_rows(
            condition, question, ASSIGNMENTS.c.submitted_s, ASSIGNMENTS.c.seconds / suite
        )
        *_, submitted, seconds = zip(*rows, strict=True) if rows else ((), ())
        return AnswerTimes(np.array(submitted, np.float64), np.array(seconds, np.float64))

    def annotators(self, condition: Condition) -> tuple[str, ...]:
        """The market's ids of a condition's annotators, by the codes of `answers`."""
        return tuple(dict.fromkeys(row.annotator for row in self._answer_rows(condition)))

    def _new(
        self,
        connection: Connection,
        condition: Condition,
        tasks: Sequence[int],
        overlap: int,
        allowance: Fraction,
        minutes: float | None,
    ) -> Order | None:
        wanted = lacking(connection, self._of(condition), tasks, overlap)
        if not wanted:
            return None
        return self._next(connection, condition, wanted, allowance, minutes)

    def _next(
        self,
        connection: Connection,
        condition: Condition,
        wanted: Wanted,
        allowance: Fraction,
        minutes: float | None,
    ) -> Order:
        tranche = connection.execute(
            select(func.count()).select_from(ORDERS).where(self._mine, of_condition(condition))
        ).scalar_one()
        limit = order_limit(wanted, condition.real_per_assignment, allowance)
        return Order(condition, tranche, wanted, limit, minutes)

    def _write(self, connection: Connection, order: Order, overlap: int, raised: list[int]) -> None:
        row = {
            "study": self._study,
            "key": order.key,
            "condition_key": order.condition.key,
            "condition": condition_to_text(order.condition),
            "tranche": order.tranche,
            "overlap": overlap,
            "most_assignments": order.limit,
            "minutes": order.minutes,
        }
        number = connection.execute(insert(ORDERS).values(row).returning(ORDERS.c.id)).scalar_one()
        wanted = dict(order.wanted)
        rows = [
            {"position": position, "task": task, "wanted": wanted.get(task, 0)}
            for position, task in enumerate(raised)
        ]
        insert_rows(connection, ORDER_TASKS, number, rows)

    def _stored(self, connection: Connection, order: Order) -> tuple[int, bool]:
        """Number of a stored order, and whether the order has ended."""
        row = connection.execute(
            select(ORDERS.c.id, ORDERS.c.end_reason).where(self._mine, ORDERS.c.key == order.key)
        ).one_or_none()
        if row is None:
            raise ValueError(f"order {order.key!r} is not in this study's store")
        return row.id, row.end_reason is not None

    def _orders(self, connection: Connection, *criteria: ColumnElement[bool]) -> list[Order]:
        rows = connection.execute(
            select(ORDERS).where(self._mine, *criteria).order_by(ORDERS.c.id)
        ).all()
        return [order_from_row(row, wanted_of(connection, row.id)) for row in rows]

    @idempotent
    def _records(self, *criteria: ColumnElement[bool]) -> list[OrderRecord]:
        with reading(self._engine) as connection:
            return read_records(connection, and_(self._mine, *criteria), self._ended)

    @idempotent
    def _answer_rows(
        self,
        condition: Condition,
        question: int = 0,
        *more: ColumnElement[Any],
        among: ColumnElement[bool] = ENDED,
    ) -> Sequence[Row[Any]]:
        mine = and_(self._mine, of_condition(condition), among)
        with reading(self._engine) as connection:
            numbers = connection.scalars(select(ORDERS.c.id).where(mine)).all()
            check_parts(connection, [*PARTS], numbers)
            return connection.execute(answer_rows(mine, question, *more)).all()

    def _of(self, condition: Condition) -> ColumnElement[bool]:
        return and_(self._mine, of_condition(condition))

    @property
    def _mine(self) -> ColumnElement[bool]:
        mine = ORDERS.c.study == self._study
        return and_(mine, ORDERS.c.key.not_in(self._hidden)) if self._hidden else mine

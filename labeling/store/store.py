"""Orders and every answer ever bought, in SQL: what is owned, and what a plan still lacks.

An order is written down before anything is held or bought, and grows by pages, each one commit.
Everything is idempotent: pages may come again, in any split, and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    select,
)

from budget.database import create_tables, reading, writing
from budget.ledger import is_reserved
from budget.money import ZERO, Money
from budget.tariff import Tariff
from labeling.store.pages import add_page, insert_rows
from labeling.store.queries import ANSWERED, BANNED, ENDED, of_condition, wanted_of
from labeling.store.records import OrderRecord, Wanted, order_limit
from labeling.store.tables import (
    ANSWERS,
    ASSIGNMENTS,
    FURTHER_ANSWERS,
    ORDER_TASKS,
    ORDERS,
    RESTRICTIONS,
    TABLES,
    condition_to_text,
    end_from_row,
    order_from_row,
)
from labeling.types import STOPPED, Answers, AnswerTimes, Condition, Order, Page


class Store:
    """Orders and answers of one study; safe to use from any number of processes."""

    def __init__(self, engine: Engine, study: str) -> None:
        """Open the study's orders, creating the tables on first use.

        Raises:
            StorageError: the database cannot be read or written.
        """
        create_tables(engine, TABLES)
        self._engine = engine
        self._study = study
        self._hidden: frozenset[str] = frozenset()

    def without(self, keys: frozenset[str]) -> Store:
        """The same orders but for some, by key: what the study would know without them.

        For looking only: an order written down there could repeat one that is left out.
        """
        other = Store(self._engine, self._study)
        other._hidden = keys
        return other

    def order_for(
        self,
        condition: Condition,
        tasks: Sequence[int],
        overlap: int,
        allowance: Fraction,
        minutes: float | None,
    ) -> Order | None:
        """What has to be bought next so that a plan's answers are owned, written down.

        That is the condition's unfinished order if there is one, whatever plan asked for it: buy
        it, then ask again. Several workers asking at once get the same order.

        Args:
            condition: the plan's condition.
            tasks: the plan's tasks, a prefix of the pool's order.
            overlap: usable answers wanted per task.
            allowance: share of assignments allowed beyond the expected ones, for recompletion.
            minutes: the deadline of a new order; None for none.

        Returns:
            The order, or None when nothing is lacking: ended orders have asked for all of it,
            also where they ended short, or brought it. The same plan is not bought again. What an
            order lacks that the user stopped is lacking still.

        Raises:
            ValueError: an overlap below 1, or a task given twice.
        """
        with writing(self._engine) as connection:
            unfinished = self._orders(connection, of_condition(condition), ~ENDED)
            if unfinished:
                return unfinished[0]
            order = self._new(connection, condition, tasks, overlap, allowance, minutes)
            if order is not None:
                targets = self._targets(connection, condition)
                raised = [int(task) for task in tasks if targets.get(int(task), 0) < overlap]
                self._write(connection, order, overlap, raised)
            return order

    def propose(
        self,
        condition: Condition,
        tasks: Sequence[int],
        overlap: int,
        allowance: Fraction,
        minutes: float | None,
    ) -> Order | None:
        """What `order_for` would return, without writing anything."""
        with reading(self._engine) as connection:
            unfinished = self._orders(connection, of_condition(condition), ~ENDED)
            if unfinished:
                return unfinished[0]
            return self._new(connection, condition, tasks, overlap, allowance, minutes)

    def quote(self, condition: Condition, tasks: Sequence[int], overlap: int) -> int:
        """Further usable answers a plan would buy, beside what ended orders brought."""
        with reading(self._engine) as connection:
            wanted = self._lacking(connection, condition, tasks, overlap)
        return sum(count for _, count in wanted)

    def add(self, order: Order, page: Page) -> None:
        """Keep a page of an order's news, in one commit.

        Known assignments and restrictions are ignored. A page with an end ends the order and
        fixes which of its answers are usable: those of annotators without a restriction in this
        or an earlier order of the condition. Restrictions that come later change nothing.

        Raises:
            ValueError: the order is not in the store.
            MarketContradiction: an assignment contradicts itself or one
                stored under the same id, or is new though the order has ended.
        """
        with writing(self._engine) as connection:
            number, has_ended = self._stored(connection, order)
            add_page(connection, number, has_ended, page)

    def withdraw(self, order: Order) -> None:
        """Take back an order that was refused its hold, as if it had not been written down.

        Raises:
            ValueError: the order is not in the store, money was held for it in this database's
                ledger, or something came of it: then it stays.
        """
        with writing(self._engine) as connection:
            number, has_ended = self._stored(connection, order)
            came = connection.execute(
                select(exists().where(ASSIGNMENTS.c.order_id == number))
            ).scalar_one()
            if has_ended or came or is_reserved(connection, self._study, order.key):
                raise ValueError(f"order {order.key!r}: it may have been placed; it has to stay")
            for table in (RESTRICTIONS, ORDER_TASKS):
                connection.execute(delete(table).where(table.c.order_id == number))
            connection.execute(delete(ORDERS).where(ORDERS.c.id == number))

    def paid(self, order: Order, tariff: Tariff) -> Money:
        """Reward and fee of all assignments of an order, usable or not, at the tariff."""
        with reading(self._engine) as connection:
            counts = connection.execute(
                select(ASSIGNMENTS.c.reward_micros, func.count())
                .where(ASSIGNMENTS.c.order_id == self._stored(connection, order)[0])
                .group_by(ASSIGNMENTS.c.reward_micros)
            ).all()
        return sum((tariff.cost(count, Money(micros)) for micros, count in counts), ZERO)

    def record(self, key: str) -> OrderRecord | None:
        """The order with a key (a hold carries the same); None if there is none."""
        return next(iter(self._records(ORDERS.c.key == key)), None)

    def orders(self, condition: Condition) -> list[OrderRecord]:
        """A condition's orders, by tranche."""
        return self._records(ORDERS.c.condition_key == condition.key)

    def all_orders(self) -> list[OrderRecord]:
        """All orders of the study, as they were written down."""
        return self._records()

    def unfinished(self) -> list[Order]:
        """Orders without an end, as they were written down."""
        with reading(self._engine) as connection:
            return self._orders(connection, ~ENDED)

    def owned_target(self, condition: Condition) -> dict[int, int]:
        """The overlap that ended orders have asked for, by task; not those that were stopped."""
        with reading(self._engine) as connection:
            return self._targets(connection, condition)

    def answers(self, condition: Condition, question: int = 0) -> Answers:
        """All answers of a condition's ended orders to one question, in order of submission.

        Annotator codes are positions in `annotators`; they stay when further orders end.

        Args:
            condition: the condition.
            question: the question's place in the campaign, the first being 0.
        """
        rows = self._answer_rows(condition, question)
        codes: dict[str, int] = {}
        return Answers(
            task=np.array([row.task for row in rows], dtype=np.int64),
            annotator=np.array(
                [codes.setdefault(row.annotator, len(codes)) for row in rows], dtype=np.int64
            ),
            label=np.array([row.label for row in rows], dtype=np.int64),
            control=np.array([row.control for row in rows], dtype=np.bool_),
            usable=np.array([not row.banned for row in rows], dtype=np.bool_),
        )

    def times(self, condition: Condition, question: int = 0) -> AnswerTimes:
        """When the answers came that `answers` gives, row by row."""
        suite = func.count().over(partition_by=[ANSWERS.c.order_id, ANSWERS.c.assignment])
        rows = self._answer_rows(
            condition, question, ASSIGNMENTS.c.submitted_s, ASSIGNMENTS.c.seconds / suite
        )
        columns = np.array([tuple(row)[-2:] for row in rows], dtype=np.float64).reshape(-1, 2)
        return AnswerTimes(columns[:, 0], columns[:, 1])

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
        wanted = self._lacking(connection, condition, tasks, overlap)
        if not wanted:
            return None
        tranche = connection.execute(
            select(func.count()).select_from(ORDERS).where(self._mine, of_condition(condition))
        ).scalar_one()
        limit = order_limit(wanted, condition.real_per_suite, allowance)
        return Order(condition, tranche, wanted, limit, minutes)

    def _lacking(
        self, connection: Connection, condition: Condition, tasks: Sequence[int], overlap: int
    ) -> Wanted:
        rows = [int(task) for task in tasks]
        if overlap < 1:
            raise ValueError(f"overlap: {overlap} asks for no answer; give at least 1")
        if len(set(rows)) < len(rows):
            raise ValueError("tasks: one is given twice; each may be given once")
        targets = self._targets(connection, condition)
        counts = connection.execute(
            select(ANSWERS.c.task, func.count())
            .select_from(ANSWERED)
            .where(self._mine, of_condition(condition), ENDED, ~ANSWERS.c.control, ~BANNED)
            .group_by(ANSWERS.c.task)
        )
        owned = {task: count for task, count in counts}
        lacking = ((task, overlap - owned.get(task, 0)) for task in rows)
        return tuple(
            (task, count) for task, count in lacking if count > 0 and targets.get(task, 0) < overlap
        )

    def _targets(self, connection: Connection, condition: Condition) -> dict[int, int]:
        rows = connection.execute(
            select(ORDER_TASKS.c.task, func.max(ORDERS.c.overlap))
            .select_from(ORDER_TASKS.join(ORDERS))
            .where(self._mine, of_condition(condition), ENDED, ORDERS.c.end_reason != STOPPED)
            .group_by(ORDER_TASKS.c.task)
        )
        return {task: overlap for task, overlap in rows}

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
        """Number of a stored order, and whether it has ended."""
        row = connection.execute(
            select(ORDERS.c.id, ORDERS.c.end_reason).where(self._mine, ORDERS.c.key == order.key)
        ).one_or_none()
        if row is None:
            raise ValueError(f"order {order.key!r} is not in this study's store")
        return row.id, row.end_reason is not None

    def _orders(self, connection: Connection, *criteria: ColumnElement[bool]) -> list[Order]:
        found = connection.execute(
            select(ORDERS).where(self._mine, *criteria).order_by(ORDERS.c.id)
        ).all()
        return [order_from_row(row, wanted_of(connection, row.id)) for row in found]

    def _records(self, *criteria: ColumnElement[bool]) -> list[OrderRecord]:
        real = ASSIGNMENTS.c.real_answers
        sums = {
            "assignments": func.count(ASSIGNMENTS.c.id),
            "unusable": func.coalesce(func.sum(case((BANNED, 1), else_=0)), 0),
            "reward": func.coalesce(func.sum(ASSIGNMENTS.c.reward_micros), 0),
            "answers": func.coalesce(func.sum(real), 0),
            "usable": func.coalesce(func.sum(case((BANNED, 0), else_=real)), 0),
        }
        query = (
            select(ORDERS, *(column.label(f"n_{name}") for name, column in sums.items()))
            .select_from(ORDERS.outerjoin(ASSIGNMENTS))
            .where(self._mine, *criteria)
            .group_by(ORDERS.c.id)
            .order_by(ORDERS.c.id)
        )
        with reading(self._engine) as connection:
            return [
                OrderRecord(
                    order=order_from_row(row, wanted_of(connection, row.id)),
                    overlap=row.overlap,
                    end=end_from_row(row),
                    assignments=int(row.n_assignments),
                    unusable=int(row.n_unusable),
                    reward=Money(int(row.n_reward)),
                    answers=int(row.n_answers),
                    usable_answers=int(row.n_usable),
                )
                for row in connection.execute(query).all()
            ]

    def _answer_rows(
        self, condition: Condition, question: int = 0, *more: ColumnElement[Any]
    ) -> Sequence[Row[Any]]:
        label, answered = ANSWERS.c.label, ANSWERED
        if question:
            of_answer = and_(
                *(
                    FURTHER_ANSWERS.c[name] == ANSWERS.c[name]
                    for name in ("order_id", "assignment", "position")
                ),
                FURTHER_ANSWERS.c.question == question,
            )
            label, answered = FURTHER_ANSWERS.c.label, ANSWERED.join(FURTHER_ANSWERS, of_answer)
        query = (
            select(
                ASSIGNMENTS.c.annotator,
                ANSWERS.c.task,
                label,
                ANSWERS.c.control,
                BANNED.label("banned"),
                *more,
            )
            .select_from(answered)
            .where(self._mine, of_condition(condition), ENDED)
            .order_by(
                ORDERS.c.tranche,
                ASSIGNMENTS.c.submitted_s,
                ASSIGNMENTS.c.id,
                ANSWERS.c.position,
            )
        )
        with reading(self._engine) as connection:
            return connection.execute(query).all()

    @property
    def _mine(self) -> ColumnElement[bool]:
        mine = ORDERS.c.study == self._study
        return and_(mine, ORDERS.c.key.not_in(self._hidden)) if self._hidden else mine

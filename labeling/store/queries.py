"""Shared parts of the store's SQL queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    exists,
    func,
    select,
)

from budget.database import alone, writing
from labeling.store.records import Wanted
from labeling.store.tables import (
    ANSWERS,
    ASSIGNMENTS,
    FURTHER_ANSWERS,
    ORDER_TASKS,
    ORDERS,
    RESTRICTIONS,
)
from labeling.types import STOPPED, Condition

ANSWERED = ANSWERS.join(ASSIGNMENTS).join(ORDERS, ORDERS.c.id == ASSIGNMENTS.c.order_id)


ENDED = ORDERS.c.end_reason.is_not(None)


EARLIER = ORDERS.alias("earlier")


BANNED = exists().where(
    RESTRICTIONS.c.order_id == EARLIER.c.id,
    RESTRICTIONS.c.annotator == ASSIGNMENTS.c.annotator,
    EARLIER.c.study == ORDERS.c.study,
    EARLIER.c.condition_key == ORDERS.c.condition_key,
    EARLIER.c.tranche <= ORDERS.c.tranche,
)
"""Whether an assignment's annotator was banned in the same order or an earlier order."""


@contextmanager
def changing(engine: Engine, study: str, condition: Condition) -> Iterator[Connection]:
    """A transaction beside which no other changes the orders of a study's condition."""
    with writing(engine) as connection:
        alone(connection, "orders", study, condition.key)
        yield connection


def of_condition(condition: Condition) -> ColumnElement[bool]:
    """Orders of a condition."""
    return ORDERS.c.condition_key == condition.key


def wanted_of(connection: Connection, number: int) -> Wanted:
    """An order's tasks, each with the number of answers wanted."""
    rows = connection.execute(
        select(ORDER_TASKS.c.task, ORDER_TASKS.c.wanted)
        .where(ORDER_TASKS.c.order_id == number, ORDER_TASKS.c.wanted > 0)
        .order_by(ORDER_TASKS.c.position)
    )
    return tuple((task, wanted) for task, wanted in rows)


def targets_of(connection: Connection, mine: ColumnElement[bool]) -> dict[int, int]:
    """The overlap that ended orders have asked for, by task.

    It is the target, not the number of answers: an order that ended short is not repeated. The user
    still wants the missing answers of a stopped order, so that sets no target.
    """
    rows = connection.execute(
        select(ORDER_TASKS.c.task, func.max(ORDERS.c.overlap))
        .select_from(ORDER_TASKS.join(ORDERS))
        .where(mine, ENDED, ORDERS.c.end_reason != STOPPED)
        .group_by(ORDER_TASKS.c.task)
    )
    return {task: overlap for task, overlap in rows}


def usable_by_task(connection: Connection, mine: ColumnElement[bool]) -> dict[int, int]:
    """Usable answers to real tasks, by task.

    They count only once their order has ended: until then a ban can still take them away.
    """
    rows = connection.execute(
        select(ANSWERS.c.task, func.count())
        .select_from(ANSWERED)
        .where(mine, ENDED, ~ANSWERS.c.control, ~BANNED)
        .group_by(ANSWERS.c.task)
    )
    return {task: count for task, count in rows}


def lacking(
    connection: Connection, mine: ColumnElement[bool], tasks: Sequence[int], overlap: int
) -> Wanted:
    """The answers that a condition's orders have not asked for yet, of tasks at an overlap.

    Raises:
        ValueError: an overlap below 1, or a task given twice.
    """
    rows = [int(task) for task in tasks]
    if overlap < 1:
        raise ValueError(f"overlap: {overlap} asks for no answer; give at least 1")
    if len(set(rows)) < len(rows):
        raise ValueError("tasks: one is given twice; each may be given once")
    targets, owned = targets_of(connection, mine), usable_by_task(connection, mine)
    counts = ((task, overlap - owned.get(task, 0)) for task in rows)
    return tuple(
        (task, count) for task, count in counts if count > 0 and targets.get(task, 0) < overlap
    )


def answer_rows(mine: ColumnElement[bool], question: int, *more: ColumnElement[Any]) -> Select[Any]:
    """Answers to a question, by tranche and in order of submission.

    Args:
        mine: which orders.
        question: index of the question in the campaign, from 0.
        more: further columns.
    """
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
    return (
        select(
            ASSIGNMENTS.c.annotator,
            ANSWERS.c.task,
            label,
            ANSWERS.c.control,
            BANNED.label("banned"),
            *more,
        )
        .select_from(answered)
        .where(mine)
        .order_by(
            ORDERS.c.tranche,
            ASSIGNMENTS.c.submitted_s,
            ASSIGNMENTS.c.id,
            ANSWERS.c.position,
        )
    )

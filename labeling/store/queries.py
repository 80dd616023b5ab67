"""Pieces of SQL that the store's queries are made of."""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    Connection,
    exists,
    select,
)

from labeling.store.records import Wanted
from labeling.store.tables import (
    ANSWERS,
    ASSIGNMENTS,
    ORDER_TASKS,
    ORDERS,
    RESTRICTIONS,
)
from labeling.types import Condition

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
"""Whether an assignment's annotator was restricted in its order or an earlier one."""


def of_condition(condition: Condition) -> ColumnElement[bool]:
    """Orders of a condition."""
    return ORDERS.c.condition_key == condition.key


def wanted_of(connection: Connection, number: int) -> Wanted:
    """The tasks of an order, each with the answers wanted."""
    rows = connection.execute(
        select(ORDER_TASKS.c.task, ORDER_TASKS.c.wanted)
        .where(ORDER_TASKS.c.order_id == number, ORDER_TASKS.c.wanted > 0)
        .order_by(ORDER_TASKS.c.position)
    )
    return tuple((task, wanted) for task, wanted in rows)

"""Reads stored orders with the sums of their assignments; an ended order is read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, Row, Select, case, cast, func, select

from budget.money import Money
from labeling.store.queries import BANNED, wanted_of
from labeling.store.records import OrderRecord
from labeling.store.tables import ASSIGNMENTS, ORDERS, end_from_row, order_from_row

_CHUNK = 500  # ids in one query: below every database's limit of parameters


def read_records(
    connection: Connection, criterion: ColumnElement[bool], ended: dict[int, OrderRecord]
) -> list[OrderRecord]:
    """Orders in the sequence of their creation.

    Args:
        connection: a transaction that reads.
        criterion: which orders.
        ended: ended orders by number. They never change: those in it are not read again, and those
            that are read are put in.
    """
    numbers = list(connection.scalars(select(ORDERS.c.id).where(criterion).order_by(ORDERS.c.id)))
    fresh = dict(_read(connection, [number for number in numbers if number not in ended]))
    # An unfinished order may be withdrawn, and its number then be given to another order.
    ended.update({number: record for number, record in fresh.items() if record.end is not None})
    return [fresh[number] if number in fresh else ended[number] for number in numbers]


@cache  # it is long: made anew, it took longer than its answer
def _query() -> Select[Any]:
    """Orders with the sums of their assignments."""
    real = ASSIGNMENTS.c.real_answers
    reward = ASSIGNMENTS.c.reward_micros
    sums = {
        "assignments": func.count(ASSIGNMENTS.c.id),
        "unusable": func.coalesce(func.sum(case((BANNED, 1), else_=0)), 0),
        "reward": func.coalesce(func.sum(reward), 0),
        "unusable_reward": func.coalesce(func.sum(case((BANNED, reward), else_=0)), 0),
        "reward_squares": func.coalesce(func.sum(cast(reward, Double) * cast(reward, Double)), 0.0),
        "control_reward": func.coalesce(
            func.sum(case((BANNED, 0), (real == 0, reward), else_=0)), 0
        ),
        "answers": func.coalesce(func.sum(real), 0),
        "usable": func.coalesce(func.sum(case((BANNED, 0), else_=real)), 0),
    }
    return (
        select(ORDERS, *(column.label(f"n_{name}") for name, column in sums.items()))
        .select_from(ORDERS.outerjoin(ASSIGNMENTS))
        .group_by(ORDERS.c.id)
    )


def _read(connection: Connection, numbers: Sequence[int]) -> Iterator[tuple[int, OrderRecord]]:
    for start in range(0, len(numbers), _CHUNK):
        chunk = _query().where(ORDERS.c.id.in_(numbers[start : start + _CHUNK]))
        for row in connection.execute(chunk).all():
            yield row.id, _record(connection, row)


def _record(connection: Connection, row: Row[Any]) -> OrderRecord:
    return OrderRecord(
        order=order_from_row(row, wanted_of(connection, row.id)),
        overlap=row.overlap,
        end=end_from_row(row),
        assignments=int(row.n_assignments),
        unusable=int(row.n_unusable),
        reward=Money(int(row.n_reward)),
        unusable_reward=Money(int(row.n_unusable_reward)),
        control_reward=Money(int(row.n_control_reward)),
        reward_squares=float(row.n_reward_squares),
        answers=int(row.n_answers),
        usable_answers=int(row.n_usable),
    )

"""What a market delivered for an order, read back as it came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from budget.database import check_parts, name_of, reading
from budget.errors import LedgerCorrupt
from budget.money import Money
from labeling.store.tables import (
    ANSWERS,
    ASSIGNMENTS,
    FURTHER_ANSWERS,
    ORDERS,
    PARTS,
    RESTRICTIONS,
    assignment_to_row,
    end_from_row,
)
from labeling.types import Assignment, Order, Page, Restriction


def stored_page(engine: Engine, study: str, order: Order) -> Page | None:
    """All that came for an order, as one page: assignments by submission, bans, and the end.

    Returns:
        The page; None where the study has no such order.

    Raises:
        LedgerCorrupt: the rows are not the rows that were written, or an assignment's answers do
            not match its digest.
    """
    with reading(engine) as connection:
        query = select(ORDERS).where(ORDERS.c.study == study, ORDERS.c.key == order.key)
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        check_parts(connection, [*PARTS], [row.id])
        assignments = _assignments(connection, row.id)
        bans = connection.execute(
            select(RESTRICTIONS)
            .where(RESTRICTIONS.c.order_id == row.id)
            .order_by(RESTRICTIONS.c.at_s, RESTRICTIONS.c.annotator, RESTRICTIONS.c.reason)
        ).all()
    restrictions = tuple(Restriction(ban.annotator, ban.at_s, ban.reason) for ban in bans)
    return Page(assignments, restrictions, end_from_row(row))


def _assignments(connection: Connection, number: int) -> tuple[Assignment, ...]:
    answers: dict[str, list[Row[Any]]] = defaultdict(list)
    query = select(ANSWERS).where(ANSWERS.c.order_id == number)
    for answer in connection.execute(query.order_by(ANSWERS.c.position)):
        answers[answer.assignment].append(answer)
    further: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    query = select(FURTHER_ANSWERS).where(FURTHER_ANSWERS.c.order_id == number)
    for answer in connection.execute(query.order_by(FURTHER_ANSWERS.c.position)):
        further[answer.assignment][answer.question].append(answer.label)
    rows = connection.execute(
        select(ASSIGNMENTS)
        .where(ASSIGNMENTS.c.order_id == number)
        .order_by(ASSIGNMENTS.c.submitted_s, ASSIGNMENTS.c.id)
    )
    made = []
    for row in rows:
        others = [tuple(further[row.id][question]) for question in sorted(further[row.id])]
        assignment = _assignment(row, answers[row.id], others)
        if assignment_to_row(assignment)["digest"] != row.digest:
            raise LedgerCorrupt(
                name_of(connection.engine), f"assignment {row.id!r}: its answers are not as bought"
            )
        made.append(assignment)
    return tuple(made)


def _assignment(
    row: Row[Any], answers: Sequence[Row[Any]], further: Sequence[tuple[int, ...]]
) -> Assignment:
    return Assignment(
        id=row.id,
        annotator=row.annotator,
        tasks=tuple(answer.task for answer in answers),
        labels=tuple(answer.label for answer in answers),
        control=tuple(bool(answer.control) for answer in answers),
        submitted_s=row.submitted_s,
        seconds=row.seconds,
        reward=Money(row.reward_micros),
        further=tuple(further),
    )

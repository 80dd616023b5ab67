"""How a page of news gets into the tables: once, however often it comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from budget.errors import MarketContradiction
from labeling.store.tables import (
    ANSWERS,
    ASSIGNMENTS,
    FURTHER_ANSWERS,
    ORDERS,
    RESTRICTIONS,
    answers_to_rows,
    assignment_to_row,
    end_to_row,
    further_to_rows,
)
from labeling.types import Assignment, Page, Restriction

_CHUNK = 500  # ids asked for at once: below every database's limit of parameters


def add_page(connection: Connection, number: int, has_ended: bool, page: Page) -> None:
    """Add what is new in a page to the order of that number.

    Raises:
        MarketContradiction: an assignment contradicts itself or one stored under the same id, or
            is new though the order has ended.
    """
    rows: dict[str, dict[str, Any]] = {}
    fresh: dict[str, Assignment] = {}
    for assignment in page.assignments:
        row = assignment_to_row(assignment)
        if rows.setdefault(assignment.id, row) != row:
            raise MarketContradiction(f"assignment {assignment.id!r}: it comes twice and differs")
        fresh[assignment.id] = assignment
    for name, digest in _digests(connection, number, list(rows)).items():
        if rows[name]["digest"] != digest:
            raise MarketContradiction(f"assignment {name!r}: it differs from the one stored before")
        del fresh[name]
    if has_ended and fresh:
        raise MarketContradiction(f"assignment {min(fresh)!r}: its order ended without it")
    if has_ended:
        return
    insert_rows(connection, ASSIGNMENTS, number, [rows[name] for name in fresh])
    answers = [row for assignment in fresh.values() for row in answers_to_rows(assignment)]
    insert_rows(connection, ANSWERS, number, answers)
    further = [row for assignment in fresh.values() for row in further_to_rows(assignment)]
    insert_rows(connection, FURTHER_ANSWERS, number, further)
    _add_restrictions(connection, number, page.restrictions)
    if page.end is not None:
        connection.execute(
            update(ORDERS).where(ORDERS.c.id == number).values(**end_to_row(page.end))
        )


def insert_rows(
    connection: Connection, table: Table, number: int, rows: Sequence[dict[str, Any]]
) -> None:
    """Add rows that belong to the order of that number."""
    if rows:
        connection.execute(insert(table), [{"order_id": number, **row} for row in rows])


def _digests(connection: Connection, number: int, names: Sequence[str]) -> dict[str, str]:
    """Digests of those assignments of an order that are stored already, by id."""
    known: dict[str, str] = {}
    for start in range(0, len(names), _CHUNK):
        rows = connection.execute(
            select(ASSIGNMENTS.c.id, ASSIGNMENTS.c.digest).where(
                ASSIGNMENTS.c.order_id == number,
                ASSIGNMENTS.c.id.in_(names[start : start + _CHUNK]),
            )
        )
        known.update({name: digest for name, digest in rows})
    return known


def _add_restrictions(
    connection: Connection, number: int, restrictions: Sequence[Restriction]
) -> None:
    rows = connection.execute(
        select(RESTRICTIONS.c.annotator, RESTRICTIONS.c.reason).where(
            RESTRICTIONS.c.order_id == number
        )
    )
    known = {(annotator, reason) for annotator, reason in rows}
    fresh = {
        (restriction.annotator, restriction.reason): float(restriction.at_s)
        for restriction in reversed(restrictions)  # of several, the first counts
    }
    new = [
        {"annotator": annotator, "reason": reason, "at_s": at_s}
        for (annotator, reason), at_s in fresh.items()
        if (annotator, reason) not in known
    ]
    insert_rows(connection, RESTRICTIONS, number, new)

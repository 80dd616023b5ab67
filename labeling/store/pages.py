"""A market's page of assignments and bans into the tables; a repeated page changes nothing."""

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

_CHUNK = 500  # ids in one query: below every database's limit of parameters


def add_page(connection: Connection, number: int, has_ended: bool, page: Page) -> None:
    """Add a page's new assignments, bans and end to an order, given by its number.

    Raises:
        MarketContradiction: an assignment comes twice and differs, differs from the stored
            assignment of the same id, or is new though the order has ended.
    """
    rows: dict[str, dict[str, Any]] = {}
    fresh: dict[str, Assignment] = {}
    for assignment in page.assignments:
        row = assignment_to_row(assignment)
        if rows.setdefault(assignment.id, row) != row:
            raise MarketContradiction(f"assignment {assignment.id!r}: it comes twice and differs")
        fresh[assignment.id] = assignment
    # After a crash the market delivers everything again: a stored assignment must be the same, and
    # is not inserted twice.
    for name, digest in _digests(connection, number, list(rows)).items():
        if rows[name]["digest"] != digest:
            raise MarketContradiction(f"assignment {name!r}: it differs from the one stored before")
        del fresh[name]
    if has_ended and fresh:
        raise MarketContradiction(f"assignment {min(fresh)!r}: its order ended without it")
    # The end fixed which answers are usable: a ban that comes later must not change it.
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
    """Add rows that belong to an order, given by its number."""
    if rows:
        connection.execute(insert(table), [{"order_id": number, **row} for row in rows])


def _digests(connection: Connection, number: int, names: Sequence[str]) -> dict[str, str]:
    """Digests of an order's stored assignments, by id."""
    digests: dict[str, str] = {}
    for start in range(0, len(names), _CHUNK):
        rows = connection.execute(
            select(ASSIGNMENTS.c.id, ASSIGNMENTS.c.digest).where(
                ASSIGNMENTS.c.order_id == number,
                ASSIGNMENTS.c.id.in_(names[start : start + _CHUNK]),
            )
        )
        digests.update({name: digest for name, digest in rows})
    return digests


def _add_restrictions(
    connection: Connection, number: int, restrictions: Sequence[Restriction]
) -> None:
    rows = connection.execute(
        select(RESTRICTIONS.c.annotator, RESTRICTIONS.c.reason).where(
            RESTRICTIONS.c.order_id == number
        )
    )
    stored = {(annotator, reason) for annotator, reason in rows}
    fresh = {
        (restriction.annotator, restriction.reason): float(restriction.at_s)
        # A later entry replaces an earlier one: in reverse, the first ban of several stays.
        for restriction in reversed(restrictions)
    }
    new = [
        {"annotator": annotator, "reason": reason, "at_s": at_s}
        for (annotator, reason), at_s in fresh.items()
        if (annotator, reason) not in stored
    ]
    insert_rows(connection, RESTRICTIONS, number, new)

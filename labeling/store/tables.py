"""The store's tables, and the conversion of orders and assignments to rows and back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from budget.errors import MarketContradiction
from budget.money import Money
from budget.tariffs.staff import Group
from labeling.types import Assignment, Condition, DynamicOverlap, Order, OrderEnd

TABLES = MetaData()

ORDERS = Table(
    "orders",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("study", String(200), nullable=False),
    Column("key", String(32), nullable=False),
    Column("condition_key", String(32), nullable=False),
    Column("condition", Text, nullable=False),  # JSON
    Column("tranche", Integer, nullable=False),
    Column("overlap", Integer, nullable=False),
    Column("most_assignments", Integer, nullable=False),
    Column("minutes", Double),
    Column("end_reason", String(40)),  # null while unfinished, as are the columns below
    Column("end_minutes", Double),
    Column("end_missing", Integer),
    Column("end_looked", Integer),
    Column("end_joined", Integer),
    Column("end_exam_failed", Integer),
    UniqueConstraint("study", "key"),
    UniqueConstraint("study", "condition_key", "tranche"),
)

# All tasks whose target the order raises; wanted is 0 for a task that has enough answers already.
ORDER_TASKS = Table(
    "order_tasks",
    TABLES,
    Column("order_id", ForeignKey(ORDERS.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("task", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
    UniqueConstraint("order_id", "task"),
)

ASSIGNMENTS = Table(
    "assignments",
    TABLES,
    Column("order_id", ForeignKey(ORDERS.c.id), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("annotator", String(200), nullable=False),
    Column("submitted_s", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("reward_micros", BigInteger, nullable=False),
    Column("real_answers", Integer, nullable=False),
    Column("digest", String(32), nullable=False),  # hash of the assignment and its answers
)

ANSWERS = Table(
    "answers",
    TABLES,
    Column("order_id", Integer, primary_key=True),
    Column("assignment", String(200), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("task", Integer, nullable=False),
    Column("label", Integer, nullable=False),
    Column("control", Boolean, nullable=False),
    ForeignKeyConstraint(["order_id", "assignment"], [ASSIGNMENTS.c.order_id, ASSIGNMENTS.c.id]),
    sqlite_with_rowid=False,
)

# Answers to the campaign's further questions; `question` counts from 1, ANSWERS holds question 0.
FURTHER_ANSWERS = Table(
    "further_answers",
    TABLES,
    Column("order_id", Integer, primary_key=True),
    Column("assignment", String(200), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("question", Integer, primary_key=True),
    Column("label", Integer, nullable=False),
    ForeignKeyConstraint(["order_id", "assignment"], [ASSIGNMENTS.c.order_id, ASSIGNMENTS.c.id]),
    sqlite_with_rowid=False,
)

RESTRICTIONS = Table(
    "restrictions",
    TABLES,
    Column("order_id", ForeignKey(ORDERS.c.id), primary_key=True),
    Column("annotator", String(200), primary_key=True),
    Column("reason", String(200), primary_key=True),
    Column("at_s", Double, nullable=False),
)
Index("restrictions_by_annotator", RESTRICTIONS.c.annotator)

PARTS = {
    ORDERS.name: "id",
    **{
        table.name: "order_id"
        for table in (ORDER_TASKS, ASSIGNMENTS, ANSWERS, FURTHER_ANSWERS, RESTRICTIONS)
    },
}
"""The column that tells an order's rows in each table: an order's rows have one seal a table."""


def condition_to_text(condition: Condition) -> str:
    """A condition as JSON."""
    fields: dict[str, Any] = {
        "data": condition.data,
        "market": condition.market,
        "campaign": condition.campaign,
        "price_micros": condition.price.micros,
        "controls": condition.controls,
        "suite_size": condition.suite_size,
        "exam": condition.exam,
    }
    if condition.dynamic is not None:
        fields["dynamic"] = asdict(condition.dynamic)
    if condition.one_by_one:
        fields["one_by_one"] = True
    if condition.prelabels:
        fields["prelabels"] = condition.prelabels
    if condition.group is not None:
        fields["group"] = asdict(condition.group)
    return json.dumps(fields)


def condition_from_text(text: str) -> Condition:
    """The condition that `condition_to_text` wrote."""
    fields = json.loads(text)
    if "dynamic" in fields:
        fields["dynamic"] = DynamicOverlap(**fields["dynamic"])
    if "group" in fields:
        fields["group"] = Group(fields["group"]["name"], tuple(fields["group"]["members"]))
    return Condition(price=Money(fields.pop("price_micros")), **fields)


def order_from_row(row: Row[Any], wanted: tuple[tuple[int, int], ...]) -> Order:
    """An order from its row of ORDERS and its wanted answers."""
    condition = condition_from_text(row.condition)
    return Order(condition, row.tranche, wanted, row.most_assignments, row.minutes)


def end_to_row(end: OrderEnd) -> dict[str, Any]:
    """The columns of ORDERS for an order's end."""
    return {
        "end_reason": end.reason,
        "end_minutes": float(end.minutes),
        "end_missing": int(end.missing),
        "end_looked": int(end.looked),
        "end_joined": int(end.joined),
        "end_exam_failed": int(end.exam_failed),
    }


def end_from_row(row: Row[Any]) -> OrderEnd | None:
    """An order's end from its row; None while the order is unfinished."""
    if row.end_reason is None:
        return None
    return OrderEnd(
        reason=row.end_reason,
        minutes=row.end_minutes,
        missing=row.end_missing,
        looked=row.end_looked,
        joined=row.end_joined,
        exam_failed=row.end_exam_failed,
    )


def assignment_to_row(assignment: Assignment) -> dict[str, Any]:
    """An assignment's row of ASSIGNMENTS, without its order.

    Raises:
        MarketContradiction: tasks, labels and control marks differ in number.
    """
    if not len(assignment.tasks) == len(assignment.labels) == len(assignment.control):
        raise MarketContradiction(
            f"assignment {assignment.id!r}: {len(assignment.tasks)} tasks, "
            f"{len(assignment.labels)} labels and {len(assignment.control)} control marks; "
            "there must be one of each per answer"
        )
    if any(len(labels) != len(assignment.tasks) for labels in assignment.further):
        raise MarketContradiction(
            f"assignment {assignment.id!r}: {len(assignment.tasks)} tasks, but a further question "
            "has another number of labels; there must be one per task"
        )
    row = {
        "id": assignment.id,
        "annotator": assignment.annotator,
        "submitted_s": float(assignment.submitted_s),
        "seconds": float(assignment.seconds),
        "reward_micros": assignment.reward.micros,
        "real_answers": sum(not control for control in assignment.control),
    }
    # The digest covers the answers, too: a repeated assignment is compared without reading them.
    answers = [list(answer.values()) for answer in answers_to_rows(assignment)]
    answers += [list(answer.values()) for answer in further_to_rows(assignment)]
    content = json.dumps([*row.values(), answers]).encode()
    return {**row, "digest": hashlib.blake2b(content, digest_size=16).hexdigest()}


def answers_to_rows(assignment: Assignment) -> list[dict[str, Any]]:
    """An assignment's rows of ANSWERS, without their order."""
    columns = zip(assignment.tasks, assignment.labels, assignment.control, strict=True)
    return [
        {
            "assignment": assignment.id,
            "position": position,
            "task": int(task),
            "label": int(label),
            "control": bool(control),
        }
        for position, (task, label, control) in enumerate(columns)
    ]


def further_to_rows(assignment: Assignment) -> list[dict[str, Any]]:
    """An assignment's rows of FURTHER_ANSWERS, without their order."""
    return [
        {
            "assignment": assignment.id,
            "position": position,
            "question": question,
            "label": int(label),
        }
        for question, labels in enumerate(assignment.further, start=1)
        for position, label in enumerate(labels)
    ]

"""Sums by annotator over everything that a study has bought: for people who look at it."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Engine, case, func, select

from budget.database import reading
from labeling.store.queries import BANNED
from labeling.store.tables import ASSIGNMENTS, ORDERS


class AnnotatorTotals(NamedTuple):
    """One annotator of one condition.

    Attributes:
        condition: key of the condition.
        annotator: the market's id.
        suites: suites submitted.
        answers: answers to tasks that are no control tasks.
        seconds: working time.
        reward_micros: paid to the annotator, in micro-dollars.
        banned: whether a ban in the condition makes answers unusable.
    """

    condition: str
    annotator: str
    suites: int
    answers: int
    seconds: float
    reward_micros: int
    banned: bool


def annotator_totals(engine: Engine, study: str) -> list[AnnotatorTotals]:
    """The annotators of a study's orders, the busiest of each condition first."""
    suites = func.count()
    query = (
        select(
            ORDERS.c.condition_key,
            ASSIGNMENTS.c.annotator,
            suites,
            func.sum(ASSIGNMENTS.c.real_answers),
            func.sum(ASSIGNMENTS.c.seconds),
            func.sum(ASSIGNMENTS.c.reward_micros),
            func.max(case((BANNED, 1), else_=0)),
        )
        .select_from(ASSIGNMENTS.join(ORDERS))
        .where(ORDERS.c.study == study)
        .group_by(ORDERS.c.condition_key, ASSIGNMENTS.c.annotator)
        .order_by(func.min(ORDERS.c.id), suites.desc(), ASSIGNMENTS.c.annotator)
    )
    with reading(engine) as connection:
        return [
            AnnotatorTotals(key, who, count, int(answers), float(seconds), int(paid), bool(banned))
            for key, who, count, answers, seconds, paid, banned in connection.execute(query)
        ]

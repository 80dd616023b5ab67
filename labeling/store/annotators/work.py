"""What each annotator did and earned, over some of a study's orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine, select

from budget.database import check_parts, reading
from budget.money import ZERO, Money
from labeling.store.queries import ANSWERED, BANNED
from labeling.store.tables import ANSWERS, ASSIGNMENTS, ORDERS


@dataclass(slots=True)
class PersonWork:
    """One annotator's work.

    Attributes:
        answers: paid answers, to control tasks, too.
        seconds: paid working time.
        earned: rewards.
        judged: answers to control tasks whose truth is known.
        right: those of them that were right.
        banned: whether answers of the annotator are not used.
    """

    annotator: str
    answers: int = 0
    seconds: float = 0.0
    earned: Money = field(default=ZERO)
    judged: int = 0
    right: int = 0
    banned: bool = False


def work_by_person(
    engine: Engine, study: str, orders: Collection[str], truth: Mapping[int, int]
) -> list[PersonWork]:
    """The work of each annotator, in the order of their names.

    Args:
        engine: the study's database.
        study: its name.
        orders: keys of the orders that count.
        truth: class of each control task; empty where it is not known here.
    """
    people: defaultdict[str, PersonWork] = defaultdict(lambda: PersonWork(""))
    paid: set[tuple[int, str]] = set()
    wanted = set(orders)
    query = (
        select(
            ORDERS.c.key,
            ORDERS.c.id,
            ASSIGNMENTS.c.id.label("assignment"),
            ASSIGNMENTS.c.annotator,
            ASSIGNMENTS.c.seconds,
            ASSIGNMENTS.c.reward_micros,
            ANSWERS.c.task,
            ANSWERS.c.label,
            ANSWERS.c.control,
            BANNED.label("banned"),
        )
        .select_from(ANSWERED)
        .where(ORDERS.c.study == study)
        .order_by(ORDERS.c.id, ASSIGNMENTS.c.id)
    )
    with reading(engine) as connection:
        numbers = connection.scalars(select(ORDERS.c.id).where(ORDERS.c.study == study)).all()
        check_parts(connection, [ASSIGNMENTS.name, ANSWERS.name], numbers)
        rows = [row for row in connection.execute(query) if row.key in wanted]
    for row in rows:
        person = people[row.annotator]
        person.annotator = row.annotator
        person.answers += 1
        person.banned |= bool(row.banned)
        if (row.id, row.assignment) not in paid:  # an assignment may hold several answers
            paid.add((row.id, row.assignment))
            person.seconds += row.seconds
            person.earned += Money(row.reward_micros)
        if row.control and row.task in truth:
            person.judged += 1
            person.right += int(row.label == truth[row.task])
    return [people[name] for name in sorted(people)]

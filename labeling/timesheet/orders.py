"""Orders of single tasks: what cannot be served, how they end, and their pages."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from budget.errors import InputError
from budget.tariffs.staff import StaffTariff
from labeling.campaign.campaign import Campaign
from labeling.source import checked_tasks
from labeling.timesheet.sheet import Refusal, Sheet, WorkedAnswer
from labeling.types import Answers, Assignment, Ints, Order, OrderEnd, Page, Restriction

_PAGE = 50  # assignments

Counted = tuple[Assignment, Restriction | None]
"""An answer that counts, and the ban that it led to."""


def check_order(
    order: Order, campaign: Campaign, tariff: StaffTariff, controls: Collection[int]
) -> Ints:
    """The rows of an order's tasks, after a check that own annotators can serve it.

    Raises:
        InputError: an exam, a rate that pays nothing, control tasks or dynamic overlap for a
            question of taste, or no control tasks where a share of them is asked for.
        ValueError: the condition belongs to another campaign, or is not of single tasks.
    """
    condition = order.condition
    if condition.campaign != campaign.key or condition.suite_size != campaign.suite_size:
        raise ValueError("order: its condition belongs to another campaign than this market's")
    if not condition.one_by_one:
        raise ValueError("order: own annotators submit one task at a time")
    tariff.check_rate(condition.reward)
    if condition.exam:
        raise InputError("own annotators: there is no exam; leave it out")
    if condition.dynamic is not None and campaign.judged is None:
        raise InputError(
            f"overlap: {condition.dynamic} stops where an answer is sure, and no question of the "
            "campaign has a right answer; give whole numbers"
        )
    if condition.controls and (not controls or campaign.judged is None):
        raise InputError(
            "controls: there is no control task to check answers by; give control images and a "
            "question with a right answer, or --controls 0"
        )
    return checked_tasks(order, controls)[0]


def staff_minutes(answers: int, tariff: StaffTariff, people: int, hours: float) -> float:
    """Minutes on the clock that people need for a number of answers, nights included.

    Args:
        answers: all of them.
        tariff: how long one is expected to take.
        people: who share them.
        hours: that they work a day.
    """
    worked = answers * tariff.time.expected_ms / 60_000 / people
    days = math.floor(worked / (60 * hours))
    return days * 24 * 60 + (worked - days * 60 * hours)


def end_of(
    order: Order, sheet: Sheet, came: Sequence[Counted], people: Collection[str]
) -> OrderEnd:
    """An order's end, when nobody works at it any more.

    Args:
        order: the order.
        sheet: its work.
        came: its answers, in the order of submission.
        people: who could have answered.
    """
    last = came[-1][0].submitted_s / 60 if came else 0.0
    missing = int(sheet.missing().sum())
    reason = "supply"
    if not missing:
        reason = "complete"
    elif sheet.left <= 0:
        reason = "limit"
    elif order.minutes is not None and sheet.can_answer(people):
        reason, last = "deadline", max(last, order.minutes)
    joined = len({answer.annotator for answer, _ in came})
    return OrderEnd(reason, last, missing, len(people), joined, 0)


def pages_of(order: Order, came: Sequence[Counted], end: OrderEnd) -> Iterator[Page]:
    """An ended order's answers in pages; the last one carries the end."""
    for first in range(0, max(1, len(came)), _PAGE):
        some = came[first : first + _PAGE]
        bans = tuple(ban for _, ban in some if ban is not None)
        is_last = first + _PAGE >= len(came)
        yield Page(tuple(answer for answer, _ in some), bans, end if is_last else None)


def answers_on(pages: Sequence[Page]) -> Answers:
    """All answers of an ended order in columns, in the order of submission."""
    done = [answer for page in pages for answer in page.assignments]
    banned = {ban.annotator for page in pages for ban in page.restrictions}
    codes: dict[str, int] = {}
    return Answers(
        task=np.array([answer.tasks[0] for answer in done], dtype=np.int64),
        annotator=np.array([codes.setdefault(a.annotator, len(codes)) for a in done], np.int64),
        label=np.array([answer.labels[0] for answer in done], dtype=np.int64),
        control=np.array([answer.control[0] for answer in done], dtype=np.bool_),
        usable=np.array([answer.annotator not in banned for answer in done], dtype=np.bool_),
    )


def page_of(sheet: Sheet, answers: Sequence[WorkedAnswer]) -> tuple[Page, list[Refusal]]:
    """A page of those answers that count, in the order of submission, and the others."""
    came: list[Assignment] = []
    bans: list[Restriction] = []
    refused: list[Refusal] = []
    for answer in answers:
        counted, ban = sheet.take(answer)
        if isinstance(counted, Refusal):
            refused.append(counted)
        else:
            came.append(counted)
        if ban is not None:
            bans.append(ban)
    return Page(tuple(came), tuple(bans), None), refused

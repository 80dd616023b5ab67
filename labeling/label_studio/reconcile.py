"""Compares what a study copied from Label Studio with what the server holds now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labeling.campaign.campaign import Campaign
from labeling.label_studio import log as logged
from labeling.label_studio.client import StudioClient
from labeling.label_studio.labeling_config import labels_in
from labeling.label_studio.log import WorkLog
from labeling.label_studio.project import ProjectFinder, row_of
from labeling.source import COLLECT, SETTLE, Finding, StoredOrder
from labeling.timesheet.sheet import WorkedAnswer
from labeling.types import Condition


@dataclass(frozen=True, slots=True)
class StudyOnServer:
    """A study's part of the server, for reading.

    Attributes:
        client: the server.
        finder: finds the study's projects.
        log: what the study copied.
        campaign: what is asked.
        names: name of an annotator, by number.
    """

    client: StudioClient
    finder: ProjectFinder
    log: WorkLog
    campaign: Campaign
    names: Callable[[int], str]


def differences(study: StudyOnServer, books: Sequence[StoredOrder]) -> list[Finding]:
    """Compare a study's orders, holds and copied answers with the server; change nothing.

    Args:
        study: the study's part of the server.
        books: all stored orders of the study.
    """
    findings = [finding for book in books for finding in _order(study.log, book)]
    of_condition: defaultdict[Condition, list[StoredOrder]] = defaultdict(list)
    for book in books:
        if study.log.of(logged.OPEN, book.order.key):
            of_condition[book.order.condition].append(book)
    for condition, mine in of_condition.items():
        findings += _project(study, condition, mine)
    return findings


def _order(log: WorkLog, book: StoredOrder) -> list[Finding]:
    key, short = book.order.key, book.order.key[:12]
    if book.ended and book.hold is not None:
        text = f"order {short} has ended at {book.paid} and still holds {book.hold}"
        return [Finding(text, SETTLE, "", key, book.paid)]
    if book.ended or book.hold is None:
        return []
    copied = sum(len(answers) for answers in log.pages(key))
    text = f"order {short} is unfinished and holds {book.hold}; {_answers(copied)} copied"
    return [Finding(text, COLLECT, "", key)]


def _project(
    study: StudyOnServer, condition: Condition, books: Sequence[StoredOrder]
) -> list[Finding]:
    """What differs between a condition's copies and its project."""
    found = study.finder.find(condition)
    copied = {
        answer.id: answer
        for book in books
        for answers in study.log.pages(book.order.key)
        for answer in answers
    }
    if found is None:
        title = study.finder.title(condition)
        text = f"project {title!r} is gone; {len(copied)} copied answers count, and stay paid"
        return [Finding(text, "")]
    project = str(found["id"])
    there = {
        str(one["id"]): (task, one)
        for task in study.client.tasks(int(project))
        for one in task["annotations"]
        if not one.get("was_cancelled")
    }
    deleted = [_copy(answer) for key, answer in copied.items() if key not in there]
    changed = [
        _copy(answer)
        for key, answer in copied.items()
        if key in there and answer.labels != labels_in(there[key][1]["result"], study.campaign)
    ]
    late = [_given(study, *there[key]) for key in there if key not in copied]
    told = [
        (deleted, "deleted on the server", "the copies count, and stay paid"),
        (changed, "changed on the server", "the copies count"),
    ]
    if all(book.ended for book in books):
        told.append((late, "given after the orders ended", "not counted and not paid"))
    return [
        Finding(
            f"project {project}: {_answers(len(some))} {what} ({_few(some)}); {then}", "", project
        )
        for some, what, then in told
        if some
    ]


def _answers(count: int) -> str:
    return f"{count} answer{'' if count == 1 else 's'}"


def _copy(answer: WorkedAnswer) -> str:
    return f"answer {answer.id} of {answer.annotator} to image {answer.task}"


def _given(study: StudyOnServer, task: dict[str, Any], one: dict[str, Any]) -> str:
    person = one.get("completed_by")
    number = person.get("id") if isinstance(person, dict) else person
    who = study.names(number) if isinstance(number, int) else "nobody"
    return f"answer {one['id']} of {who} to image {row_of(task)}"


def _few(answers: Sequence[str], most: int = 3) -> str:
    rest = len(answers) - most
    return ", ".join(answers[:most]) + (f" and {rest} more" if rest > 0 else "")

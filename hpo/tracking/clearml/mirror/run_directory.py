"""A run directory as a mirror sees it: the journal's events, in order, and the report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.money import Money
from hpo.study.journal import (
    ANSWER,
    BOUGHT,
    CONFIRMATION,
    DELIVERY,
    EVALUATION,
    PROGRAM,
    PURCHASE,
    STUDY,
    told_versions,
)
from hpo.trial.outcome import Outcome, outcome_from_plain
from labeling.campaign.campaign import score_name

LABELS_BOUGHT = (BOUGHT, DELIVERY)
"""Events of merged labels: bought after the study, or delivered by it."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """An evaluation of a plan, in the order of the journal.

    Attributes:
        number: its place, from 1.
        at: when it was written, ISO time.
        version: label version of the purchase; None for an evaluation without a purchase.
        paid: micro-dollars settled for it. spent: settled in the study by then.
        cap: the study's cap at that time, in micro-dollars.
        trials: the limit of purchases at that time; None without a limit.
        task: the server's task in which an agent ran it; "" without an agent.
    """

    number: int
    at: str
    outcome: Outcome
    version: str | None
    paid: int
    spent: int
    cap: int
    trials: int | None
    task: str


@dataclass(frozen=True, slots=True)
class Child:
    """A plan with a label version of its own: a purchase, a member of the front, or both.

    Attributes:
        version: its label version.
        outcome: its evaluation at that time, at the price tag of the answer.
        number: place of that evaluation; 0 for a member of the front that was not bought.
        paid: micro-dollars settled for it; 0 without a purchase.
        task: the server's task in which an agent ran it; "" without an agent.
    """

    version: str
    outcome: Outcome
    at: str
    number: int
    paid: int
    task: str

    @property
    def key(self) -> str:
        """The plan's name."""
        return self.outcome.plan.key


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Everything a mirror needs to know of a study.

    Attributes:
        folder: the run directory.
        id: the study's own id, unlike that of any other run directory.
        about: configuration, images, market, campaign, question and cap.
        rows: evaluations in order; of a finished study each at its plan's last price tag.
        story: starts, evaluations, confirmations and deliveries in the order of the journal.
        children: purchases, and members of an answer's front that were not bought.
        confirmations: repeated purchases of recommended plans.
        deliveries: labels and models that the study delivered.
        bought: purchases of merged labels, by the study or after it, by their label version.
        version_at: every label version in order, with the time of its event.
        report: the study's report once it is finished, else None.
        program: the program that began it, as ClearML shows it; {} if unknown.
        begun: when the study began, ISO time. ended: the time of the answer; "" before it.
    """

    folder: Path
    id: str
    about: Mapping[str, Any]
    rows: tuple[TrialRow, ...]
    story: tuple[TrialRow | Mapping[str, Any], ...]
    children: tuple[Child, ...]
    confirmations: tuple[Mapping[str, Any], ...]
    deliveries: tuple[Mapping[str, Any], ...]
    bought: Mapping[str, Mapping[str, Any]]
    version_at: Mapping[str, str]
    report: Mapping[str, Any] | None
    program: Mapping[str, Any]
    begun: str
    ended: str

    @property
    def study(self) -> str:
        """The study's name."""
        return str(self.about["study"])

    @property
    def score(self) -> str:
        """What sentences call the score of the study's models."""
        return score_name(self.about["question"]["kind"])

    @property
    def cap(self) -> int:
        """The cap of money, in micro-dollars."""
        return int(self.about["cap"])

    @property
    def versions(self) -> tuple[str, ...]:
        """Every label version, in the order of the journal."""
        return tuple(self.version_at)

    @property
    def latest(self) -> dict[str, Outcome]:
        """Every plan with its last outcome."""
        return {row.outcome.plan.key: row.outcome for row in self.rows}

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        """The roles of plans in a finished study's report: front, knee, recommended."""
        if self.report is None:
            return {}
        roles = {row["plan"]["key"]: ["front"] for row in self.report["front"]}
        if self.report["knee"]:
            roles[self.report["knee"]].append("knee")
        if self.report["recommended"]:
            roles[self.report["recommended"]["plan"]["key"]].append("recommended")
        return {key: tuple(names) for key, names in roles.items()}


def read_run(folder: Path) -> RunDirectory:
    """Read a run directory. Its study may be running.

    Raises:
        InputError: there is no study in the folder, or its journal is damaged.
    """
    events = list(_events(folder / "journal.jsonl"))
    begun = [event for event in events if event["event"] == STUDY]
    if not begun:
        raise InputError(f"{folder}: no study has begun here (journal.jsonl tells of none)")
    answer = _answer(events)
    prices = answer.get("price_tags", {}) if answer else {}
    rows = [replace(row, outcome=_priced(row.outcome, prices)) for row in _rows(events)]
    children: dict[str, Child] = {}
    for child in _children(events, rows):
        outcome = _priced(child.outcome, prices)
        children.setdefault(child.version, replace(child, outcome=outcome))
    confirmations = tuple(event for event in events if event["event"] == CONFIRMATION)
    return RunDirectory(
        folder=folder,
        id=begun[0]["id"],
        about=begun[-1],
        rows=tuple(rows),
        story=tuple(_story(events, rows)),
        children=tuple(children.values()),
        confirmations=confirmations,
        deliveries=tuple(event for event in events if event["event"] == DELIVERY),
        bought={e["labels"]["version"]: e for e in events if e["event"] in LABELS_BOUGHT},
        version_at=_versions(events),
        report=_report(folder, answer) if answer else None,
        program=_program(events),
        begun=begun[0]["at"],
        ended=answer["at"] if answer else "",
    )


def _program(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Repository, commit, entry point and packages of the program that began the study."""
    told = next((event for event in events if event["event"] == PROGRAM), None)
    if told is None:
        return {}
    return {
        "repository": told.get("repository", ""),
        "branch": told.get("branch", ""),
        "version_num": told.get("commit", ""),
        "working_dir": ".",
        "entry_point": told["entry_point"],
        "requirements": {"pip": "\n".join(told.get("packages", ()))},
    }


def _priced(outcome: Outcome, prices: Mapping[str, int]) -> Outcome:
    """An outcome at its plan's last price tag; after the answer, at the answer's price tag."""
    micros = prices.get(outcome.plan.key, outcome.price_tag.micros)
    return replace(outcome, price_tag=Money(micros))


def _events(path: Path) -> Iterator[dict[str, Any]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path.parent}: no study here (journal.jsonl is missing)") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    whole = content[: content.rfind(b"\n") + 1]  # the last line may be half written
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            raise InputError(f"{path}: line {number}: not a JSON object; it is damaged") from None
        yield event


def _rows(events: list[dict[str, Any]]) -> Iterator[TrialRow]:
    spent, number = 0, 0
    about: Mapping[str, Any] = {}
    for event in events:
        if event["event"] == STUDY:  # a larger budget writes another
            about = event
        if event["event"] in (PURCHASE, EVALUATION):
            spent, number = event.get("spent", spent), number + 1
            yield TrialRow(
                number=number,
                at=event["at"],
                outcome=_outcome(event),
                version=event.get("version"),
                paid=event.get("paid", 0),
                spent=spent,
                cap=int(about["cap"]),
                trials=about["config"]["trials"],
                task=event.get("task", ""),
            )


def _story(
    events: list[dict[str, Any]], rows: list[TrialRow]
) -> Iterator[TrialRow | Mapping[str, Any]]:
    left = iter(rows)
    for event in events:
        if event["event"] in (STUDY, CONFIRMATION, DELIVERY):
            yield event
        elif event["event"] in (PURCHASE, EVALUATION):
            yield next(left)


def _outcome(facts: Mapping[str, Any]) -> Outcome:
    return outcome_from_plain({name: facts[name] for name in Outcome.__dataclass_fields__})


def _answer(events: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    """The last answer, unless the study has gone on since."""
    steps = (STUDY, PURCHASE, EVALUATION, ANSWER)
    last = next((event for event in reversed(events) if event["event"] in steps), None)
    return last if last is not None and last["event"] == ANSWER else None


def _children(events: list[dict[str, Any]], rows: list[TrialRow]) -> Iterator[Child]:
    """Purchases, then the other members of answers' fronts, in the order of the journal."""
    for row in rows:
        if row.version is not None:
            yield Child(row.version, row.outcome, row.at, row.number, row.paid, row.task)
    looked = {row.outcome.plan.key: row.task for row in rows if row.version is None and row.task}
    for event in events:
        for member in event["front"] if event["event"] == ANSWER else ():
            task = looked.get(member["plan"]["key"], "")
            yield Child(member["version"], _outcome(member), event["at"], 0, 0, task)


def _versions(events: list[dict[str, Any]]) -> dict[str, str]:
    told_at: dict[str, str] = {}
    for event in events:
        for version in told_versions(event):
            told_at.setdefault(version, event["at"])
    return told_at


def _report(folder: Path, answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The answer's report; None if report.json has other content."""
    try:
        content = (folder / "report.json").read_bytes()
    except OSError:
        return None
    if hashlib.blake2b(content, digest_size=16).hexdigest() != answer["key"]:
        return None
    report: dict[str, Any] = json.loads(content)
    return report

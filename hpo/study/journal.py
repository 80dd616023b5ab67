"""A study's journal: what happened, one JSON object a line, each event written once.

It is enough for a mirror to be built from the run directory alone.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.files import JsonLines
from budget.money import Money
from hpo.settings.program import program
from hpo.settings.stored_answer import to_json
from hpo.study.trials import TASK
from hpo.trial.spending import paid_for

if TYPE_CHECKING:
    from hpo.study.trials import Trials
    from hpo.trial.outcome import Outcome
    from hpo.trial.world import World

STUDY, PURCHASE, EVALUATION = "study", "purchase", "evaluation"
CONFIRMATION, ANSWER, BOUGHT, DELIVERY = "confirmation", "answer", "bought", "delivery"
PROGRAM = "program"
"""Events that mirrors are built from."""


def told_versions(event: Mapping[str, Any]) -> list[str]:
    """The label versions that an event of the journal tells of."""
    if event["event"] == ANSWER:
        return [member["version"] for member in event["front"]]
    if event["event"] in (BOUGHT, DELIVERY):
        return [event["labels"]["version"]]
    return [event["version"]] if event["event"] in (PURCHASE, CONFIRMATION) else []


def _now() -> datetime:
    return datetime.now(UTC)


class StudyPhase(StrEnum):
    """What a study is about, in words."""

    PREPARING = "preparing"
    SEARCHING = "searching"
    BUYING = "buying labels"
    ANSWERING = "making the answer"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a study stands.

    Attributes:
        doing: what is going on now, in a few words.
        purchases: purchases evaluated so far.
        best: the recommended plan so far.
        note: something to be kept in sight; empty for nothing.
        phase: what the study is about.
        front: the front so far.
    """

    doing: str
    purchases: int
    best: Outcome | None
    spent: Money
    held: Money
    left: Money
    note: str = ""
    phase: StudyPhase = StudyPhase.PREPARING
    front: Sequence[Outcome] = ()


Watch = Callable[[Progress], None]


class StudyJournal:
    """An append-only file of events, which several processes may write.

    It tells people and mirrors what happened; nothing is decided by it, and it alone carries clock
    time. A line cut short by a crash is dropped before the next one is written.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = _now) -> None:
        self._lines = JsonLines(path)
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()
        self._learn()

    def _learn(self) -> None:
        """Learn of the events written since the last look."""
        self._seen |= {(event["event"], event["key"]) for event in self._lines.new()}

    def write(self, event: str, key: str, facts: Mapping[str, Any] | None = None) -> None:
        """Append an event, unless the same event with the same key is there already."""

        def is_known() -> bool:
            self._learn()
            return (event, key) in self._seen

        if (event, key) not in self._seen:
            row = {"at": self._clock().isoformat(timespec="seconds"), "event": event, "key": key}
            self._lines.append({**row, **(facts or {})}, unless=is_known)
            self._seen.add((event, key))


class StudyEvents:
    """Writes a study's events. Telling one again changes nothing."""

    def __init__(self, journal: StudyJournal, world: World) -> None:
        self._journal = journal
        self._world = world

    def begin(self, trials: Trials) -> None:
        """Write what is studied, and every event that a crash kept from being written."""
        from hpo.answer.report import ground, question
        from hpo.trial.versions.label_versions import campaign_to_plain

        facts = {
            "study": self._world.config.study,
            **ground(self._world),
            "question": question(self._world),
            "campaign": campaign_to_plain(self._world.market.campaign),
            "cap": self._world.ledger.balance().cap.micros,
        }
        # The first id is the study's own: two folders never share one.
        self._journal.write(STUDY, digest(facts), {"id": uuid.uuid4().hex, **facts})
        self._journal.write(PROGRAM, digest(ran := program()), ran)
        purchases = trials.purchases()
        paid = paid_for(purchases, self._world)
        of_version = {p.version: money for p, money in zip(purchases, paid, strict=True)}
        for trial in trials.evaluated():
            attrs = trial.user_attrs
            task = attrs.get(TASK, "")
            if attrs["bought"]:
                version = attrs["version"]
                self.purchase(attrs["outcome"], version, attrs["order"], of_version[version], task)
            else:
                self.evaluation(attrs["outcome"], task)
        for event, name in ((CONFIRMATION, "confirmed"), (DELIVERY, DELIVERY)):
            for key, done in trials.known(name).items():
                self.section(event, key, done)

    def purchase(
        self, outcome: Mapping[str, Any], version: str, order: str, paid: Money, task: str = ""
    ) -> None:
        """A plan was bought and evaluated.

        Args:
            outcome: what it gave.
            version: its label version.
            order: its last order.
            paid: what was paid for it.
            task: the task outside that it was bought in, such as an agent's; "" for none.
        """
        money = {"paid": paid.micros, "spent": self._world.ledger.balance().spent.micros}
        facts = {**outcome, "version": version, "order": order, **money, **_outside(task)}
        self._journal.write(PURCHASE, outcome["plan"]["key"], facts)

    def evaluation(self, outcome: Mapping[str, Any], task: str = "") -> None:
        """An owned plan was evaluated for nothing; again, it is another event.

        Args:
            outcome: what it gave.
            task: the task outside that it was evaluated in; "" for none.
        """
        key = f"{outcome['plan']['key']}/{digest(outcome)[:8]}"
        self._journal.write(EVALUATION, key, {**outcome, **_outside(task)})

    def section(self, event: str, key: str, measured: Mapping[str, Any]) -> None:
        """A part of the answer was measured for money; empty where the money lacked.

        Args:
            event: the journal's word for it.
            key: what the measurement depends on.
            measured: what it gave.
        """
        if measured:
            spent = self._world.ledger.balance().spent.micros
            self._journal.write(event, key, {**measured, "spent": spent})

    def answer(self, report: Mapping[str, Any], evaluated: Sequence[Outcome]) -> None:
        """The report was written.

        Args:
            report: the report, which names the label version of each member of the front.
            evaluated: the outcomes of all plans as measured; their price tags are told as they are
                now.
        """
        from hpo.trial.outcome import outcome_to_plain
        from hpo.trial.plan_costs import PlanCosts

        costs = PlanCosts(self._world.own())
        prices = {o.plan.key: costs.price(o.plan).micros for o in evaluated}
        versions = {row["plan"]["key"]: row["version"] for row in report["front"]}
        measured = {o.plan.key: o for o in evaluated}
        rows = [{**outcome_to_plain(measured[key]), "version": versions[key]} for key in versions]
        content = hashlib.blake2b(to_json(report).encode(), digest_size=16).hexdigest()
        facts = {"stopped": report["stopped"], "front": rows, "price_tags": prices}
        self._journal.write(ANSWER, content, facts)


def _outside(task: str) -> dict[str, str]:
    return {"task": task} if task else {}


def digest(facts: Mapping[str, Any]) -> str:
    """Content hash of JSON types."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

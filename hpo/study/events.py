"""What a study tells its journal: enough for a mirror to be built from the run directory alone."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.report import ground, question
from hpo.settings.run_folder import to_json
from hpo.study.journal import ANSWER, CONFIRMATION, EVALUATION, PURCHASE, STUDY, StudyJournal
from hpo.study.trials import TASK
from hpo.trial.label_versions import campaign_to_plain
from hpo.trial.outcome import outcome_to_plain

if TYPE_CHECKING:
    from hpo.study.trials import Trials
    from hpo.trial.outcome import Outcome
    from hpo.trial.world import World


class Story:
    """Writes a study's events. Telling one again changes nothing."""

    def __init__(self, journal: StudyJournal, world: World) -> None:
        self._journal = journal
        self._world = world

    def begin(self, trials: Trials) -> None:
        """Tell what is studied, and whatever a crash kept from being told."""
        facts = {
            "study": self._world.config.study,
            **ground(self._world),
            "question": question(self._world),
            "campaign": campaign_to_plain(self._world.market.campaign),
            "cap": self._world.ledger.balance().cap.micros,
        }
        # The first id is the study's own: two folders never share one.
        self._journal.write(STUDY, digest(facts), {"id": uuid.uuid4().hex, **facts})
        for trial in trials.evaluated():
            known = trial.user_attrs
            task = known.get(TASK, "")
            if known["bought"]:
                self.purchase(known["outcome"], known["version"], known["order"], task)
            else:
                self.evaluation(known["outcome"], task)
        for key, done in trials.known("confirmed").items():
            self.confirmation(key, done)

    def purchase(
        self, outcome: Mapping[str, Any], version: str, order: str, task: str = ""
    ) -> None:
        """A plan was bought and evaluated.

        Args:
            outcome: what it gave.
            version: its label version.
            order: its last order.
            task: the task outside that it was bought in, such as an agent's; "" for none.
        """
        world, record = self._world, self._world.store.record(order)
        paid = world.store.paid(record.order, world.source.tariff).micros if record else 0
        money = {"paid": paid, "spent": world.ledger.balance().spent.micros}
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

    def confirmation(self, key: str, done: Mapping[str, Any]) -> None:
        """The recommended plan, or part of it, was bought again; empty where money lacked."""
        if done:
            spent = self._world.ledger.balance().spent.micros
            self._journal.write(CONFIRMATION, key, {**done, "spent": spent})

    def answer(self, report: Mapping[str, Any], front: Sequence[Outcome]) -> None:
        """The report was written.

        Args:
            report: the report, which names the label version of each member of the front.
            front: the outcomes of those members.
        """
        versions = {row["plan"]["key"]: row["version"] for row in report["front"]}
        rows = [{**outcome_to_plain(o), "version": versions[o.plan.key]} for o in front]
        content = hashlib.blake2b(to_json(report).encode(), digest_size=16).hexdigest()
        self._journal.write(ANSWER, content, {"stopped": report["stopped"], "front": rows})


def _outside(task: str) -> dict[str, str]:
    return {"task": task} if task else {}


def digest(facts: Mapping[str, Any]) -> str:
    """Content hash of JSON types."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

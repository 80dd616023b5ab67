"""The platform's state: all objects, the account and the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from budget.money import Money
from budget.tariffs.suite import SuiteTariff
from labeling.crowd.scenario import Scenario
from labeling.toloka.server.model.account import Account
from labeling.toloka.server.model.errors import not_found
from labeling.toloka.server.model.ids import Ids, digest
from labeling.toloka.server.model.records import (
    Doc,
    PlatformAssignment,
    PlatformPool,
    Task,
    TaskOrSuite,
    TaskSuite,
)
from labeling.toloka.server.model.truth import Truth

_BALANCE = Money(1_000_000_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a platform.

    Attributes:
        scenario: the annotators.
        seed: seed of all random draws.
        balance: the requester's deposit.
        tariff: the platform's tariff.
        truth: the true answers of a rehearsal, or None.
        quotas: whether calls above the quotas are refused.
        running: whether an operation is first answered as running, not as finished.
    """

    scenario: Scenario
    seed: int = 0
    balance: Money = _BALANCE
    tariff: SuiteTariff = field(default_factory=SuiteTariff)
    truth: Truth | None = None
    quotas: bool = False
    running: bool = False


@dataclass(eq=False)
class PlatformState:
    """The platform's objects, account and time.

    Attributes:
        now: milliseconds since the platform's start.
        version: number that rises with every change that a client can see.
        user_skills: skill values, by annotator and skill.
        working: pools that are open or have active assignments; only these have events.
        ending: restrictions with an end.
        bans: restrictions of each annotator, lifted ones included.
        to_open: pools that a rule opens again after the current event.
        aggregates: results of aggregations, by operation.
        people: each annotator's pool, and the number in its crowd.
    """

    settings: Settings
    now: int = 0
    version: int = 0
    projects: dict[str, Doc] = field(default_factory=dict)
    pools: dict[str, PlatformPool] = field(default_factory=dict)
    suites: dict[str, TaskSuite] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    assignments: dict[str, PlatformAssignment] = field(default_factory=dict)
    skills: dict[str, Doc] = field(default_factory=dict)
    user_skills: dict[tuple[str, str], Doc] = field(default_factory=dict)
    restrictions: dict[str, Doc] = field(default_factory=dict)
    working: dict[str, PlatformPool] = field(default_factory=dict)
    ending: list[Doc] = field(default_factory=list)
    bans: dict[str, list[Doc]] = field(default_factory=dict)
    to_open: list[str] = field(default_factory=list)
    people: dict[str, tuple[str, int]] = field(default_factory=dict)
    attachments: dict[str, Doc] = field(default_factory=dict)
    aggregates: dict[str, list[Doc]] = field(default_factory=dict)
    bonuses: dict[str, Doc] = field(default_factory=dict)
    operations: dict[str, Doc] = field(default_factory=dict)
    logs: dict[str, list[Doc]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids = Ids(self.settings.seed)
        self.account = Account(self.settings.tariff, self.settings.balance)
        self._values: dict[str, dict[str, float]] = {}
        self.owner: Doc = {"id": digest("requester"), "myself": True}

    def changed(self) -> None:
        """Count a change that a client can see."""
        self.version += 1

    def skills_of(self, user: str) -> dict[str, float]:
        """Skill values of an annotator, by skill."""
        return self._values.get(user, {})

    def set_skill(self, user: str, skill: str, value: float, time: str) -> Doc:
        """Set an annotator's value of a skill, from 0 to 100."""
        doc = self.user_skills.get((user, skill))
        if doc is None:
            key = self.ids.number("user skill")
            doc = {"id": key, "skill_id": skill, "user_id": user, "created": time}
            self.user_skills[user, skill] = doc
        doc |= {"value": round(value), "exact_value": value, "modified": time}
        self._values.setdefault(user, {})[skill] = value
        return doc

    def drop_skill(self, user: str, skill: str) -> None:
        """Remove a skill of an annotator."""
        del self.user_skills[user, skill]
        del self._values[user][skill]

    def pool(self, key: str) -> PlatformPool:
        """A pool or training by its id."""
        pool: PlatformPool = _get(self.pools, "pool", key)
        return pool

    def asked(self, key: str) -> TaskOrSuite:
        """A task or suite by its id."""
        return self.suites[key] if key in self.suites else self.tasks[key]

    def project(self, key: str) -> Doc:
        """A project by its id."""
        project: Doc = _get(self.projects, "project", key)
        return project


def _get(kind: dict[str, Any], what: str, key: str) -> Any:
    if key not in kind:
        raise not_found(what, key)
    return kind[key]

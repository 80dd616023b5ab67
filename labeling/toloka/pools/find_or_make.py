"""Finds or creates a condition's objects on the market: project, skills, exam pool, main pool.

Each object carries a marker. An object that the journal does not know is searched by its marker
before it is created. If two machines create the same object, the oldest stays and the others are
archived. Pools are created closed and cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from budget.errors import MarketError, MarketRefused
from labeling.campaign.campaign import Campaign
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import DONE, INTENT, REFUSED, IntentLog
from labeling.toloka.describe import spec
from labeling.toloka.describe.spec import Access, Marker
from labeling.types import Condition

LISTED = 300  # largest number of projects or pools in one answer
POOLS_PER_MINUTE, POOLS_PER_DAY = 20, 100
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """A kind of object on the market, with its calls.

    Attributes:
        action: name of the kind in the journal and in messages.
        get: reads an object by its id.
        find: lists the objects with the marker.
        make: creates an object.
        discard: archives a surplus object; None if the platform cannot.
    """

    action: str
    get: Callable[[Any, str], Any]
    find: Callable[[Any], Sequence[Any]]
    make: Callable[[Any], Any]
    discard: Callable[[Any, str], Any] | None


def find_or_make(api: Api, journal: IntentLog, kind: ObjectKind, key: str) -> Any:
    """The object of a kind under a key; repeated calls return the same object.

    Raises:
        MarketRefused: the platform refuses to create the object.
        MarketUnreachable: the platform does not answer.
    """
    # Of two processes on this machine, one creates the object and the other finds it.
    with journal.turn("making"):
        return _find_or_make(api, journal, kind, key)


def _find_or_make(api: Api, journal: IntentLog, kind: ObjectKind, key: str) -> Any:
    record = journal.done(kind.action, key)
    if record is not None:
        thing = _recorded(api, kind, record["id"])
        if not _archived(thing):
            return thing
    objects = _listed(api, kind)
    if not objects:
        # The intent is on disk before the call: it also counts for the quota of pools.
        journal.write(kind.action, key, INTENT)
        try:
            api.write(f"creating the {kind.action}", kind.make, lambda c: _first(kind, c))
        except MarketRefused as refused:
            journal.write(kind.action, key, REFUSED, code=refused.code)
            raise
        # Listed again, not taken from the answer: another machine may have created one, too.
        objects = _listed(api, kind)
    if not objects:
        raise MarketError(f"{api.name}: the {kind.action} was created but is not listed; try later")
    for surplus in objects[1:] if kind.discard else []:
        _discard(api, journal, kind, surplus.id)
    journal.write(kind.action, key, DONE, id=objects[0].id)
    return objects[0]


def _recorded(api: Api, kind: ObjectKind, key: str) -> Any:
    """The object with the id that the journal recorded.

    Raises:
        MarketError: the account does not know the object.
    """
    try:
        return api.read(lambda client: kind.get(client, key))
    except MarketRefused as refused:
        if refused.status != 404:
            raise
        raise MarketError(
            f"{api.name}: this account does not know {kind.action} {key}, which this study has "
            "made; go on with the token it was started with"
        ) from None


def _listed(api: Api, kind: ObjectKind) -> list[Any]:
    things = api.read(lambda client: list(kind.find(client)))
    return sorted((t for t in things if not _archived(t)), key=lambda t: (len(t.id), t.id))


def _first(kind: ObjectKind, client: Any) -> Any:
    current = [thing for thing in kind.find(client) if not _archived(thing)]
    return min(current, key=lambda t: (len(t.id), t.id)) if current else None


def _discard(api: Api, journal: IntentLog, kind: ObjectKind, surplus: str) -> None:
    """Archive a surplus object; it was never opened."""
    discard = kind.discard
    if discard is None:
        return
    journal.write(f"surplus {kind.action}", surplus, INTENT)
    api.write(
        f"archiving a surplus {kind.action}",
        lambda client: discard(client, surplus) or True,
        lambda client: True if _archived(kind.get(client, surplus)) else None,
    )
    journal.write(f"surplus {kind.action}", surplus, DONE)


def _archived(thing: Any) -> bool:
    return status_of(thing) == "ARCHIVED"


def status_of(thing: Any) -> str:
    """The status of a project or pool as a word; empty for objects without a status."""
    status = getattr(thing, "status", None)
    return str(getattr(status, "value", status) or "")


def pools_of(client: Any, **filters: Any) -> list[Any]:
    """All pools that pass the filters, in as few requests as possible."""
    return list(client.get_pools(batch_size=LISTED, **filters))


class PoolFactory:
    """Finds or creates the project, skills and pools of a campaign and a study.

    Args:
        api: the platform.
        journal: records intents.
        campaign: the campaign.
        marker: the study's marker.
        auto_accept: whether answers are accepted, and so paid, without review.
    """

    def __init__(
        self, api: Api, journal: IntentLog, campaign: Campaign, marker: Marker, auto_accept: bool
    ) -> None:
        self._api = api
        self._journal = journal
        self._campaign = campaign
        self._marker = marker
        self._auto_accept = auto_accept

    def project(self) -> str:
        """Id of the campaign's project."""
        wanted = spec.project_marker(self._campaign)
        kind = ObjectKind(
            "project",
            lambda client, object_id: client.get_project(object_id),
            lambda client: [
                project
                for project in client.get_projects(status="ACTIVE", batch_size=LISTED)
                if project.private_comment == wanted
            ],
            lambda client: client.create_project(spec.project(self._campaign)),
            lambda client, surplus: client.archive_project_async(surplus),
        )
        return self._id(kind, self._campaign.key)

    def exam(self, digest: str, will_expire: datetime) -> tuple[str, str]:
        """Ids of the campaign's exam pool and its skill.

        Args:
            digest: hash of the exam's tasks; other tasks make another exam.
            will_expire: time at which a new exam pool closes by itself.
        """
        project = self.project()
        skill = self._skill(spec.exam_skill(self._campaign, digest))

        def is_it(pool: Any) -> bool:
            facts = (spec.fact(pool, "exam"), spec.fact(pool, "tasks"))
            return facts == (self._campaign.key, digest)

        kind = self._pools(
            "exam pool",
            project,
            is_it,
            lambda: spec.exam_pool(self._campaign, project, skill, digest, will_expire),
        )
        return self._id(kind, f"{self._campaign.key} {digest}"), skill

    def described_exam(self, skill: str, digest: str, will_expire: datetime) -> Any:
        """The settings that the exam pool must have when it is opened."""
        return spec.exam_pool(self._campaign, self.project(), skill, digest, will_expire)

    def main(self, condition: Condition, exam_skill: str | None, will_expire: datetime) -> str:
        """Id of a condition's pool."""
        project, skill = self.project(), self.study_skill()

        def is_it(pool: Any) -> bool:
            return self._marker.owns(pool) and spec.fact(pool, "condition") == condition.key

        # The pool's number in the study's skill is its place among the study's pools, so it is
        # known only after the creation: `described` sets it before the pool is opened.
        access = Access(skill, 0, exam_skill)
        kind = self._pools(
            "pool",
            project,
            is_it,
            lambda: self._described(condition, project, access, will_expire),
        )
        return self._id(kind, condition.key)

    def study_skill(self) -> str:
        """Id of the skill that keeps annotators of other conditions out."""
        return self._skill(spec.study_skill(self._marker))

    def described(
        self,
        condition: Condition,
        pool_id: str,
        exam_skill: str | None,
        will_expire: datetime,
        **facts: str,
    ) -> Any:
        """The settings that a condition's pool must have when it is opened."""
        project, skill = self.project(), self.study_skill()
        pools = self._api.read(lambda client: pools_of(client, project_id=project))
        mine = sorted((p.id for p in pools if self._marker.owns(p)), key=lambda i: (len(i), i))
        access = Access(skill, 1 + mine.index(pool_id), exam_skill)
        return self._described(condition, project, access, will_expire, **facts)

    def _described(
        self,
        condition: Condition,
        project: str,
        access: Access,
        will_expire: datetime,
        **facts: str,
    ) -> Any:
        return spec.main_pool(
            self._campaign,
            condition,
            project,
            access,
            self._marker,
            will_expire,
            self._auto_accept,
            **facts,
        )

    def _skill(self, wanted: Any) -> str:
        kind = ObjectKind(
            "skill",
            lambda client, object_id: client.get_skill(object_id),
            lambda client: client.get_skills(name=wanted.name),
            lambda client: client.create_skill(wanted),
            None,
        )
        return self._id(kind, wanted.name)

    def _pools(
        self,
        action: str,
        project: str,
        is_it: Callable[[Any], bool],
        describe: Callable[[], Any],
    ) -> ObjectKind:
        def make(client: Any) -> Any:
            self._wait_for_quota()
            return client.create_pool(describe())

        return ObjectKind(
            action,
            lambda client, object_id: client.get_pool(object_id),
            lambda client: [p for p in pools_of(client, project_id=project) if is_it(p)],
            make,
            lambda client, surplus: client.archive_pool_async(surplus),
        )

    def _wait_for_quota(self) -> None:
        """Keep to 20 pools a minute and 100 a day, counted by the journal's intents.

        Raises:
            MarketError: the day's quota is used up.
        """
        # The count includes the pool to be created: its intent is already in the journal.
        minute, day = pools_made(self._journal, self._api.clock.now())
        if day > POOLS_PER_DAY:
            raise MarketError(
                f"{self._api.name}: {POOLS_PER_DAY} pools were made within a day, as many as "
                "Toloka allows; start the same command again tomorrow"
            )
        if minute > POOLS_PER_MINUTE:
            self._api.clock.sleep(60)

    def _id(self, kind: ObjectKind, key: str) -> str:
        return str(find_or_make(self._api, self._journal, kind, key).id)


def pools_made(journal: IntentLog, now: datetime) -> tuple[int, int]:
    """Number of intents to create a pool within the last minute, and within the last day."""
    records = [*journal.records("pool"), *journal.records("exam pool")]
    ages = [now - datetime.fromisoformat(r["at"]) for r in records if r["state"] == INTENT]
    return sum(age < timedelta(minutes=1) for age in ages), sum(age < DAY for age in ages)

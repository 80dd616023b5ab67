"""A look at the account by reads only: is everything there to buy labels?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from budget.money import MICROS_PER_DOLLAR, Money
from labeling.toloka.api.client import Api
from labeling.toloka.pools.find_or_make import (
    LISTED,
    POOLS_PER_DAY,
    POOLS_PER_MINUTE,
    pools_of,
    status_of,
)

MOST_SKEW_S = 60.0
_PER_DAY = 100  # projects, skills


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a quota is used up."""

    name: str
    used: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Health:
    """What a look at an account has found.

    Attributes:
        platform: its name.
        requester: the account's id.
        name: the requester's public name; empty if there is none.
        balance: what it holds.
        skew_s: by how many seconds the clock that pools expire by is ahead of the platform's; None
            where the platform does not tell its time.
        quotas: used within a minute or a day.
        open_pools: ids of all open pools of the account.
    """

    platform: str
    requester: str
    name: str
    balance: Money
    skew_s: float | None
    quotas: tuple[Quota, ...]
    open_pools: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """What stands in the way, one line each, with its remedy."""
        found = []
        if self.balance.micros <= 0:
            found.append(f"{self.platform}: the account is empty; top it up")
        if self.skew_s is not None and abs(self.skew_s) > MOST_SKEW_S:
            found.append(
                f"clock: this machine is {self.skew_s:.0f} s off; set it, or pools expire at "
                "another time than meant"
            )
        found += [
            f"{quota.name}: {quota.used} of {quota.allowed} are used up; wait"
            for quota in self.quotas
            if quota.used >= quota.allowed
        ]
        return tuple(found)


def doctor(api: Api) -> Health:
    """Look at the account behind a token. Changes nothing.

    Raises:
        InputError: the platform does not know the token.
        MarketUnreachable: it does not answer.
    """
    requester = api.read(lambda client: client.get_requester())
    now = api.clock.now()
    day = now - timedelta(days=1)
    pools = api.read(lambda client: pools_of(client, created_gte=day))
    trainings = api.read(
        lambda client: list(client.get_trainings(created_gte=day, batch_size=LISTED))
    )
    projects = api.read(
        lambda client: list(client.get_projects(created_gte=day, batch_size=LISTED))
    )
    skills = api.read(lambda client: list(client.get_skills(created_gte=day, batch_size=LISTED)))
    is_open = api.read(lambda client: pools_of(client, status="OPEN"))
    fresh = [pool for pool in pools if _since(pool, now - timedelta(minutes=1))]
    names = requester.public_name or {}
    return Health(
        platform=api.name,
        requester=str(requester.id),
        name=str(names.get("EN") or next(iter(names.values()), "")),
        balance=Money(int(requester.balance * MICROS_PER_DOLLAR)),
        skew_s=_skew(api),
        quotas=(
            Quota("pools within a minute", len(fresh), POOLS_PER_MINUTE),
            Quota("pools within a day", len(pools), POOLS_PER_DAY),
            Quota("trainings within a day", len(trainings), _PER_DAY),
            Quota("projects within a day", len(projects), _PER_DAY),
            Quota("skills within a day", len(skills), _PER_DAY),
        ),
        open_pools=tuple(pool.id for pool in is_open if status_of(pool) == "OPEN"),
    )


def _since(thing: Any, moment: datetime) -> bool:
    return thing.created is not None and thing.created >= moment


def _skew(api: Api) -> float | None:
    """Seconds by which our clock is ahead, by the date that the platform's answers carry.

    On Toloka ours is this machine's; a local server's clock is its own, and ours there.
    """
    told = api.date()
    if told is None:
        return None
    return (api.clock.now() - parsedate_to_datetime(told)).total_seconds()

"""A check of the account, by reads only: can it buy labels?"""

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
    """A quota, and the used part of it."""

    name: str
    used: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Health:
    """The state of an account.

    Attributes:
        platform: the platform's name.
        requester: the account's id.
        name: the requester's public name; empty without one.
        balance: money in the account.
        skew_s: seconds by which the clock that pools expire by is ahead of the platform's clock;
            None if the platform does not tell its time.
        quotas: quotas of a minute or a day.
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
        """The problems of the account, one line each, with the remedy."""
        lines = []
        if self.balance.micros <= 0:
            lines.append(f"{self.platform}: the account is empty; top it up")
        if self.skew_s is not None and abs(self.skew_s) > MOST_SKEW_S:
            lines.append(
                f"clock: this machine is {self.skew_s:.0f} s off; set it, or pools expire at "
                "another time than meant"
            )
        lines += [
            f"{quota.name}: {quota.used} of {quota.allowed} are used up; wait"
            for quota in self.quotas
            if quota.used >= quota.allowed
        ]
        return tuple(lines)


def doctor(api: Api) -> Health:
    """Read the state of the account of a token; change nothing.

    Raises:
        InputError: the platform does not accept the token.
        MarketUnreachable: the platform does not answer.
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
    """Seconds by which the client's clock is ahead of the date in the platform's answers.

    With Toloka the client's clock is this machine's; with a local server it is the server's clock.
    """
    told = api.date()
    if told is None:
        return None
    return (api.clock.now() - parsedate_to_datetime(told)).total_seconds()

"""Control of the simulated platform: clock, account, seed, counts. Toloka's API has none of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from budget.errors import InputError
from labeling.crowd.scenario import load_scenario
from labeling.toloka.server.engine import course
from labeling.toloka.server.model.clock import from_iso, to_iso
from labeling.toloka.server.model.records import Doc, money
from labeling.toloka.server.model.truth import read_truth
from labeling.toloka.server.model.world import PlatformState, Settings
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.control import BALANCE, CLOCK


@route("GET", "/sim/clock")
def clock(world: PlatformState, request: Request) -> Reply:
    """The platform's time."""
    return Reply(200, {"now": to_iso(world.now), "ms": world.now})


@route("POST", "/sim/clock", body=CLOCK)
def move_clock(world: PlatformState, request: Request) -> Reply:
    """Move the clock: by `seconds`, `until` a date, or over a number of `events`."""
    form = request.body
    if "events" in form:
        course.move(world, form["events"])
    elif "until" in form:
        course.advance(world, from_iso(form["until"]))
    else:
        course.advance(world, world.now + round(1000 * form["seconds"]))
    return clock(world, request)


@route("GET", "/sim/account")
def account(world: PlatformState, request: Request) -> Reply:
    """Every movement of money, in micro-dollars."""
    entries = [
        {"at": to_iso(e.at), "what": e.what, "reward": e.reward.micros, "fee": e.fee.micros}
        for e in world.account.entries
    ]
    reserved = sum(price.micros for price in world.account.reserved.values())
    doc = {
        "deposit": world.account.deposit.micros,
        "charged": world.account.charged.micros,
        "reserved": reserved,
        "balance": world.account.balance.micros,
        "entries": entries,
    }
    return Reply(200, doc)


@route("POST", "/sim/balance", body=BALANCE)
def set_balance(world: PlatformState, request: Request) -> Reply:
    """Change the deposit so that the balance is the given amount, in dollars."""
    wanted = money(request.body["balance"])
    world.account.deposit += wanted - world.account.balance
    return account(world, request)


@route("GET", "/sim/counts")
def counts(world: PlatformState, request: Request) -> Reply:
    """Number of objects of each kind ever created, and ids of the open pools."""
    open_pools = [pool.id for pool in world.pools.values() if pool.is_open]
    created = {
        "projects": len(world.projects),
        "pools": sum(not pool.training for pool in world.pools.values()),
        "trainings": sum(pool.training for pool in world.pools.values()),
        "tasks": len(world.tasks),
        "task_suites": len(world.suites),
        "assignments": len(world.assignments),
        "skills": len(world.skills),
        "user_bonuses": len(world.bonuses),
        "restrictions": len(world.restrictions),
        "operations": len(world.operations),
    }
    return Reply(200, {"created": created, "open_pools": open_pools})


def new_settings(old: Settings, form: Doc) -> Settings:
    """The settings after a reset.

    Args:
        old: the settings before.
        form: `seed`, `balance` (dollars), `scenario` (name or file), `truth` (file or null),
            `quotas`, `running`.

    Raises:
        InputError: an unknown setting or an invalid value.
    """
    changes: dict[str, Any] = {}
    for name, value in form.items():
        if name not in _READ:
            raise InputError(f"reset: {name}: no such setting; valid are {', '.join(_READ)}")
        changes[name] = _READ[name](value)
    return replace(old, **changes)


_READ: dict[str, Callable[[Any], Any]] = {
    "balance": money,
    "quotas": bool,
    "running": bool,
    "scenario": load_scenario,
    "seed": int,
    "truth": lambda value: read_truth(Path(value)) if value is not None else None,
}

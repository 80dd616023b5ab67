"""What our client says on the wire, judged by the published description of the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from budget.money import Money
from labeling.toloka.api.client import connect
from labeling.toloka.api.clock import WallClock
from labeling.toloka.api.token import Token
from labeling.toloka.doctor import doctor
from labeling.toloka.pools.review import give_bonus
from labeling.toloka.server import Server
from labeling.toloka.source import TolokaSource
from labeling.types import Assignment
from tests.labeling.toloka.contract import Contract
from tests.labeling.toloka.ground import CAMPAIGN, CANARY, TWO, Ground, buy


def everything(on: Ground, market: TolokaSource) -> None:
    """Two tranches with an exam and rounds, a look around, a bonus, archiving."""
    first = on.order(20, overlap=2, exam=True)
    pages = buy(market, first)
    buy(market, on.order(30, overlap=1, tranche=1, exam=True, minutes=2.0))
    best = pages[0].assignments[0].annotator
    give_bonus(market.api, market.journal, "best", best, Money(20_000), "Thank you")
    doctor(market.api)
    market.sweep()
    market.archive([first.condition.key])


def strict(assignment: Assignment) -> str | None:
    return "Too fast" if assignment.seconds < 30 else None


@pytest.mark.parametrize("questions", [pytest.param("one", marks=pytest.mark.slow), "two"])
def test_every_request_fits_the_published_description(
    questions: str, tmp_path: Path, data_folder: Path
) -> None:
    judge = Contract(data_folder / "toloka-api")
    campaign = TWO if questions == "two" else CAMPAIGN
    on = Ground(tmp_path, campaign=campaign, tasks=30, controls=20)
    on.server = Server(on.settings(), watch=judge.record)
    on.server.start()
    try:
        everything(on, on.market(review=strict if questions == "two" else None))
    finally:
        on.close()
    said = {f"{exchange.method} {exchange.template}" for exchange in judge.said}
    assert judge.problems() == []
    assert said >= {
        *("POST /v1/projects", "POST /v1/skills", "POST /v1/pools", "PUT /v1/pools/{id}"),
        *("POST /v1/tasks", "PATCH /v1/tasks/{id}", "POST /v1/pools/{id}/open"),
        *("GET /v1/assignments", "GET /v1/user-restrictions", "GET /v1/user-skills"),
        *("POST /v1/pools/{id}/close", "POST /v1/pools/{id}/archive", "POST /v1/user-bonuses"),
        *("GET /v1/requester", "GET /v1/operations/{id}/log"),
    }
    assert ("PATCH /v1/assignments/{id}" in said) == (questions == "two")


def test_the_doctor_only_reads(tmp_path: Path, data_folder: Path) -> None:
    judge = Contract(data_folder / "toloka-api")
    on = Ground(tmp_path, tasks=30, controls=20)
    on.server = Server(on.settings(), watch=judge.record)
    on.server.start()
    try:
        market = on.market()
        buy(market, on.order(exam=True))
        judge.said.clear()
        health = doctor(on.api())
        wall = doctor(connect(Token(CANARY), on.server.url, WallClock()))
    finally:
        on.close()
    assert {exchange.method for exchange in judge.said} == {"GET"}
    assert health.requester
    assert health.balance == on.balance - on.server.platform.world.account.charged
    assert health.open_pools == ()
    quotas = {quota.name: quota.used for quota in health.quotas}
    assert quotas["pools within a day"] == 2
    assert quotas["skills within a day"] == 2
    assert health.skew_s is not None
    assert abs(health.skew_s) <= 1
    assert health.problems == ()
    # The local platform lives in 2022, which is years off by the clock on the wall.
    assert any(line.startswith("clock: this machine is") for line in wall.problems)

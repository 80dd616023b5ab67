"""Money: what is charged and reserved, when, and what the balance does not bear."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from budget.money import ZERO, Money
from budget.tariffs.suite import SuiteTariff

from .campaign import fill, finish, poll, run
from .wire import Refused, Wire, address, known

Start = Callable[..., Wire]
PRICE = SuiteTariff().cost(1, Money(20_000)).micros  # of an assignment at $0.02: $0.026


def test_submitted_assignments_are_charged_with_the_fee(platform: Start) -> None:
    wire = platform(seed=1)
    _, done = run(wire, tasks=40, overlap=3)
    account = wire.get("/sim/account")
    paid = {a["id"] for a in done if a["status"] == "ACCEPTED"}
    assert {entry["what"] for entry in account["entries"]} == paid
    assert {(e["reward"], e["fee"]) for e in account["entries"]} == {(20_000, 6_000)}
    assert account["charged"] == PRICE * len(paid)
    assert account["balance"] == 1_000_000_000 - account["charged"]
    assert wire.get("/v1/requester")["balance"] == account["balance"] / 1e6
    unpaid = [a for a in done if a["status"] in ("SKIPPED", "EXPIRED")]
    assert len(paid) + len(unpaid) == len(done)


def test_the_smallest_fee_holds_for_small_rewards(platform: Start) -> None:
    wire = platform()
    _, done = run(wire, tasks=8, overlap=1, reward_per_assignment=0.005)
    paid = sum(a["status"] == "ACCEPTED" for a in done)
    assert wire.get("/sim/account")["charged"] == paid * (5_000 + 1_500)
    wire.post("/sim/reset", {})
    form = {"reward_per_assignment": 0.0049}
    with pytest.raises(Refused, match="at least"):
        fill(wire, **form)


def test_a_pool_opens_only_if_the_balance_bears_its_tasks(platform: Start) -> None:
    wire = platform()
    key = fill(wire, tasks=40, overlap=3)  # 30 suites of 4
    wire.post("/sim/balance", {"balance": str((30 * PRICE - 1) / 1e6)})
    with pytest.raises(Refused) as refused:
        wire.post(f"/v1/pools/{key}/open")
    assert (refused.value.status, refused.value.code) == (409, "NOT_ENOUGH_BALANCE")
    assert wire.get(f"/v1/pools/{key}")["status"] == "CLOSED"
    wire.post("/sim/balance", {"balance": str(30 * PRICE / 1e6)})
    assert wire.post(f"/v1/pools/{key}/open")["status"] == "SUCCESS"


def test_a_pool_closes_when_the_money_ends_and_never_overdraws(platform: Start) -> None:
    wire = platform(seed=3)
    first, second = fill(wire, tasks=40, overlap=3), fill(wire, tasks=40, overlap=3)
    wire.post("/sim/balance", {"balance": str(35 * PRICE / 1e6)})
    for key in (first, second):
        wire.post(f"/v1/pools/{key}/open")
    while any(wire.get(f"/v1/pools/{key}")["status"] == "OPEN" for key in (first, second)):
        assert wire.get("/sim/account")["balance"] >= 0
    done = [*finish(wire, first), *finish(wire, second)]
    reasons = {wire.get(f"/v1/pools/{key}")["last_close_reason"] for key in (first, second)}
    assert "NOT_ENOUGH_BALANCE" in reasons
    account = wire.get("/sim/account")
    assert account["charged"] == PRICE * sum(a["status"] == "ACCEPTED" for a in done)
    assert 0 <= account["balance"] < PRICE * 3


def test_what_waits_for_review_is_reserved_until_it_is_decided(platform: Start) -> None:
    wire = platform(seed=1)
    _, done = run(wire, tasks=20, overlap=1, auto_accept_solutions=False)
    waiting = [a["id"] for a in done if a["status"] == "SUBMITTED"]
    account = wire.get("/sim/account")
    assert (account["charged"], account["reserved"]) == (0, PRICE * len(waiting))
    path = "/v1/assignments/{}".format
    first, second = waiting[:2]
    accepted = wire.patch(path(first), {"status": "ACCEPTED", "public_comment": "good"})
    assert (accepted["status"], "accepted" in accepted) == ("ACCEPTED", True)
    with pytest.raises(Refused, match="say why"):
        wire.patch(path(second), {"status": "REJECTED"})
    wire.patch(path(second), {"status": "REJECTED", "public_comment": "blurred"})
    account = wire.get("/sim/account")
    assert (account["charged"], account["reserved"]) == (PRICE, PRICE * (len(waiting) - 2))
    wire.patch(path(second), {"status": "ACCEPTED", "public_comment": "my mistake"})
    assert wire.get("/sim/account")["charged"] == 2 * PRICE
    with pytest.raises(Refused, match="INAPPROPRIATE_STATUS"):
        wire.patch(path(first), {"status": "REJECTED", "public_comment": "no"})


def test_answers_that_nobody_reviews_are_paid_in_the_end(platform: Start) -> None:
    wire = platform(seed=1)
    key, done = run(
        wire, tasks=12, overlap=1, auto_accept_solutions=False, auto_accept_period_day=2
    )
    waiting = [a for a in done if a["status"] == "SUBMITTED"]
    for _ in range(10):  # looking again is not waiting for days
        assert all(a["status"] != "ACCEPTED" for a in poll(wire, key))
    wire.post("/sim/clock", {"seconds": 2 * 24 * 3600 + 600})
    again = {a["id"]: a for a in poll(wire, key)}
    assert all(again[a["id"]]["status"] == "ACCEPTED" for a in waiting)
    assert wire.get("/sim/account")["charged"] == PRICE * len(waiting)


def test_the_price_may_follow_a_skill(platform: Start) -> None:
    wire = platform(seed=2)
    skill = wire.post("/v1/skills", {"name": "done"})["id"]
    pricing = {
        "type": "SKILL",
        "skill_id": skill,
        "intervals": [{"from": 1, "to": 100, "reward_per_assignment": 0.05}],
    }
    quality = {
        "configs": [
            {
                "collector_config": {"type": "ANSWER_COUNT", "parameters": {}},
                "rules": [
                    {
                        "conditions": [
                            {"key": "assignments_accepted_count", "operator": "GTE", "value": 1}
                        ],
                        "action": {
                            "type": "SET_SKILL",
                            "parameters": {"skill_id": skill, "skill_value": 1},
                        },
                    }
                ],
            }
        ]
    }
    _, done = run(
        wire, tasks=60, overlap=3, dynamic_pricing_config=pricing, quality_control=quality
    )
    seen: set[str] = set()
    for assignment in sorted(done, key=lambda a: a["created"]):
        expected = 0.05 if assignment["user_id"] in seen else 0.02
        assert assignment["reward"] == expected
        if assignment["status"] == "ACCEPTED":
            seen.add(assignment["user_id"])
    assert {a["reward"] for a in done} == {0.02, 0.05}
    total = sum(round(1e6 * a["reward"]) for a in done if a["status"] == "ACCEPTED")
    assert sum(e["reward"] for e in wire.get("/sim/account")["entries"]) == total


def test_unpaid_pools_take_only_tasks_with_a_known_answer(platform: Start) -> None:
    wire = platform()
    key = fill(wire, tasks=0, golden=2, reward_per_assignment=0)
    task = {"pool_id": key, "input_values": {"image": address(1)}, "overlap": 1}
    with pytest.raises(Refused, match="unpaid pool takes no real tasks"):
        wire.post("/v1/tasks", task)
    wire.post("/v1/tasks", {**task, "known_solutions": known("loop")})


def test_bonuses_cost_their_fee_and_what_the_balance_does_not_bear_is_refused(
    platform: Start,
) -> None:
    wire = platform(seed=1)
    _, done = run(wire, tasks=4, overlap=1)
    user = next(a["user_id"] for a in done if a["status"] == "ACCEPTED")
    wire.post("/sim/balance", {"balance": "1.3"})
    bonus = {"user_id": user, "amount": 0.5, "without_message": True}
    made = wire.post("/v1/user-bonuses", [bonus, bonus])
    assert len(made["items"]) == 2
    assert wire.get("/sim/account")["balance"] == 0
    with pytest.raises(Refused) as refused:
        wire.post("/v1/user-bonuses", bonus)
    assert refused.value.code == "NOT_ENOUGH_BALANCE"
    for wrong in ({"amount": 0.001}, {"amount": 101}, {"amount": "x"}, {"user_id": "nobody"}):
        with pytest.raises(Refused, match="VALIDATION_ERROR"):
            wire.post("/v1/user-bonuses", {**bonus, **wrong})
    assert wire.get("/sim/counts")["created"]["user_bonuses"] == 2
    assert Money(wire.get("/sim/account")["balance"]) == ZERO

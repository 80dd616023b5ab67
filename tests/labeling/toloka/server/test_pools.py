"""Pools: who gets which tasks, and when a pool closes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labeling.toloka.server.model.clock import from_iso

from .campaign import fill, finish, poll, run
from .wire import Doc, Refused, Wire, address, known, pool, project

Start = Callable[..., Wire]


def _real(assignments: list[Doc]) -> Counter[str]:
    """Answers submitted on each real task."""
    return Counter(
        task["id"]
        for a in assignments
        if "solutions" in a
        for task in a["tasks"]
        if "known_solutions" not in task
    )


def test_every_task_gets_its_overlap_and_nobody_a_task_twice(platform: Start) -> None:
    wire = platform("spam-heavy", seed=4)
    _, done = run(wire, tasks=50, overlap=3, golden=6, per_suite=2)
    assert set(_real(done).values()) == {3}
    assert len(_real(done)) == 50
    shown: Counter[tuple[str, str]] = Counter()
    suites: Counter[str] = Counter()
    for assignment in done:
        suites[assignment["user_id"]] += 1
        shown.update((assignment["user_id"], task["id"]) for task in assignment["tasks"])
        golden = ["known_solutions" in task for task in assignment["tasks"]]
        assert golden.count(True) == 2
        assert golden.count(False) <= 4
    assert max(shown.values()) == 1
    assert max(suites.values()) == 3  # each control task once: six of them make three suites


def test_a_pool_closes_at_its_expiry_and_what_is_active_may_be_submitted(platform: Start) -> None:
    wire = platform(seed=2)
    key, done = run(wire, tasks=200, overlap=3, will_expire="2022-01-03T09:02:00")
    closed = wire.get(f"/v1/pools/{key}")
    assert (closed["last_close_reason"], closed["last_stopped"]) == (
        "EXPIRED",
        "2022-01-03T09:02:00.000",
    )
    assert max(a["created"] for a in done) <= "2022-01-03T09:02:00"
    assert max(a["submitted"] for a in done if "submitted" in a) > "2022-01-03T09:02:00"
    with pytest.raises(Refused, match="will_expire has passed"):
        wire.post(f"/v1/pools/{key}/open")


def test_a_finished_pool_stays_open_for_its_delay_and_takes_more(platform: Start) -> None:
    wire = platform(seed=2)
    key = fill(wire, tasks=8, overlap=1, auto_close_after_complete_delay_seconds=600)
    wire.post(f"/v1/pools/{key}/open")
    while sum(_real(found := poll(wire, key)).values()) < 8:
        pass
    last = max(a["submitted"] for a in found if "submitted" in a)
    task = next(iter(_real(found)))
    wire.patch(f"/v1/tasks/{task}", {"overlap": 3})
    assert wire.get(f"/v1/pools/{key}")["status"] == "OPEN"
    done = finish(wire, key)
    assert _real(done)[task] == 3
    closed = wire.get(f"/v1/pools/{key}")
    last = max(a.get("submitted", a.get("skipped", "")) for a in done)
    assert closed["last_close_reason"] == "COMPLETED"
    assert from_iso(closed["last_stopped"]) - from_iso(last) == 600_000


def test_less_overlap_counts_at_once(platform: Start) -> None:
    wire = platform(seed=2)
    key = fill(wire, tasks=40, overlap=5)
    wire.post(f"/v1/pools/{key}/open")
    wire.post("/sim/clock", {"events": 10})
    for task in wire.get("/v1/tasks", pool_id=key, limit=1000)["items"]:
        if "known_solutions" not in task:
            wire.patch(f"/v1/tasks/{task['id']}/set-overlap-or-min", {"overlap": 1})
    done = finish(wire, key)
    counts = _real(done)
    assert len(counts) == 40
    assert sum(counts.values()) < 60
    assert wire.get(f"/v1/pools/{key}")["last_close_reason"] == "COMPLETED"


def test_tasks_may_join_an_open_pool(platform: Start) -> None:
    wire = platform(seed=2)
    key = fill(wire, tasks=20, overlap=1, auto_close_after_complete_delay_seconds=600)
    wire.post(f"/v1/pools/{key}/open")
    wire.post("/sim/clock", {"events": 4})
    late = [
        {"pool_id": key, "input_values": {"image": address(at)}, "overlap": 2}
        for at in range(700, 710)
    ]
    golden = {
        "pool_id": key,
        "input_values": {"image": address(800)},
        "known_solutions": known("open"),
        "infinite_overlap": True,
    }
    wire.post("/v1/tasks", [*late, golden])
    counts = Counter(_real(finish(wire, key)).values())
    assert counts == {1: 20, 2: 10}


def test_a_last_suite_that_is_not_full_waits_if_it_must(platform: Start) -> None:
    wire = platform(seed=2)
    mixer = {"real_tasks_count": 4, "golden_tasks_count": 1, "training_tasks_count": 0}
    expiry = {"will_expire": "2022-01-04T00:00:00"}
    whole, done = run(
        wire, tasks=10, overlap=1, mixer_config={**mixer, "force_last_assignment": False}, **expiry
    )
    assert sum(_real(done).values()) == 8
    assert wire.get(f"/v1/pools/{whole}")["last_close_reason"] == "EXPIRED"
    wire.post("/sim/reset", {})
    _, done = run(wire, tasks=10, overlap=1, **expiry)
    assert sum(_real(done).values()) == 10
    assert sorted(len(a["tasks"]) for a in done if "solutions" in a) == [3, 5, 5]


def test_a_closed_pool_goes_on_when_it_is_opened_again(platform: Start) -> None:
    wire = platform(seed=2)
    key, first = run(wire, tasks=20, overlap=1)
    more = [
        {"pool_id": key, "input_values": {"image": address(at)}, "overlap": 1}
        for at in range(100, 120)
    ]
    wire.post("/v1/tasks", more)
    wire.patch(f"/v1/tasks/{next(iter(_real(first)))}", {"overlap": 2, "infinite_overlap": False})
    wire.post(f"/v1/pools/{key}/open")
    done = finish(wire, key)
    assert sorted(_real(done).values()) == [1] * 39 + [2]
    assert done[: len(first)] == first or {a["id"] for a in first} <= {a["id"] for a in done}


def test_an_archived_pool_is_frozen(platform: Start) -> None:
    wire = platform(seed=2)
    key, done = run(wire, tasks=8, overlap=1)
    assert wire.post(f"/v1/pools/{key}/archive")["type"] == "POOL.ARCHIVE"
    assert wire.post(f"/v1/pools/{key}/archive") is None
    path = f"/v1/pools/{key}"
    task = next(iter(_real(done)))
    for method, where, body in (
        ("POST", f"{path}/open", None),
        ("POST", f"{path}/close", None),
        ("PUT", path, pool(wire.get(path)["project_id"])),
        ("PATCH", path, {"priority": 1}),
        ("PATCH", f"/v1/tasks/{task}", {"overlap": 9}),
    ):
        with pytest.raises(Refused) as refused:
            wire.call(method, where, body)
        assert refused.value.status == 409
    assert poll(wire, key) == done


def test_a_pool_with_active_assignments_is_not_archived(platform: Start) -> None:
    wire = platform(seed=2)
    key = fill(wire)
    wire.post(f"/v1/pools/{key}/open")
    wire.post("/sim/clock", {"events": 3})
    wire.post(f"/v1/pools/{key}/close")
    with pytest.raises(Refused, match="THERE_IS_ACTIVE_ASSIGNMENT"):
        wire.post(f"/v1/pools/{key}/archive")


def test_pools_that_are_open_at_once_share_the_clock(platform: Start) -> None:
    wire = platform(seed=2)
    keys = [fill(wire, tasks=40, overlap=2) for _ in range(3)]
    for key in keys:
        wire.post(f"/v1/pools/{key}/open")
    seen = []
    for _ in range(60):
        wire.post("/sim/clock", {"events": 1})
        found = wire.get("/v1/assignments", limit=10_000, sort="created")["items"]
        seen.append(max(a["created"] for a in found))
    assert seen == sorted(seen)
    assert {a["pool_id"] for a in found} == set(keys)
    people = [{a["user_id"] for a in found if a["pool_id"] == key} for key in keys]
    assert not people[0] & people[1]


def test_a_stream_of_annotators_is_named_by_the_condition(platform: Start) -> None:
    def answers(wire: Wire, **changes: Any) -> list[Any]:
        _, done = run(wire, tasks=12, overlap=1, **changes)
        return [(a["user_id"], a["created"], a.get("solutions")) for a in done]

    wire = platform(seed=2)
    marked = {"metadata": {"labelworth_condition": ["abc"]}}
    by_metadata = answers(wire, **marked)
    wire.post("/sim/reset", {})
    fill(wire)  # another pool before it: other ids, the same people
    by_name = answers(wire, private_name="labelworth study abc")
    assert by_metadata == by_name
    wire.post("/sim/reset", {"seed": 3})
    assert answers(wire, **marked) != by_metadata


def test_suites_put_together_by_hand_are_given_as_they_are(platform: Start) -> None:
    wire = platform(seed=2)
    form = pool(wire.post("/v1/projects", project())["id"])
    del form["mixer_config"]
    key = wire.post("/v1/pools", form)["id"]
    suites = [
        {
            "pool_id": key,
            "overlap": 3,
            "tasks": [{"input_values": {"image": address(10 * at + place)}} for place in range(4)]
            + [{"input_values": {"image": address(500 + at)}, "known_solutions": known("loop")}],
        }
        for at in range(6)
    ]
    made = wire.post("/v1/task-suites", suites)["items"]
    wire.post(f"/v1/pools/{key}/open")
    wire.post("/sim/clock", {"events": 3})
    late = wire.post("/v1/task-suites", {**suites[0], "overlap": 1})
    done = [a for a in finish(wire, key) if a["status"] == "ACCEPTED"]
    counts = Counter(a["task_suite_id"] for a in done)
    assert counts == {**{made[str(at)]["id"]: 3 for at in range(6)}, late["id"]: 1}
    for assignment in done:
        suite = wire.get(f"/v1/task-suites/{assignment['task_suite_id']}")
        assert [t["id"] for t in assignment["tasks"]] == [t["id"] for t in suite["tasks"]]
        assert not assignment["mixed"]
    pairs = Counter((a["user_id"], a["task_suite_id"]) for a in done)
    assert max(pairs.values()) == 1
    right = [a["solutions"][4]["output_values"]["shape"] == "loop" for a in done]
    assert np.mean(right) > 0.7


def test_dynamic_overlap_asks_again_where_answers_differ(platform: Start) -> None:
    wire = platform("spam-heavy", seed=2)
    config = {
        "type": "BASIC",
        "max_overlap": 5,
        "min_confidence": 0.9,
        "answer_weight_skill_id": wire.post("/v1/skills", {"name": "weight"})["id"],
        "fields": [{"name": "shape"}],
    }
    defaults = {"default_overlap_for_new_tasks": 2}
    key, done = run(
        wire,
        tasks=40,
        overlap=2,
        dynamic_overlap_config=config,
        defaults=defaults,
        auto_close_after_complete_delay_seconds=60,
    )
    counts = Counter(_real(done).values())
    assert min(counts) == 2
    assert max(counts) <= 5
    assert len(counts) > 1
    assert wire.get(f"/v1/pools/{key}")["last_close_reason"] == "COMPLETED"


def test_two_questions_are_both_answered(platform: Start) -> None:
    wire = platform(seed=2)
    form = project()
    spec = form["task_spec"]["output_spec"]
    spec["neat"] = {"type": "boolean", "required": True}
    spec["stars"] = {"type": "integer", "min_value": 1, "max_value": 5}
    where = wire.post("/v1/projects", form)["id"]
    _, done = run(wire, tasks=60, overlap=2, project_id=where)
    answers = [s["output_values"] for a in done for s in a.get("solutions", [])]
    assert {a["shape"] for a in answers} == {"loop", "straight", "open"}
    assert {a["neat"] for a in answers} == {False, True}
    assert {a["stars"] for a in answers} == {1, 2, 3, 4, 5}


@pytest.mark.slow
def test_a_higher_price_brings_more_people(platform: Start) -> None:
    def joined(reward: float) -> int:
        wire = platform(seed=2)
        key = fill(wire, tasks=2000, overlap=3, reward_per_assignment=reward)
        wire.post(f"/v1/pools/{key}/open")
        wire.post("/sim/clock", {"seconds": 300})
        return len({a["user_id"] for a in poll(wire, key)})

    assert joined(0.04) > 1.3 * joined(0.01)


def test_a_price_that_is_raised_counts_for_those_still_to_come(platform: Start) -> None:
    wire = platform(seed=2)
    key = fill(wire, tasks=2000, overlap=3, reward_per_assignment=0.005)
    path = f"/v1/pools/{key}"
    wire.post(f"{path}/open")
    wire.post("/sim/clock", {"seconds": 300})
    before = len({a["user_id"] for a in poll(wire, key)})
    wire.put(path, {**wire.get(path), "reward_per_assignment": 0.05})
    wire.post("/sim/clock", {"seconds": 300})
    found = poll(wire, key)
    assert len({a["user_id"] for a in found}) - before > 1.3 * before
    assert {a["reward"] for a in found} == {0.005, 0.05}

"""Quality control: what each rule looks at, and what it does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from labeling.toloka.server.model.clock import from_iso

from .campaign import fill, finish, run
from .wire import Doc, Refused, Wire, rule

Start = Callable[..., Wire]
BAN = {"scope": "POOL", "duration_unit": "PERMANENT"}


def _by_user(assignments: list[Doc]) -> dict[str, list[Doc]]:
    """Submitted assignments of each annotator, in order."""
    found: dict[str, list[Doc]] = defaultdict(list)
    for assignment in sorted(assignments, key=lambda a: a.get("submitted", "")):
        if assignment["status"] in ("ACCEPTED", "SUBMITTED", "REJECTED"):
            found[assignment["user_id"]].append(assignment)
    return found


def _marks(assignment: Doc) -> list[bool]:
    """Which answers to control tasks are right."""
    return [
        solution["output_values"] in [k["output_values"] for k in task["known_solutions"]]
        for task, solution in zip(assignment["tasks"], assignment["solutions"], strict=True)
        if "known_solutions" in task
    ]


def _seconds(assignment: Doc) -> float:
    return (from_iso(assignment["submitted"]) - from_iso(assignment["created"])) / 1000


def _bans(wire: Wire, **query: Any) -> dict[str, Doc]:
    found = wire.get("/v1/user-restrictions", limit=300, **query)["items"]
    return {ban["user_id"]: ban for ban in found}


def _quality(*rules: Doc) -> Doc:
    return {"configs": list(rules)}


def test_wrong_answers_to_control_tasks_ban_at_a_rate(platform: Start) -> None:
    wire = platform("spam-heavy", seed=2)
    wrong = [
        ("golden_set_answers_count", "GTE", 2),
        ("golden_set_incorrect_answers_rate", "GTE", 50),
    ]
    quality = _quality(rule("GOLDEN_SET", wrong, "RESTRICTION_V2", **BAN, private_comment="no"))
    key, done = run(wire, tasks=80, overlap=3, quality_control=quality)
    expected = set()
    for user, mine in _by_user(done).items():
        for upto in range(1, len(mine) + 1):
            marks = [m for a in mine[:upto] for m in _marks(a)]
            if len(marks) >= 2 and marks.count(False) / len(marks) >= 0.5:
                expected.add(user)
                assert upto == len(mine), "nobody works on after a ban"
    bans = _bans(wire, pool_id=key)
    assert set(bans) == expected != set()
    assert {ban["private_comment"] for ban in bans.values()} == {"no"}


def test_a_history_that_is_too_short_never_fires(platform: Start) -> None:
    wire = platform("spam-heavy", seed=2)
    wrong = [
        ("golden_set_answers_count", "GTE", 2),
        ("golden_set_incorrect_answers_rate", "GT", 0),
    ]
    short = {"parameters": {"history_size": 1}}
    quality = _quality(rule("GOLDEN_SET", wrong, "RESTRICTION_V2", **BAN, **short))
    run(wire, tasks=60, quality_control=quality)
    assert _bans(wire) == {}


def test_a_history_forgets_what_is_older(platform: Start) -> None:
    wire = platform("spam-heavy", seed=4)
    skill = wire.post("/v1/skills", {"name": "recent"})["id"]
    recent = rule(
        "GOLDEN_SET",
        [("golden_set_answers_count", "GTE", 1)],
        "SET_SKILL_FROM_OUTPUT_FIELD",
        skill_id=skill,
        from_field="correct_answers_rate",
        parameters={"history_size": 2},
    )
    _, done = run(wire, tasks=80, overlap=3, quality_control=_quality(recent))
    values = {s["user_id"]: s for s in wire.get("/v1/user-skills", limit=300)["items"]}
    longest = 0
    for user, mine in _by_user(done).items():
        marks = [m for a in mine for m in _marks(a)]
        longest = max(longest, len(marks))
        assert values[user]["exact_value"] == pytest.approx(100 * sum(marks[-2:]) / len(marks[-2:]))
        assert values[user]["value"] == round(values[user]["exact_value"])
    assert longest > 2


def test_fast_suites_are_counted_within_the_history(platform: Start) -> None:
    wire = platform("spam-heavy", seed=3)
    fast = [("total_submitted_count", "GTE", 2), ("fast_submitted_count", "GTE", 2)]
    given = {"parameters": {"fast_submit_threshold_seconds": 12, "history_size": 2}}
    quality = _quality(rule("ASSIGNMENT_SUBMIT_TIME", fast, "RESTRICTION_V2", **BAN, **given))
    _, done = run(wire, tasks=80, overlap=3, quality_control=quality)
    expected = {
        user
        for user, mine in _by_user(done).items()
        if any(_seconds(a) < 12 and _seconds(b) < 12 for a, b in pairwise(mine))
    }
    assert set(_bans(wire)) == expected != set()


def test_a_majority_marks_those_who_differ_from_it(platform: Start) -> None:
    wire = platform("spam-heavy", seed=6)
    skill = wire.post("/v1/skills", {"name": "agrees"})["id"]
    agree = rule(
        "MAJORITY_VOTE",
        [("total_answers_count", "GTE", 1)],
        "SET_SKILL_FROM_OUTPUT_FIELD",
        skill_id=skill,
        from_field="correct_answers_rate",
        parameters={"answer_threshold": 2},
    )
    _, done = run(wire, tasks=40, overlap=3, quality_control=_quality(agree))
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    answers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for assignment in done:
        for task, solution in zip(
            assignment["tasks"], assignment.get("solutions", []), strict=False
        ):
            if "known_solutions" not in task:
                value = solution["output_values"]["shape"]
                votes[task["id"]][value] += 1
                answers[assignment["user_id"]].append((task["id"], value))
    values = {s["user_id"]: s for s in wire.get("/v1/user-skills", limit=300)["items"]}
    for user, given in answers.items():
        marks = [
            value == votes[task].most_common(1)[0][0]
            for task, value in given
            if votes[task].most_common(1)[0][1] >= 2
        ]
        if marks:
            expected = 100 * sum(marks) / len(marks)
            assert values[user]["exact_value"] == pytest.approx(expected)
    assert len({s["exact_value"] for s in values.values()}) > 1


def test_suites_handed_back_in_a_row(platform: Start) -> None:
    wire = platform("default", seed=1)
    skipped = rule(
        "SKIPPED_IN_ROW_ASSIGNMENTS",
        [("skipped_in_row_count", "GTE", 1)],
        "RESTRICTION_V2",
        scope="PROJECT",
        duration=2,
        duration_unit="HOURS",
    )
    _, done = run(wire, tasks=200, overlap=3, quality_control=_quality(skipped))
    handed_back = [a for a in done if a["status"] == "SKIPPED"]
    assert handed_back
    assert {a["user_id"] for a in handed_back} == set(_bans(wire))
    for assignment in handed_back:
        ban = _bans(wire, user_id=assignment["user_id"])[assignment["user_id"]]
        hours = (from_iso(ban["will_expire"]) - from_iso(ban["created"])) / 3_600_000
        assert (hours, ban["scope"]) == (2, "PROJECT")


def test_income_and_answers_of_a_day_are_limited(platform: Start) -> None:
    wire = platform("default", seed=2)
    quality = _quality(
        rule(
            "INCOME",
            [("income_sum_for_last_24_hours", "GTE", 0.06)],
            "RESTRICTION_V2",
            scope="POOL",
            duration=1,
            duration_unit="DAYS",
        )
    )
    _, done = run(wire, tasks=120, overlap=3, quality_control=quality)
    counts = Counter(len(mine) for mine in _by_user(done).values())
    assert max(counts) == 3
    assert counts[3] > 1
    wire.post("/sim/reset", {})
    quality = _quality(
        rule("ANSWER_COUNT", [("assignments_accepted_count", "GTE", 2)], "RESTRICTION_V2", **BAN)
    )
    _, done = run(wire, tasks=120, overlap=3, quality_control=quality)
    assert max(len(mine) for mine in _by_user(done).values()) == 2


def test_a_ban_for_a_time_ends_and_counting_starts_anew(platform: Start) -> None:
    wire = platform("default", seed=2)
    quality = _quality(
        rule(
            "ANSWER_COUNT",
            [("assignments_accepted_count", "GTE", 2)],
            "RESTRICTION_V2",
            scope="POOL",
            duration=1,
            duration_unit="MINUTES",
        )
    )
    _, done = run(wire, tasks=200, overlap=3, quality_control=quality)
    most = max(_by_user(done).values(), key=len)
    assert len(most) > 2
    assert len(most) % 2 == 0 or len(most) > 3
    assert _bans(wire) == {} or all("will_expire" in ban for ban in _bans(wire).values())
    # Between the second and the third suite lies the minute of the ban.
    pause = from_iso(most[2]["created"]) - from_iso(most[1]["submitted"])
    assert pause >= 60_000


def test_a_skill_that_a_rule_sets_closes_the_pool_to_those_it_filters(platform: Start) -> None:
    wire = platform("spam-heavy", seed=2)
    skill = wire.post("/v1/skills", {"name": "busy"})["id"]
    quality = _quality(
        rule(
            "ANSWER_COUNT",
            [("assignments_accepted_count", "GTE", 2)],
            "SET_SKILL",
            skill_id=skill,
            skill_value=1,
        )
    )
    fresh = {"category": "skill", "key": skill, "operator": "EQ", "value": None}
    _, done = run(
        wire, tasks=80, overlap=3, quality_control=quality, filter={"and": [{"or": [fresh]}]}
    )
    assert max(len(mine) for mine in _by_user(done).values()) == 2
    assert _bans(wire) == {}


def test_a_filter_that_nobody_passes_keeps_everyone_out(platform: Start) -> None:
    wire = platform()
    skill = wire.post("/v1/skills", {"name": "rare"})["id"]
    asked = {"category": "skill", "key": skill, "operator": "GTE", "value": 50}
    _, done = run(wire, filter={"and": [{"or": [asked]}]}, will_expire="2022-01-03T10:00:00")
    assert done == []


def test_who_was_banned_is_asked_again_where_a_rule_says_so(platform: Start) -> None:
    wire = platform("spam-heavy", seed=2)
    quality = _quality(
        rule(
            "GOLDEN_SET", [("golden_set_incorrect_answers_rate", "GT", 0)], "RESTRICTION_V2", **BAN
        ),
        rule(
            "USERS_ASSESSMENT",
            [("pool_access_revoked_reason", "EQ", "RESTRICTION")],
            "CHANGE_OVERLAP",
            delta=1,
            open_pool=True,
        ),
    )
    key, done = run(wire, tasks=60, overlap=2, quality_control=quality)
    banned = set(_bans(wire))
    usable = Counter(
        task["id"]
        for a in done
        if a["status"] == "ACCEPTED" and a["user_id"] not in banned
        for task in a["tasks"]
        if "known_solutions" not in task
    )
    assert banned
    assert min(usable.values()) >= 2
    assert len(usable) == 60
    assert wire.get(f"/v1/pools/{key}")["last_close_reason"] == "COMPLETED"


def test_rejected_assignments_are_asked_again_and_approved_all_at_once(platform: Start) -> None:
    wire = platform("spam-heavy", seed=2)
    quality = _quality(
        rule(
            "ASSIGNMENTS_ASSESSMENT",
            [("assessment_event", "EQ", "REJECT")],
            "CHANGE_OVERLAP",
            delta=1,
            open_pool=True,
        ),
        rule(
            "ANSWER_COUNT",
            [("assignments_accepted_count", "GTE", 1)],
            "APPROVE_ALL_ASSIGNMENTS",
        ),
    )
    key, done = run(wire, tasks=20, overlap=1, quality_control=quality, auto_accept_solutions=False)
    waiting = [a for a in done if a["status"] == "SUBMITTED"]
    assert len(waiting) == 5
    first = waiting[0]["id"]
    wire.patch(f"/v1/assignments/{first}", {"status": "REJECTED", "public_comment": "blurred"})
    assert wire.get(f"/v1/pools/{key}")["status"] == "OPEN"
    again = finish(wire, key)
    lost = {t["id"] for t in waiting[0]["tasks"] if "known_solutions" not in t}
    new = [a for a in again if a["id"] not in {b["id"] for b in done}]
    assert {t["id"] for a in new if "solutions" in a for t in a["tasks"]} >= lost


def test_skipping_too_often_rejects_what_waits_for_review(platform: Start) -> None:
    wire = platform("default", seed=1)
    quality = _quality(
        rule(
            "SKIPPED_IN_ROW_ASSIGNMENTS",
            [("skipped_in_row_count", "GTE", 1)],
            "REJECT_ALL_ASSIGNMENTS",
            public_comment="too many skipped",
        )
    )
    _, done = run(wire, tasks=200, overlap=3, quality_control=quality, auto_accept_solutions=False)
    rejected = [a for a in done if a["status"] == "REJECTED"]
    assert rejected
    assert {a["public_comment"] for a in rejected} == {"too many skipped"}
    skippers = {a["user_id"] for a in done if a["status"] == "SKIPPED"}
    assert {a["user_id"] for a in rejected} <= skippers


def test_a_ban_by_hand_ends_someones_work_and_lifting_it_brings_them_back(
    platform: Start,
) -> None:
    wire = platform("default", seed=2)
    key = fill(wire, tasks=200, overlap=3)
    wire.post(f"/v1/pools/{key}/open")
    wire.post("/sim/clock", {"events": 12})
    found = wire.get("/v1/assignments", pool_id=key, status="ACTIVE", limit=1000)["items"]
    user = found[0]["user_id"]
    made = wire.put(
        "/v1/user-restrictions", {"user_id": user, "scope": "ALL_PROJECTS", "private_comment": "x"}
    )
    done = _by_user(finish(wire, key))
    assert len(done.get(user, [])) <= 1
    wire.call("DELETE", f"/v1/user-restrictions/{made['id']}")
    with pytest.raises(Refused):
        wire.get(f"/v1/user-restrictions/{made['id']}")


def test_an_exam_that_is_closed_admits_nobody(platform: Start) -> None:
    wire = platform("default", seed=2)
    skill = wire.post("/v1/skills", {"name": "exam"})["id"]
    counted = rule(
        "GOLDEN_SET",
        [("golden_set_answers_count", "GTE", 4)],
        "SET_SKILL_FROM_OUTPUT_FIELD",
        skill_id=skill,
        from_field="correct_answers_rate",
    )
    exam = fill(
        wire,
        tasks=0,
        golden=4,
        real=0,
        per_suite=2,
        reward_per_assignment=0,
        quality_control=_quality(counted),
    )
    asked = {"category": "skill", "key": skill, "operator": "GTE", "value": 75}
    shut = {"filter": {"and": [{"or": [asked]}]}, "will_expire": "2022-01-03T09:30:00"}
    _, done = run(wire, **shut)
    assert done == []
    wire.post(f"/v1/pools/{exam}/open")
    shut["will_expire"] = "2022-02-01T00:00:00"
    _, done = run(wire, **shut)
    assert done
    sat = wire.get("/v1/assignments", pool_id=exam, limit=10_000)["items"]
    assert {len(a["tasks"]) for a in sat} == {2}  # two suites of two make up the exam
    by_user = Counter(a["user_id"] for a in sat)
    assert set(by_user.values()) == {2}
    right = {user: sum(sum(_marks(a)) for a in mine) for user, mine in _by_user(sat).items()}
    assert {a["user_id"] for a in done} <= {user for user, count in right.items() if count >= 3}
    assert min(right.values()) < 3

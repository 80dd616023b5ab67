"""A valid body for every route that reads one, on a platform on which a campaign has run."""

from __future__ import annotations

from typing import Any

from .campaign import run
from .wire import Doc, Wire, address, known, pool, project, rule

Call = tuple[str, str, Any]


def platform_with_a_campaign(wire: Wire) -> Doc:
    """Run a small campaign; returns the ids of its objects."""
    key, done = run(wire, tasks=4, golden=2, overlap=1)
    where = wire.get(f"/v1/pools/{key}")["project_id"]
    suites = wire.post("/v1/pools", pool(where))["id"]
    form = {"pool_id": suites, "tasks": [{"input_values": {"image": address(1)}}], "overlap": 1}
    return {
        "pool": key,
        "project": where,
        "suites": suites,
        "suite": wire.post("/v1/task-suites", form)["id"],
        "skill": wire.post("/v1/skills", {"name": "s"})["id"],
        "training": wire.post("/v1/trainings", _training(where))["id"],
        "task": wire.get("/v1/tasks", pool_id=key)["items"][-1]["id"],
        "assignment": done[0]["id"],
        "user": done[0]["user_id"],
    }


def _training(where: str) -> Doc:
    return {
        "project_id": where,
        "private_name": "training",
        "training_tasks_in_task_suite_count": 1,
        "inherited_instructions": True,
    }


def rich_pool(ids: Doc) -> Doc:
    """A pool with every kind of setting."""
    ban = {"scope": "POOL", "duration": 1, "duration_unit": "DAYS", "private_comment": "x"}
    wrong = [("golden_set_incorrect_answers_rate", "GT", 90)]
    skill = ids["skill"]
    rules = [
        rule("GOLDEN_SET", wrong, "RESTRICTION_V2", parameters={"history_size": 5}, **ban),
        rule(
            "ANSWER_COUNT",
            [("assignments_accepted_count", "GTE", 1)],
            "SET_SKILL",
            skill_id=skill,
            skill_value=7,
        ),
        rule(
            "ASSIGNMENT_SUBMIT_TIME",
            [("fast_submitted_count", "GTE", 5)],
            "RESTRICTION_V2",
            parameters={"fast_submit_threshold_seconds": 1},
            **ban,
        ),
        rule(
            "USERS_ASSESSMENT",
            [("pool_access_revoked_reason", "EQ", "RESTRICTION")],
            "CHANGE_OVERLAP",
            delta=1,
            open_pool=False,
        ),
    ]
    training = {"training_pool_id": ids["training"], "training_passing_skill_value": 0}
    spread = {"scope": "POOL", "distribution": "UNIFORM", "window_days": 1}
    spread["intervals"] = [{"from": 1, "to": 9, "frequency": 5}]
    return pool(
        ids["project"],
        metadata={"labelworth_condition": ["c"]},
        priority=1,
        auto_accept_period_day=2,
        filter={
            "and": [
                {"or": [_condition("profile", "languages", "IN", "EN")]},
                _condition("computed", "client_type", "EQ", "BROWSER"),
                {"or": [_condition("skill", skill, "LT", 50), _condition("skill", skill)]},
            ]
        },
        quality_control={"configs": rules, "training_requirement": training},
        mixer_config={
            "real_tasks_count": 4,
            "golden_tasks_count": 1,
            "training_tasks_count": 0,
            "force_last_assignment": True,
            "golden_task_distribution_function": spread,
        },
        dynamic_pricing_config={
            "type": "SKILL",
            "skill_id": skill,
            "intervals": [{"from": 1, "to": 100, "reward_per_assignment": 0.03}],
        },
        dynamic_overlap_config={
            "type": "BASIC",
            "max_overlap": 5,
            "min_confidence": 0.8,
            "answer_weight_skill_id": skill,
            "fields": [{"name": "shape"}],
        },
    )


def _condition(category: str, key: str, operator: str = "EQ", value: Any = None) -> Doc:
    return {"category": category, "key": key, "operator": operator, "value": value}


def calls(ids: Doc) -> list[Call]:
    """A valid call of every route that reads a body."""
    image = {"image": address(7)}
    task = {
        "pool_id": ids["pool"],
        "input_values": image,
        "known_solutions": known("loop"),
        "baseline_solutions": [{"output_values": {"shape": "loop"}, "confidence_weight": 1}],
        "message_on_unknown_solution": "x",
        "overlap": 1,
        "infinite_overlap": False,
        "reserved_for": [ids["user"]],
    }
    suite = {
        "pool_id": ids["suites"],
        "tasks": [{"input_values": image, "known_solutions": known("loop")}],
        "overlap": 1,
        "issuing_order_override": 1.5,
    }
    bonus = {
        "user_id": ids["user"],
        "amount": 0.5,
        "assignment_id": ids["assignment"],
        "public_title": {"EN": "Thanks"},
        "without_message": False,
    }
    ban = {
        "user_id": ids["user"],
        "scope": "POOL",
        "pool_id": ids["suites"],
        "project_id": ids["project"],
        "will_expire": "2023-01-01T00:00:00",
        "private_comment": "x",
    }
    value = {"user_id": ids["user"], "skill_id": ids["skill"], "value": 5.5, "reason": "x"}
    skill = {"name": "s", "public_name": {"EN": "s"}, "hidden": True, "skill_ttl_hours": 5}
    aggregate = {
        "pool_id": ids["pool"],
        "type": "WEIGHTED_DYNAMIC_OVERLAP",
        "fields": [{"name": "shape"}],
        "answer_weight_skill_id": ids["skill"],
        "task_id": ids["task"],
    }
    figure = {"name": "spent_budget", "subject": "POOL", "subject_id": ids["pool"]}
    quality = {"configs": rich_pool(ids)["quality_control"]["configs"][:1]}
    names = {"default_language": "EN", "additional_languages": [{"language": "DE"}]}
    form = project(quality_control=quality, localization_config=names)
    answer = form["task_spec"]["output_spec"]
    answer["score"] = {"type": "integer", "min_value": 1, "max_value": 3}
    training = _training(ids["project"])
    return [
        ("POST", "/v1/projects", form),
        ("PUT", f"/v1/projects/{ids['project']}", project(quality_control=quality)),
        ("POST", "/v1/pools", rich_pool(ids)),
        ("PUT", f"/v1/pools/{ids['suites']}", rich_pool(ids)),
        ("PUT", f"/v1/pools/{ids['pool']}", rich_pool(ids)),
        ("PATCH", f"/v1/pools/{ids['pool']}", {"priority": 5}),
        ("POST", "/v1/trainings", training),
        ("PUT", f"/v1/trainings/{ids['training']}", training),
        ("POST", "/v1/tasks", task),
        ("POST", "/v1/tasks", [task]),
        ("PATCH", f"/v1/tasks/{ids['task']}", {"overlap": 2, "known_solutions": known("loop")}),
        ("PATCH", f"/v1/tasks/{ids['task']}/set-overlap-or-min", {"overlap": 2}),
        ("POST", "/v1/task-suites", suite),
        ("POST", "/v1/task-suites", [suite]),
        ("PATCH", f"/v1/task-suites/{ids['suite']}", {"overlap": 2, "issuing_order_override": 1}),
        ("PATCH", f"/v1/task-suites/{ids['suite']}/set-overlap-or-min", {"overlap": 2}),
        ("POST", "/v1/skills", {**skill, "name": "t"}),
        ("PUT", f"/v1/skills/{ids['skill']}", skill),
        ("PUT", "/v1/user-skills", value),
        ("PUT", "/v1/user-restrictions", ban),
        ("POST", "/v1/user-bonuses", bonus),
        ("POST", "/v1/user-bonuses", [bonus]),
        ("PATCH", f"/v1/assignments/{ids['assignment']}", {"public_comment": "x"}),
        ("POST", "/v1/aggregated-solutions/aggregate-by-pool", aggregate),
        ("POST", "/v1/aggregated-solutions/aggregate-by-task", aggregate),
        ("POST", "/staging/analytics-2", [figure]),
        ("POST", "/sim/clock", {"seconds": 1}),
        ("POST", "/sim/balance", {"balance": 900}),
        ("PUT", "/sim/faults", [{"kind": "503", "path": "/v1/nothing", "call": 9, "seconds": 1}]),
        ("POST", "/sim/reset", {"seed": 1, "balance": 5, "quotas": False, "truth": None}),
    ]

"""Every path of the published API that the server answers, by the published description."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labeling.toloka.server import Exchange
from labeling.toloka.server.routes.routing import ROUTES, Reply, Request

from ..contract import Contract
from .wire import Refused, Wire, address, known, pool, project, rule

Start = Callable[..., Wire]


def _refused(wire: Wire, method: str, path: str, body: Any = None, **query: Any) -> str:
    try:
        wire.call(method, path, body, **query)
    except Refused as refusal:
        return f"{refusal.status} {refusal.code}"
    raise AssertionError(f"{method} {path} was not refused")


def test_all_that_is_said_on_a_tour_fits_the_published_description(
    platform: Start, contract: Contract
) -> None:
    wire = platform(watch=contract.record)
    _Tour(wire).go()
    asked = {(exchange.method, exchange.template) for exchange in contract.said}
    ours = {(r.method, r.template) for r in ROUTES if not r.template.startswith("/sim/")}
    assert ours - asked == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": 7}, "7 is not of type 'string'"),
        ({"status": "OPENED"}, "'OPENED' is not one of"),
        ({"prize": 1}, "/prize: is not described"),
    ],
)
def test_the_judge_sees_what_does_not_fit(
    change: dict[str, Any], expected: str, data_folder: Path
) -> None:
    judge = Contract(data_folder / "toloka-api")
    request = Request("GET", "/v1/pools/1", {})
    fits = {"id": "1", "status": "OPEN", "private_name": "x"}
    judge.record(Exchange("GET", "/v1/pools/{id}", request, Reply(200, fits)))
    assert judge.problems() == []
    judge.record(Exchange("GET", "/v1/pools/{id}", request, Reply(200, {**fits, **change})))
    (problem,) = judge.problems()
    assert expected in problem


class _Tour:
    """Every call there is, at least once, and the ways in which it may be refused."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def go(self) -> None:
        wire = self.wire
        assert wire.get("/v1/requester")["balance"] == 1000
        self.projects()
        self.skills()
        self.trainings()
        self.pools()
        self.tasks()
        self.work()
        self.people()
        self.suites()
        self.aggregates()
        self.ends()

    def projects(self) -> None:
        wire = self.wire
        self.project = wire.post("/v1/projects", project())["id"]
        other = wire.post("/v1/projects", project())["id"]
        path = f"/v1/projects/{other}"
        assert wire.get(path)["public_name"] == "Shapes"
        assert wire.put(path, project(public_name="New"))["public_name"] == "New"
        assert len(wire.get("/v1/projects", status="ACTIVE", sort="-created")["items"]) == 2
        assert wire.post(f"{path}/archive")["type"] == "PROJECT.ARCHIVE"
        assert wire.post(f"{path}/archive") is None
        assert _refused(wire, "GET", "/v1/projects/1") == "404 DOES_NOT_EXIST"
        assert _refused(wire, "POST", "/v1/projects", {}) == "400 VALIDATION_ERROR"

    def skills(self) -> None:
        wire = self.wire
        self.skill = wire.post("/v1/skills", {"name": "shape", "hidden": True})["id"]
        assert _refused(wire, "POST", "/v1/skills", {"name": "shape"}) == "400 VALIDATION_ERROR"
        assert wire.put(f"/v1/skills/{self.skill}", {"name": "shapes"})["name"] == "shapes"
        assert wire.get(f"/v1/skills/{self.skill}")["name"] == "shapes"
        assert len(wire.get("/v1/skills", name="shapes")["items"]) == 1

    def trainings(self) -> None:
        wire = self.wire
        form = {
            "project_id": self.project,
            "private_name": "training",
            "training_tasks_in_task_suite_count": 2,
            "task_suites_required_to_pass": 1,
            "inherited_instructions": True,
        }
        self.training = wire.post("/v1/trainings", form)["id"]
        path = f"/v1/trainings/{self.training}"
        assert wire.put(path, {**form, "private_name": "other"})["private_name"] == "other"
        assert wire.get(path)["status"] == "CLOSED"
        assert wire.get(f"/v1/pools/{self.training}")["id"] == self.training
        assert len(wire.get("/v1/trainings", project_id=self.project)["items"]) == 1
        tasks = [
            {
                "pool_id": self.training,
                "input_values": {"image": address(900 + at)},
                "known_solutions": known("loop"),
                "message_on_unknown_solution": "Look again.",
                "infinite_overlap": True,
            }
            for at in range(2)
        ]
        wire.post("/v1/tasks", tasks)
        clone = wire.post(f"{path}/clone")["details"]["training_id"]
        assert _refused(wire, "POST", f"/v1/trainings/{clone}/open") == "409 EMPTY_POOL"
        assert wire.post(f"/v1/trainings/{clone}/archive")["type"] == "TRAINING.ARCHIVE"
        assert wire.post(f"{path}/open")["type"] == "TRAINING.OPEN"
        assert wire.post(f"{path}/close")["type"] == "TRAINING.CLOSE"
        wire.post(f"{path}/open")
        assert wire.post(f"{path}/close-for-update")["type"] == "TRAINING.CLOSE"
        wire.post(f"{path}/open")

    def pools(self) -> None:
        wire = self.wire
        rules = [
            rule(
                "GOLDEN_SET",
                [("golden_set_incorrect_answers_rate", "GT", 50)],
                "RESTRICTION_V2",
                scope="PROJECT",
                duration=1,
                duration_unit="DAYS",
                private_comment="controls",
                parameters={"history_size": 5},
            ),
            rule(
                "ANSWER_COUNT",
                [("assignments_accepted_count", "GTE", 1)],
                "SET_SKILL",
                skill_id=self.skill,
                skill_value=7,
            ),
        ]
        form = pool(self.project, 4, 1, quality_control={"configs": rules})
        form["filter"] = {
            "and": [
                {
                    "or": [
                        {"category": "profile", "key": "languages", "operator": "IN", "value": "EN"}
                    ]
                }
            ]
        }
        self.pool = wire.post("/v1/pools", form)["id"]
        path = f"/v1/pools/{self.pool}"
        assert wire.put(path, {**wire.get(path), "private_name": "x"})["private_name"] == "x"
        assert wire.patch(path, {"priority": 10})["priority"] == 10
        found = wire.get("/v1/pools", project_id=self.project, sort="created,id")["items"]
        assert [p["id"] for p in found] == [self.pool]
        bad = pool(self.project, reward_per_assignment=0.004)
        assert _refused(wire, "POST", "/v1/pools", bad) == "400 VALIDATION_ERROR"
        assert _refused(wire, "POST", f"{path}/open") == "409 EMPTY_POOL"
        assert wire.post(f"{path}/close") is None

    def tasks(self) -> None:
        wire = self.wire
        golden = [
            {
                "pool_id": self.pool,
                "input_values": {"image": address(500 + at)},
                "known_solutions": known("open"),
                "infinite_overlap": True,
            }
            for at in range(10)
        ]
        key = str(uuid.uuid4())
        query = {"async_mode": "true", "operation_id": key, "allow_defaults": "true"}
        assert wire.post("/v1/tasks", golden, **query)["type"] == "TASK.BATCH_CREATE"
        again = _refused(wire, "POST", "/v1/tasks", golden, **query)
        assert again == "409 OPERATION_ALREADY_EXISTS"
        assert len(wire.get(f"/v1/operations/{key}/log")) == 10
        assert wire.get(f"/v1/operations/{key}")["details"]["success_count"] == 10
        real = [{"pool_id": self.pool, "input_values": {"image": address(at)}} for at in range(12)]
        made = wire.post(
            "/v1/tasks",
            [*real, {"pool_id": self.pool, "input_values": {}}],
            allow_defaults="true",
            skip_invalid_items="true",
        )
        assert list(made["validation_errors"]) == ["12"]
        one = {"pool_id": self.pool, "input_values": {"image": address(12)}, "overlap": 2}
        self.task = wire.post("/v1/tasks", one)["id"]
        path = f"/v1/tasks/{self.task}"
        assert wire.patch(path, {"overlap": 4, "infinite_overlap": False})["overlap"] == 4
        assert wire.patch(f"{path}/set-overlap-or-min", {"overlap": 3})["remaining_overlap"] == 3
        assert wire.get(path)["input_values"] == {"image": address(12)}
        found = wire.get("/v1/tasks", pool_id=self.pool, overlap_gte=3, limit=10)
        assert (len(found["items"]), found["has_more"]) == (10, True)

    def work(self) -> None:
        wire = self.wire
        path = f"/v1/pools/{self.pool}"
        opened = wire.post(f"{path}/open")
        assert (opened["type"], wire.status) == ("POOL.OPEN", 202)
        assert wire.post(f"{path}/open") is None
        wire.post(f"{path}/close-for-update")
        assert wire.get(path)["last_close_reason"] == "FOR_UPDATE"
        wire.post(f"{path}/open")
        while wire.get(path)["status"] == "OPEN":
            pass
        names = ("completion_percentage", "spent_budget", "unique_submitters_count")
        asked = [{"name": n, "subject": "POOL", "subject_id": self.pool} for n in names]
        figures = wire.post("/staging/analytics-2", asked)["details"]["value"]
        assert figures[0]["result"]["value"] == 100
        assert wire.get(path)["last_close_reason"] == "COMPLETED"
        found = wire.get("/v1/assignments", pool_id=self.pool, status="ACCEPTED", limit=1000)
        self.assignment = found["items"][0]
        key = self.assignment["id"]
        assert wire.get(f"/v1/assignments/{key}")["user_id"] == self.assignment["user_id"]
        assert wire.patch(f"/v1/assignments/{key}", {"public_comment": "hm"})["id"] == key
        rejection = {"status": "REJECTED", "public_comment": "no"}
        refused = _refused(wire, "PATCH", f"/v1/assignments/{key}", rejection)
        assert refused == "409 INAPPROPRIATE_STATUS"
        table = wire.get(f"/new/requester/pools/{self.pool}/assignments.tsv")
        assert table.startswith("INPUT:image\tOUTPUT:shape\tGOLDEN:shape\tHINT:text")
        assert wire.get("/v1/operations", type="POOL.OPEN")["items"]

    def people(self) -> None:
        wire, user = self.wire, self.assignment["user_id"]
        assert wire.get(f"/v1/user-metadata/{user}")["languages"] == ["EN"]
        form = {"user_id": user, "skill_id": self.skill, "value": 55.5}
        doc = wire.put("/v1/user-skills", form)
        assert doc["exact_value"] == 55.5
        assert wire.get(f"/v1/user-skills/{doc['id']}")["skill_id"] == self.skill
        assert wire.get("/v1/user-skills", user_id=user, skill_id=self.skill)["items"]
        assert wire.call("DELETE", f"/v1/user-skills/{doc['id']}") is None
        ban = {"user_id": user, "scope": "PROJECT", "project_id": self.project}
        made = wire.put("/v1/user-restrictions", ban)
        assert wire.get(f"/v1/user-restrictions/{made['id']}")["scope"] == "PROJECT"
        assert wire.get("/v1/user-restrictions", user_id=user)["items"]
        wire.call("DELETE", f"/v1/user-restrictions/{made['id']}")
        bonus = {
            "user_id": user,
            "amount": 0.5,
            "public_title": {"EN": "Thanks"},
            "public_message": {"EN": "Good work"},
            "assignment_id": self.assignment["id"],
        }
        one = wire.post("/v1/user-bonuses", bonus)
        query = {"async_mode": "true", "operation_id": str(uuid.uuid4())}
        assert wire.post("/v1/user-bonuses", [bonus], **query)["status"] == "SUCCESS"
        assert wire.get(f"/v1/user-bonuses/{one['id']}")["amount"] == 0.5
        assert len(wire.get("/v1/user-bonuses", user_id=user)["items"]) == 2

    def suites(self) -> None:
        """Suites put together by hand, in a project that asks for a file."""
        wire = self.wire
        form = project()
        form["task_spec"]["output_spec"]["photo"] = {"type": "file", "required": True}
        files = wire.post("/v1/projects", form)["id"]
        other = pool(files)
        del other["mixer_config"]
        key = wire.post("/v1/pools", other)["id"]
        tasks = [{"input_values": {"image": address(at)}} for at in range(3)]
        suite = {"pool_id": key, "tasks": tasks, "overlap": 2}
        made = wire.post("/v1/task-suites", suite)
        query = {"async_mode": "true", "operation_id": str(uuid.uuid4())}
        wire.post("/v1/task-suites", [suite, suite], **query)
        path = f"/v1/task-suites/{made['id']}"
        assert wire.patch(path, {"overlap": 3, "infinite_overlap": False})["overlap"] == 3
        assert wire.patch(f"{path}/set-overlap-or-min", {"overlap": 2})["overlap"] == 2
        wire.post(f"/v1/pools/{key}/open")
        while wire.get(f"/v1/pools/{key}")["status"] == "OPEN":
            pass
        assert wire.get(path)["remaining_overlap"] == 0
        assert len(wire.get("/v1/task-suites", pool_id=key)["items"]) == 3
        files = wire.get("/v1/attachments", pool_id=key, type="ASSIGNMENT_ATTACHMENT")["items"]
        assert files
        assert wire.get(f"/v1/attachments/{files[0]['id']}")["name"] == files[0]["name"]
        assert "simulated" in wire.get(f"/v1/attachments/{files[0]['id']}/download")

    def aggregates(self) -> None:
        wire = self.wire
        form = {
            "pool_id": self.pool,
            "type": "DAWID_SKENE",
            "fields": [{"name": "shape"}],
        }
        path = "/v1/aggregated-solutions"
        made = wire.post(f"{path}/aggregate-by-pool", form)
        found = wire.get(f"{path}/{made['id']}", limit=5)
        assert len(found["items"]) == 5
        weighted = {
            **form,
            "type": "WEIGHTED_DYNAMIC_OVERLAP",
            "answer_weight_skill_id": self.skill,
            "task_id": self.task,
        }
        solution = wire.post(f"{path}/aggregate-by-task", weighted)
        assert 0 < solution["confidence"] <= 1

    def ends(self) -> None:
        wire = self.wire
        path = f"/v1/pools/{self.pool}"
        clone = wire.post(f"{path}/clone")["details"]["pool_id"]
        assert wire.get(f"/v1/pools/{clone}")["status"] == "CLOSED"
        assert wire.post(f"{path}/archive")["type"] == "POOL.ARCHIVE"
        assert _refused(wire, "POST", f"{path}/open") == "409 INAPPROPRIATE_STATUS"
        assert _refused(wire, "GET", "/v1/nothing") == "404 RESOURCE_NOT_FOUND"

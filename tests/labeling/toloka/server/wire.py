"""A requester without a client library: plain requests, and an order bought with them."""

from __future__ import annotations

import http.client
import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np

from labeling.source import (
    assignments_left,
    filled,
    missing_answers,
    next_round,
    wanted_arrays,
)
from labeling.toloka.server.model.clock import from_iso, to_iso
from labeling.types import Condition, Ints, Order

Doc = dict[str, Any]
DONE = ("SUBMITTED", "ACCEPTED", "REJECTED")


class Refused(Exception):  # noqa: N818 - what happened
    """An answer that is no success."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.code = body.get("code") if isinstance(body, dict) else None
        self.body = body


class Wire:
    """Requests to a server, answers as plain data."""

    def __init__(self, url: str, token: str = "any") -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._headers = {"Authorization": f"OAuth {token}", "Content-Type": "application/json"}
        self.status = 0

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One request.

        Raises:
            Refused: the answer is no success.
        """
        where = f"/api{path}" + (f"?{urlencode(query)}" if query else "")
        text = json.dumps(body) if body is not None else None
        self._connection.request(method, where, text, self._headers)
        answer = self._connection.getresponse()
        raw, self.status = answer.read(), answer.status
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        value = json.loads(raw) if raw and is_json else raw.decode() or None
        if self.status >= 300:
            raise Refused(self.status, value)
        return value

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return self.call("POST", path, body, **query)

    def put(self, path: str, body: Any = None) -> Any:
        return self.call("PUT", path, body)

    def patch(self, path: str, body: Any = None) -> Any:
        return self.call("PATCH", path, body)

    def close(self) -> None:
        self._connection.close()


def project(classes: tuple[str, ...] = ("loop", "straight", "open"), **changes: Any) -> Doc:
    """A project with one closed question about an image."""
    form: Doc = {
        "public_name": "Shapes",
        "public_description": "Which shape?",
        "public_instructions": "Look.",
        "assignments_issuing_type": "AUTOMATED",
        "task_spec": {
            "input_spec": {"image": {"type": "url", "required": True, "hidden": False}},
            "output_spec": {
                "shape": {
                    "type": "string",
                    "required": True,
                    "hidden": False,
                    "allowed_values": list(classes),
                }
            },
            "view_spec": {"type": "classic", "markup": "m", "script": "s", "styles": "c"},
        },
    }
    return {**form, **changes}


def pool(project_id: str, real: int = 9, golden: int = 1, **changes: Any) -> Doc:
    """A pool of that project."""
    form: Doc = {
        "project_id": project_id,
        "private_name": "pool",
        "may_contain_adult_content": False,
        "will_expire": "2023-01-01T00:00:00",
        "reward_per_assignment": 0.02,
        "assignment_max_duration_seconds": 300,
        "auto_accept_solutions": True,
        "auto_close_after_complete_delay_seconds": 0,
        "defaults": {
            "default_overlap_for_new_tasks": 3,
            "default_overlap_for_new_task_suites": 3,
        },
        "mixer_config": {
            "real_tasks_count": real,
            "golden_tasks_count": golden,
            "training_tasks_count": 0,
        },
        "quality_control": {"configs": []},
    }
    return {**form, **changes}


def rule(collector: str, conditions: list[tuple[str, str, Any]], action: str, **given: Any) -> Doc:
    """A quality-control rule; `parameters` are the collector's, all others the action's."""
    config: Doc = {"type": collector, "parameters": given.pop("parameters", {})}
    tests = [{"key": k, "operator": o, "value": v} for k, o, v in conditions]
    return {
        "collector_config": config,
        "rules": [{"conditions": tests, "action": {"type": action, "parameters": given}}],
    }


def known(value: str, name: str = "shape") -> list[Doc]:
    """A known solution."""
    return [{"output_values": {name: value}, "correctness_weight": 1}]


def address(row: int) -> str:
    """Where the image of a row is."""
    return f"https://images.example/{row:06d}.png"


@dataclass
class Answered:
    """What an order brought, told so that two doors can be compared."""

    assignments: list[tuple[int, tuple[int, ...], tuple[int, ...], tuple[bool, ...], int, int, int]]
    bans: list[tuple[int, int]]
    micros: int


@dataclass
class Shop:
    """Buys orders of one condition over the wire, by the agreement between client and server."""

    wire: Wire
    condition: Condition
    classes: tuple[str, ...]
    truth: Ints
    control_rows: list[int]
    exam_rows: list[int]
    pass_correct: int
    wrong_controls: int
    fast_seconds: float
    horizon_minutes: float
    task: dict[int, str] = field(default_factory=dict)
    row: dict[str, int] = field(default_factory=dict)
    overlap: dict[int, int] = field(default_factory=dict)
    answered: dict[int, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def set_up(self) -> None:
        """Project, exam and pool, all closed."""
        made = self.wire.post("/v1/projects", project(self.classes))
        filters: list[Doc] = []
        if self.exam_rows:
            skill = self.wire.post("/v1/skills", {"name": "exam"})["id"]
            size = len(self.exam_rows)
            share = 100 * self.pass_correct / size
            quality = rule(
                "GOLDEN_SET",
                [("golden_set_answers_count", "GTE", size)],
                "SET_SKILL_FROM_OUTPUT_FIELD",
                skill_id=skill,
                from_field="correct_answers_rate",
            )
            exam = self.wire.post(
                "/v1/pools",
                pool(
                    made["id"],
                    0,
                    size,
                    private_name="labelworth exam x",
                    reward_per_assignment=0,
                    quality_control={"configs": [quality]},
                ),
            )
            self._golden(exam["id"], self.exam_rows)
            self.wire.post(f"/v1/pools/{exam['id']}/open")
            filters.append({"category": "skill", "key": skill, "operator": "GTE", "value": share})
        rules = [
            rule(
                "GOLDEN_SET",
                [("golden_set_incorrect_answers_rate", "GT", 0)],
                "RESTRICTION_V2",
                scope="POOL",
                duration_unit="PERMANENT",
                private_comment="control",
            ),
            rule(
                "ASSIGNMENT_SUBMIT_TIME",
                [("fast_submitted_count", "GTE", 1)],
                "RESTRICTION_V2",
                scope="POOL",
                duration_unit="PERMANENT",
                private_comment="fast",
                parameters={"fast_submit_threshold_seconds": self.fast_seconds},
            ),
        ]
        real = self.condition.real_per_suite
        form = pool(
            made["id"],
            real,
            self.condition.controls,
            reward_per_assignment=self.condition.reward.dollars,
            auto_close_after_complete_delay_seconds=3600,
            metadata={"labelworth_condition": [self.condition.key]},
            quality_control={"configs": rules},
        )
        if filters:
            form["filter"] = {"and": [{"or": [part]} for part in filters]}
        self.pool = self.wire.post("/v1/pools", form)
        self._golden(self.pool["id"], self.control_rows)

    def _golden(self, pool_id: str, rows: list[int]) -> None:
        if rows:
            forms = [
                {
                    "pool_id": pool_id,
                    "input_values": {"image": address(row)},
                    "known_solutions": known(self.classes[self.truth[row]]),
                    "infinite_overlap": True,
                }
                for row in rows
            ]
            made = self.wire.post("/v1/tasks", forms)
            for at, row in enumerate(rows):
                self.row[made["items"][str(at)]["id"]] = row

    def buy(self, order: Order) -> Answered:
        """Place an order and collect it to its end."""
        tasks, wanted = wanted_arrays(order)
        self._ask(tasks, filled(wanted, order.condition))
        minutes = min(
            self.horizon_minutes,
            order.minutes if order.minutes is not None else self.horizon_minutes,
        )
        now = self.wire.get("/sim/clock")["ms"]
        form = {**self.pool, "will_expire": to_iso(now + round(60_000 * minutes))}
        self.pool = self.wire.put(f"/v1/pools/{self.pool['id']}", form)
        if minutes <= 0:
            return Answered([], [], 0)
        spent = self.wire.get("/sim/account")["charged"]
        self.wire.post(f"/v1/pools/{self.pool['id']}/open")
        opened = from_iso(self.wire.get(f"/v1/pools/{self.pool['id']}")["last_started"])
        mine = self._work(order, tasks, wanted)
        known_bans = len(self.seen)
        self.seen |= {a["id"] for a in mine}
        assert len(self.seen) == known_bans + len(mine)
        bans = [
            (_person(ban["user_id"]), from_iso(ban["created"]) - opened)
            for ban in self._bans()
            if from_iso(ban["created"]) >= opened
        ]
        charged = self.wire.get("/sim/account")["charged"] - spent
        told = [
            self._told(a, opened) for a in sorted(mine, key=lambda a: (a["submitted"], a["id"]))
        ]
        for assignment in mine:
            for row in self._real(assignment):
                self.answered[row] = self.answered.get(row, 0) + 1
        return Answered(told, sorted(bans), charged)

    def _ask(self, tasks: Ints, wanted: Ints) -> None:
        fresh = [(int(t), int(w)) for t, w in zip(tasks, wanted, strict=True) if t not in self.task]
        asked = {int(t): int(w) for t, w in zip(tasks, wanted, strict=True)}
        for row, key in self.task.items():
            total = self.answered.get(row, 0) + asked.get(row, 0)
            if total != self.overlap[row]:
                path = f"/v1/tasks/{key}/set-overlap-or-min"
                self.wire.patch(path, {"overlap": total})
                self.overlap[row] = total
        if not fresh:
            return
        forms = [
            {"pool_id": self.pool["id"], "input_values": {"image": address(row)}, "overlap": count}
            for row, count in fresh
        ]
        operation = self.wire.post(
            "/v1/tasks", forms, async_mode="true", operation_id=str(uuid.uuid4())
        )
        log = self.wire.get(f"/v1/operations/{operation['id']}/log")
        for (row, count), line in zip(fresh, log, strict=True):
            key = line["output"]["task_id"]
            self.task[row], self.row[key], self.overlap[row] = key, row, count

    def _work(self, order: Order, tasks: Ints, wanted: Ints) -> list[Doc]:
        """Poll until the pool is closed and nothing is active; ask again and close on the way."""
        path = f"/v1/pools/{self.pool['id']}"
        while True:
            found = self.wire.get(
                "/v1/assignments",
                pool_id=self.pool["id"],
                status="ACTIVE,SUBMITTED,ACCEPTED",
                limit=100000,
            )["items"]
            mine = [a for a in found if a["id"] not in self.seen]
            active = sum(a["status"] == "ACTIVE" for a in mine)
            is_open = self.wire.get(path)["status"] == "OPEN"
            if not is_open and not active:
                return mine
            if not is_open:
                continue
            left = assignments_left(order.limit, len(mine) - active, active)
            if not left:
                self.wire.post(f"{path}/close")
            elif not active and self._given(tasks, mine):
                self._next(order, tasks, wanted, mine, left)

    def _given(self, tasks: Ints, mine: list[Doc]) -> bool:
        """Whether every answer asked for has been given."""
        given = dict(self.answered)
        for assignment in mine:
            for row in self._real(assignment):
                given[row] = given.get(row, 0) + 1
        return all(given.get(int(row), 0) >= self.overlap[int(row)] for row in tasks)

    def _next(self, order: Order, tasks: Ints, wanted: Ints, mine: list[Doc], left: int) -> None:
        banned = {ban["user_id"] for ban in self._bans()}
        rows = [(row, a["user_id"] not in banned) for a in mine for row in self._real(a)]
        answered = np.array([row for row, _ in rows], dtype=np.int64)
        usable = np.array([good for _, good in rows], dtype=np.bool_)
        missing = missing_answers(tasks, wanted, answered, usable)
        raised = next_round(missing, order.condition.real_per_suite, left)
        if not raised.any():
            self.wire.post(f"/v1/pools/{self.pool['id']}/close")
            return
        raised = filled(raised, order.condition)
        for row, more in zip(tasks.tolist(), raised.tolist(), strict=True):
            if more:
                self.overlap[row] += more
                self.wire.patch(f"/v1/tasks/{self.task[row]}", {"overlap": self.overlap[row]})

    def _real(self, assignment: Doc) -> list[int]:
        return [self.row[t["id"]] for t in assignment["tasks"] if "known_solutions" not in t]

    def _bans(self) -> list[Doc]:
        found: list[Doc] = self.wire.get(
            "/v1/user-restrictions", pool_id=self.pool["id"], limit=300
        )["items"]
        return found

    def _told(self, a: Doc, opened: int) -> tuple[Any, ...]:
        submitted, created = from_iso(a["submitted"]) - opened, from_iso(a["created"]) - opened
        return (
            _person(a["user_id"]),
            tuple(self.row[task["id"]] for task in a["tasks"]),
            tuple(self.classes.index(s["output_values"]["shape"]) for s in a["solutions"]),
            tuple("known_solutions" in task for task in a["tasks"]),
            submitted,
            submitted - created,
            round(1e6 * a["reward"]),
        )


def _person(user: str) -> int:
    return int(user[22:])

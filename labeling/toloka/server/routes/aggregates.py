"""Aggregated solutions: the platform's own labels from a pool's answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from labeling.aggregation.dynamic_overlap import confidence
from labeling.aggregation.methods import aggregate
from labeling.toloka.server.model.errors import conflict, invalid, not_found
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.records import REAL, Doc, PlatformPool, Task
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes import operations
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.objects import AGGREGATION
from labeling.types import Answers

_DAWID_SKENE = "DAWID_SKENE"
Label = tuple[Any, float]


@route("POST", "/v1/aggregated-solutions/aggregate-by-pool", body=AGGREGATION)
def aggregate_pool(world: PlatformState, request: Request) -> Reply:
    """Aggregate all answers of a pool, as an operation."""
    form, pool, names = _read(world, request)
    if pool.is_open or pool.active:
        raise conflict("POOL_NOT_CLOSED", f"Pool {pool.id} is still being worked on")
    parameters: Doc = {
        "pool_id": pool.id,
        "pool_name": pool.doc["private_name"],
        "project_id": pool.doc["project_id"],
        "requester_id": world.owner["id"],
        "algorithm": form["type"],
        "aggregated_output_fields": names,
    }
    reply = operations.start(world, "SOLUTION.AGGREGATE", parameters, {})
    world.aggregates[reply.body["id"]] = _solutions(world, pool, form, names, pool.of_kind(REAL))
    return reply


@route("POST", "/v1/aggregated-solutions/aggregate-by-task", body=AGGREGATION)
def aggregate_task(world: PlatformState, request: Request) -> Reply:
    """Aggregate the answers to one task."""
    form, pool, names = _read(world, request)
    task = world.tasks.get(str(form.get("task_id")))
    if task is None or task.pool_id != pool.id:
        raise not_found("task", str(form.get("task_id")))
    solutions = _solutions(world, pool, form, names, [task])
    if not solutions:
        raise conflict("NO_ANSWERS", f"Task {task.id} has no accepted answer")
    return Reply(201, solutions[0])


@route("GET", "/v1/aggregated-solutions/{id}")
def list_solutions(world: PlatformState, request: Request) -> Reply:
    """The result of an aggregation, task by task."""
    if request.id() not in world.aggregates:
        raise not_found("aggregation", request.id())
    query = {"sort": "task_id", **request.query}
    return Reply(200, page(world.aggregates[request.id()], query, (), dict, most=100_000))


def _read(world: PlatformState, request: Request) -> tuple[Doc, PlatformPool, list[str]]:
    form = request.body
    pool = world.pool(form["pool_id"])
    spec = world.project(pool.doc["project_id"])["task_spec"]["output_spec"]
    names = [field["name"] for field in form["fields"]]
    if unknown := [name for name in names if name not in spec]:
        raise invalid("fields", "UNKNOWN_FIELD", f"{unknown} is none of the project's fields")
    return form, pool, names


def _solutions(
    world: PlatformState, pool: PlatformPool, form: Doc, names: list[str], tasks: list[Task]
) -> list[Doc]:
    answered = [task for task in tasks if task.answered]
    if form["type"] == _DAWID_SKENE:
        labels = [_dawid_skene(answered, name) for name in names]
    else:
        skill = str(form["answer_weight_skill_id"])
        labels = [[_weighted(world, task, name, skill) for task in answered] for name in names]
    return [
        {
            "pool_id": pool.id,
            "task_id": task.id,
            "confidence": min(label[at][1] for label in labels),
            "output_values": {n: label[at][0] for n, label in zip(names, labels, strict=True)},
        }
        for at, task in enumerate(answered)
    ]


def _values(tasks: list[Task], name: str) -> list[Any]:
    """The distinct answers, in a fixed order."""
    given = {repr(a.get(name)): a.get(name) for task in tasks for _, a in task.answered}
    return [given[key] for key in sorted(given)]


def _dawid_skene(tasks: list[Task], name: str) -> list[Label]:
    values = _values(tasks, name)
    if len(values) < 2:
        return [(values[0], 1.0) for _ in tasks]
    users = {user: at for at, user in enumerate(_users(tasks))}
    rows = [(at, users[user], a) for at, task in enumerate(tasks) for user, a in task.answered]
    answers = Answers(
        task=np.array([at for at, _, _ in rows], dtype=np.int64),
        annotator=np.array([user for _, user, _ in rows], dtype=np.int64),
        label=np.array([values.index(a.get(name)) for _, _, a in rows], dtype=np.int64),
        control=np.zeros(len(rows), dtype=np.bool_),
        usable=np.ones(len(rows), dtype=np.bool_),
    )
    labels = aggregate(answers, range(len(tasks)), len(values), "dawid-skene", {})
    best = labels.posterior.argmax(axis=1)
    return [(values[int(b)], float(p[b])) for b, p in zip(best, labels.posterior, strict=True)]


def _users(tasks: list[Task]) -> list[str]:
    return list(dict.fromkeys(user for task in tasks for user, _ in task.answered))


def _weighted(world: PlatformState, task: Task, name: str, skill: str) -> Label:
    """The leading answer by the annotators' skills; an unknown skill counts as one half."""
    values = _values([task], name)
    if len(values) < 2:
        return values[0], 1.0
    labels = [values.index(answer.get(name)) for _, answer in task.answered]
    skills = [world.skills_of(user).get(skill, 50.0) / 100 for user, _ in task.answered]
    shares = confidence(labels, skills, len(values))
    return values[int(shares.argmax())], float(shares.max())

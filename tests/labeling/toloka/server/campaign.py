"""A small campaign by plain requests, for tests that look at what the platform makes of it."""

from __future__ import annotations

from typing import Any

from .wire import Doc, Wire, address, known, pool, project


def fill(wire: Wire, tasks: int = 30, golden: int = 20, overlap: int = 2, **changes: Any) -> str:
    """A closed pool with tasks; returns its id."""
    where = changes.pop("project_id", None) or wire.post("/v1/projects", project())["id"]
    sizes = {name: changes.pop(name) for name in ("real", "per_suite") if name in changes}
    form = pool(where, sizes.get("real", 4), sizes.get("per_suite", 1), **changes)
    key: str = wire.post("/v1/pools", form)["id"]
    controls = [
        {
            "pool_id": key,
            "input_values": {"image": address(5000 + at)},
            "known_solutions": known(("loop", "straight", "open")[at % 3]),
            "infinite_overlap": True,
        }
        for at in range(golden)
    ]
    real = [
        {"pool_id": key, "input_values": {"image": address(at)}, "overlap": overlap}
        for at in range(tasks)
    ]
    wire.post("/v1/tasks", controls + real)
    return key


def poll(wire: Wire, key: str) -> list[Doc]:
    """All assignments of a pool: asking again lets the next thing happen."""
    found: list[Doc] = wire.get("/v1/assignments", pool_id=key, limit=10_000)["items"]
    return found


def finish(wire: Wire, key: str) -> list[Doc]:
    """Wait until a pool is closed and nothing is active; its assignments."""
    while wire.get(f"/v1/pools/{key}")["status"] == "OPEN":
        pass
    found = poll(wire, key)
    while any(a["status"] == "ACTIVE" for a in found):
        found = poll(wire, key)
    return found


def run(wire: Wire, **changes: Any) -> tuple[str, list[Doc]]:
    """Fill a pool, open it and finish it; its id and its assignments."""
    key = fill(wire, **changes)
    wire.post(f"/v1/pools/{key}/open")
    return key, finish(wire, key)


def everything(wire: Wire) -> Doc:
    """All that a client can see of a platform."""
    lists = ("projects", "pools", "trainings", "skills", "user-skills", "user-restrictions")
    seen: Doc = {name: wire.get(f"/v1/{name}", limit=300)["items"] for name in lists}
    for name in ("tasks", "task-suites"):
        seen[name] = wire.get(f"/v1/{name}", limit=10_000)["items"]
    seen["account"] = wire.get("/sim/account")
    seen["counts"] = wire.get("/sim/counts")
    seen["clock"] = wire.get("/sim/clock")
    return seen

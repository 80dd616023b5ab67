"""Answers that are lost: everything that creates or spends happens once all the same."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from budget.errors import MarketUnreachable
from budget.money import Money
from labeling.toloka.api.client import kit
from labeling.toloka.pools.review import give_bonus
from labeling.toloka.server import Server
from labeling.toloka.server.web.faults import Fault
from labeling.toloka.source import TolokaSource
from labeling.types import Assignment, Page
from tests.labeling.toloka.ground import CANARY, Ground, buy, unnamed

TASKS, CONTROLS = 18, 8
IMPATIENT = 0.25  # seconds: how long a client waits for an answer in these tests
FAULTS: dict[str, dict[str, Any]] = {
    "dropped after the effect": {"kind": "drop-after"},
    "dropped before the effect": {"kind": "drop-before"},
    "500": {"kind": "500"},
    "502": {"kind": "502"},
    "503 after the effect": {"kind": "503", "effect": True},
    "503": {"kind": "503"},
    "504": {"kind": "504"},
    "time-out": {"kind": "timeout", "seconds": 2 * IMPATIENT},
    "truncated JSON": {"kind": "truncated"},
    "429": {"kind": "429"},
    "429 with Retry-After": {"kind": "429", "retry_after": 7},
    "429 after the effect": {"kind": "429", "effect": True},
}
# What creates or spends: how often an order of these tests calls it, and what reads back.
SPENDING = {
    "project": ("POST", "/v1/projects"),
    "skill": ("POST", "/v1/skills"),
    "pool": ("POST", "/v1/pools"),
    "settings": ("PUT", "/v1/pools/{id}"),
    "tasks": ("POST", "/v1/tasks"),
    "opening": ("POST", "/v1/pools/{id}/open"),
    "overlap": ("PATCH", "/v1/tasks/{id}"),
    "closing": ("POST", "/v1/pools/{id}/close"),
    "verdict": ("PATCH", "/v1/assignments/{id}"),
    "bonus": ("POST", "/v1/user-bonuses"),
    "archiving": ("POST", "/v1/pools/{id}/archive"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all cases."""
    on = Ground(tmp_path_factory.mktemp("server"), tasks=TASKS, controls=CONTROLS, seed=3)
    yield on.serve()
    on.close()


def fresh(folder: Path, server: Server) -> Ground:
    """The server with nothing on it, in front of a small campaign with bans."""
    on = Ground(folder, tasks=TASKS, controls=CONTROLS, seed=3, server=server)
    server.reset(on.settings())
    return on


def accept_most(assignment: Assignment) -> str | None:
    """A reviewer who rejects what was done too fast."""
    return "Please take more time" if assignment.seconds < 25 else None


def run(on: Ground, market: TolokaSource) -> list[list[Page]]:
    """A campaign that calls every spending endpoint: two tranches, review, a bonus, archiving."""
    first, second = on.order(12, overlap=2), on.order(TASKS, overlap=1, tranche=1)
    pages = [buy(market, first), buy(market, second)]
    best = pages[0][0].assignments[0].annotator
    give_bonus(market.api, market.journal, "best", best, Money(20_000), "Thank you")
    market.close()
    market.archive([first.condition.key])
    return pages


def counts(server: Server) -> dict[str, int]:
    """How many objects of each kind the server holds."""
    world = server.platform.world
    return {
        "projects": len(world.projects),
        "skills": len(world.skills),
        "pools": len(world.pools),
        "tasks": len(world.tasks),
        "bonuses": len(world.bonuses),
        "assignments": len(world.assignments),
        "entries": len(world.account.entries),
        "charged": world.account.charged.micros,
        "open": sum(pool.is_open for pool in world.pools.values()),
    }


@pytest.fixture(scope="module")
def undisturbed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any]:
    """The campaign when nothing goes wrong: what came, what there is, how often each was called."""
    on = fresh(tmp_path_factory.mktemp("undisturbed"), server)
    watch = [Fault("drop-before", path, method, call=10**9) for method, path in SPENDING.values()]
    server._faults = watch
    pages = run(on, on.market(review=accept_most))
    called = {name: fault.seen for name, fault in zip(SPENDING, watch, strict=True)}
    return [unnamed(p) for p in pages], counts(server), called


def test_the_campaign_calls_everything_that_spends(undisturbed: tuple[Any, Any, Any]) -> None:
    _, there, called = undisturbed
    assert min(called.values()) >= 1
    assert called["pool"] == there["pools"] == 1
    assert there["bonuses"] == 1
    assert there["tasks"] == TASKS + CONTROLS


@pytest.mark.slow
@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_spends_happens_once(
    fault: str, turn: int, server: Server, undisturbed: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    """Every spending endpoint goes wrong in one campaign: 12 faults at 11 endpoints, and again at
    the second call of those that are called more than once."""
    pages, there, called = undisturbed
    on = fresh(tmp_path, server)
    hit = {name: place for name, place in SPENDING.items() if called[name] >= turn}
    assert len(hit) >= (11, 6)[turn - 1]
    server._faults = [
        Fault(path=path, method=method, call=turn, **FAULTS[fault]) for method, path in hit.values()
    ]
    found = run(on, on.market(on.api(IMPATIENT), review=accept_most))
    for name, wrong in zip(hit, server._faults, strict=True):
        assert wrong.seen >= turn, name
    assert [unnamed(p) for p in found] == pages
    assert counts(server) == there
    recorded = sum(len(a) for a, _ in pages)
    assert there["entries"] == recorded + 1  # and the bonus
    assert CANARY not in (on.folder / "market/market.jsonl").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_questions_are_asked_until_they_are_answered(
    fault: str, server: Server, undisturbed: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    on = fresh(tmp_path, server)
    settings = {k: v for k, v in FAULTS[fault].items() if k != "effect"}
    places = ["/v1/assignments", "/v1/pools", "/v1/pools/{id}", "/v1/tasks", "/v1/requester"]
    places += ["/v1/user-restrictions", "/v1/operations/{id}", "/v1/operations/{id}/log"]
    # A read that moved the clock and lost its answer is asked again: news is not lost, but the
    # limit is seen one event later; nothing here is bound by its limit.
    server._faults = [Fault(path=path, method="GET", call=2, **settings) for path in places]
    market = on.market(on.api(IMPATIENT), review=accept_most)
    run(on, market)
    found = counts(server)
    for name in ("projects", "skills", "pools", "tasks", "bonuses", "open"):
        assert found[name] == undisturbed[1][name]


def test_a_platform_that_never_answers_is_one_line_and_nothing_is_doubled(
    server: Server, undisturbed: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    on = fresh(tmp_path, server)
    server._faults = [Fault("500", "/v1/pools", "POST", times=1), Fault("503", "*", "GET", 30, 99)]
    market = on.market(review=accept_most)
    with pytest.raises(MarketUnreachable, match="start the same command again") as caught:
        run(on, market)
    assert "\n" not in str(caught.value)
    server._faults = []
    market.close()
    again = on.market(review=accept_most)
    assert run(on, again) is not None
    found = counts(server)
    assert {name: found[name] for name in ("pools", "tasks", "bonuses", "open")} == {
        name: undisturbed[1][name] for name in ("pools", "tasks", "bonuses", "open")
    }


# --- why the guard is there: the same calls through toloka-kit as it comes ---


def kit_calls(server: Server) -> dict[str, Callable[[], Any]]:
    """Calls of an unguarded client, each meant to create one thing."""
    tc = kit()
    client = tc.TolokaClient(CANARY, url=server.url, timeout=IMPATIENT)
    world = server.platform.world

    def project() -> Any:
        spec = tc.project.task_spec.TaskSpec(
            input_spec={"image": tc.project.field_spec.UrlSpec()},
            output_spec={"kind": tc.project.field_spec.StringSpec(allowed_values=["a", "b"])},
            view_spec=tc.project.view_spec.ClassicViewSpec(markup="", script="", styles=""),
        )
        return client.create_project(
            tc.Project(public_name="p", public_description="p", task_spec=spec)
        )

    def pool() -> Any:
        made = tc.Pool(
            project_id=next(iter(world.projects)),
            private_name="pool",
            may_contain_adult_content=False,
            will_expire="2030-01-01T00:00:00",
            reward_per_assignment=0.02,
            assignment_max_duration_seconds=300,
            defaults=tc.Pool.Defaults(
                default_overlap_for_new_task_suites=1, default_overlap_for_new_tasks=1
            ),
        )
        made.set_mixer_config(real_tasks_count=1)
        return client.create_pool(made)

    def tasks() -> Any:
        task = tc.Task(pool_id=next(iter(world.pools)), input_values={"image": "https://x/1"})
        return client.create_tasks(
            [task], allow_defaults=True, async_mode=False, operation_id=uuid.uuid4()
        )

    return {"projects": project, "pools": pool, "tasks": tasks}


@pytest.mark.parametrize("kind", ["drop-after", "500", "503", "504", "timeout"])
def test_toloka_kit_by_itself_creates_twice(kind: str, server: Server, tmp_path: Path) -> None:
    fresh(tmp_path, server)
    calls = kit_calls(server)
    for at, (name, call) in enumerate(calls.items()):
        path = f"/v1/{name}"
        server._faults = [replace(Fault(kind, path, "POST", effect=True), seconds=2 * IMPATIENT)]
        call()
        assert counts(server)[name] == 2, "the first answer was lost, so it was created again"
        assert at < 3


def test_toloka_kit_by_itself_stumbles_over_retry_after(server: Server, tmp_path: Path) -> None:
    fresh(tmp_path, server)
    server._faults = [Fault("429", "/v1/projects", "POST", retry_after=1)]
    with pytest.raises(TypeError):
        kit_calls(server)["projects"]()

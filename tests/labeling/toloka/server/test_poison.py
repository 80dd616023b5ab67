"""Malformed requests leave no trace, and the platform lives on, also after a restart."""

from __future__ import annotations

import copy
import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import RequestLog, Settings, serve
from labeling.toloka.server.routes.routing import ROUTES, find

from .bodies import calls, platform_with_a_campaign, rich_pool
from .campaign import everything, run
from .wire import Doc, Refused, Wire, pool, project

SETTINGS = Settings(load_scenario("default"), seed=2)
CONFIG = ("quality_control", "configs", 0)
RULE = (*CONFIG, "rules", 0)
FILTER = ("filter", "and", 0, "or", 0)
_PRICES = ((0, 60), (50, 100))
OVERLAPPING = [{"from": a, "to": b, "reward_per_assignment": 0.03} for a, b in _PRICES]
SPEC = ("task_spec", "output_spec", "shape")

# Route, and what is put at one place of its valid body; the place () is the whole body.
POISON: list[tuple[str, str, tuple[str | int, ...], Any]] = [
    ("PUT", "/v1/user-restrictions", ("will_expire",), {}),
    ("PUT", "/v1/user-restrictions", ("will_expire",), "soon"),
    ("PUT", "/v1/user-restrictions", ("user_id",), {}),
    ("PUT", "/v1/user-restrictions", ("scope",), ["POOL"]),
    ("PUT", "/v1/user-restrictions", ("scope",), "WORLD"),
    ("PUT", "/v1/user-restrictions", ("pool_id",), None),
    ("PUT", "/v1/user-restrictions", ("private_comment",), "x" * 500),
    ("POST", "/v1/user-bonuses", ("user_id",), {}),
    ("POST", "/v1/user-bonuses", ("amount",), {}),
    ("POST", "/v1/user-bonuses", ("assignment_id",), []),
    ("POST", "/v1/user-bonuses", ("public_title",), {"ZZ": "Thanks"}),
    ("PUT", "/v1/user-skills", ("value",), "5"),
    ("PUT", "/v1/user-skills", ("value",), 101),
    ("PUT", "/v1/user-skills", ("skill_id",), {}),
    ("POST", "/v1/skills", ("name",), {"a": 1}),
    ("POST", "/v1/skills", ("name",), "\ud800"),
    ("POST", "/v1/skills", ("public_name",), {"ZZ": "a"}),
    ("PUT", "/v1/skills/{id}", ("hidden",), "no"),
    ("POST", "/v1/projects", (), [1]),
    ("POST", "/v1/projects", ("task_spec", "output_spec"), {}),
    ("POST", "/v1/projects", SPEC, 5),
    ("POST", "/v1/projects", (*SPEC, "type"), "colour"),
    ("POST", "/v1/projects", (*SPEC, "allowed_values"), [{}]),
    ("POST", "/v1/projects", ("task_spec", "output_spec", "score", "max_value"), 0),
    ("POST", "/v1/projects", ("localization_config", "default_language"), "ZZ"),
    ("POST", "/v1/projects", (*CONFIG, "rules"), None),
    ("PUT", "/v1/projects/{id}", ("task_spec", "input_spec"), [[]]),
    ("POST", "/v1/pools", ("project_id",), {}),
    ("POST", "/v1/pools", ("will_expire",), 5),
    ("POST", "/v1/pools", ("reward_per_assignment",), {}),
    ("POST", "/v1/pools", ("reward_per_assignment",), True),
    ("POST", "/v1/pools", ("assignment_max_duration_seconds",), "300"),
    ("POST", "/v1/pools", ("quality_control",), {"configs": 5}),
    ("POST", "/v1/pools", ("metadata",), [5]),
    ("POST", "/v1/pools", ("defaults", "default_overlap_for_new_tasks"), 0),
    ("POST", "/v1/pools", ("mixer_config", "real_tasks_count"), "x"),
    ("POST", "/v1/pools", ("mixer_config", "golden_tasks_count"), -1),
    ("POST", "/v1/pools", ("dynamic_overlap_config", "max_overlap"), 0),
    ("POST", "/v1/pools", ("dynamic_overlap_config", "min_confidence"), None),
    ("POST", "/v1/pools", ("dynamic_pricing_config", "intervals"), []),
    ("POST", "/v1/pools", ("dynamic_pricing_config", "intervals"), OVERLAPPING),
    ("POST", "/v1/pools", ("dynamic_pricing_config", "intervals", 0, "to"), 0),
    ("POST", "/v1/pools", ("dynamic_pricing_config", "intervals", 0, "reward_per_assignment"), -1),
    ("POST", "/v1/pools", ("auto_accept_period_day",), 22),
    ("POST", "/v1/pools", (*CONFIG, "collector_config"), "GOLDEN_SET"),
    ("POST", "/v1/pools", (*CONFIG, "collector_config", "type"), "MOON_PHASE"),
    ("POST", "/v1/pools", (*CONFIG, "collector_config", "parameters", "history_size"), {}),
    ("POST", "/v1/pools", (*RULE, "action"), None),
    ("POST", "/v1/pools", (*RULE, "action", "type"), "FIRE"),
    ("POST", "/v1/pools", (*RULE, "action", "parameters", "duration"), 10**15),
    ("POST", "/v1/pools", (*RULE, "action", "parameters", "duration_unit"), "YEARS"),
    ("POST", "/v1/pools", (*RULE, "conditions", 0, "operator"), "ABOUT"),
    ("POST", "/v1/pools", (*RULE, "conditions", 0, "key"), "mood"),
    ("POST", "/v1/pools", (*RULE, "conditions", 0, "value"), "many"),
    ("POST", "/v1/pools", (*FILTER, "value"), "ZZ"),
    ("POST", "/v1/pools", (*FILTER, "key"), "star_sign"),
    ("POST", "/v1/pools", (*FILTER, "operator"), "GT"),
    ("POST", "/v1/pools", (*FILTER, "category"), "weather"),
    ("POST", "/v1/pools", ("filter",), {"and": 5}),
    ("POST", "/v1/pools", ("filter",), {"and": [], "or": []}),
    ("POST", "/v1/pools", ("filter", "and", 2, "or", 0, "value"), "high"),
    ("POST", "/v1/pools", ("quality_control", "training_requirement", "training_pool_id"), "21"),
    ("PUT", "/v1/pools/{id}", ("mixer_config",), 5),
    ("PUT", "/v1/pools/{id}", ("will_expire",), None),
    ("PATCH", "/v1/pools/{id}", ("priority",), {}),
    ("PATCH", "/v1/pools/{id}", ("priority",), 101),
    ("POST", "/v1/trainings", ("training_tasks_in_task_suite_count",), "two"),
    ("PUT", "/v1/trainings/{id}", ("metadata",), 5),
    ("POST", "/v1/tasks", ("input_values",), []),
    ("POST", "/v1/tasks", ("known_solutions",), [{}]),
    ("POST", "/v1/tasks", ("overlap",), 1.5),
    ("POST", "/v1/tasks", ("pool_id",), {}),
    ("POST", "/v1/tasks", (), [None]),
    ("PATCH", "/v1/tasks/{id}", ("overlap",), 0),
    ("PATCH", "/v1/tasks/{id}", ("known_solutions",), "loop"),
    ("PATCH", "/v1/tasks/{id}/set-overlap-or-min", ("overlap",), None),
    ("POST", "/v1/task-suites", ("tasks", 0), 5),
    ("POST", "/v1/task-suites", ("issuing_order_override",), "first"),
    ("PATCH", "/v1/task-suites/{id}", ("overlap",), -1),
    ("PATCH", "/v1/task-suites/{id}/set-overlap-or-min", ("overlap",), []),
    ("PATCH", "/v1/assignments/{id}", ("status",), "BURNED"),
    ("PATCH", "/v1/assignments/{id}", (), None),
    ("POST", "/v1/aggregated-solutions/aggregate-by-pool", ("fields",), [5]),
    ("POST", "/v1/aggregated-solutions/aggregate-by-pool", ("pool_id",), {}),
    ("POST", "/v1/aggregated-solutions/aggregate-by-task", ("type",), "GUESS"),
    ("POST", "/staging/analytics-2", (0,), "spent_budget"),
    ("POST", "/staging/analytics-2", (0, "name"), "luck"),
    ("POST", "/sim/clock", ("seconds",), {}),
    ("POST", "/sim/clock", ("seconds",), 1e300),
    ("POST", "/sim/clock", ("seconds",), float("nan")),
    ("POST", "/sim/balance", ("balance",), []),
    ("POST", "/sim/balance", ("balance",), -1),
    ("PUT", "/sim/faults", (0, "call"), "x"),
    ("PUT", "/sim/faults", (0, "seconds"), {}),
    ("PUT", "/sim/faults", (0, "path"), "\ud800"),
    ("POST", "/sim/reset", ("seed",), {}),
    ("POST", "/sim/reset", ("scenario",), 5),
    ("POST", "/sim/reset", ("scenario",), "a\0b"),
    ("POST", "/sim/reset", ("truth",), "a\0b"),
    ("POST", "/sim/reset", ("balance",), -1),
    ("POST", "/sim/reset", ("truth",), []),
]


@contextmanager
def _kept(path: Path) -> Iterator[Wire]:
    log = RequestLog(path, SETTINGS)
    with serve(SETTINGS, journal=log) as server, closing(Wire(server.url)) as wire:
        yield wire


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Doc]:
    """The state file of a platform on which a campaign has run, and the ids of its objects."""
    path = tmp_path_factory.mktemp("platform") / "state.jsonl"
    with _kept(path) as wire:
        return path, platform_with_a_campaign(wire)


@pytest.fixture
def state(begun: tuple[Path, Doc], tmp_path: Path) -> Path:
    """A copy of that state file."""
    return Path(shutil.copy(begun[0], tmp_path / "state.jsonl"))


def _put(body: Any, place: tuple[str | int, ...], value: Any) -> Any:
    if not place:
        return value
    changed = copy.deepcopy(body)
    node = changed
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = value
    return changed


def _template(method: str, path: str) -> str:
    if path in ("/sim/reset", "/sim/faults"):
        return path
    return find(method, path)[0].template


def _valid(ids: Doc, method: str, template: str) -> tuple[str, Any]:
    """Path and body of a valid call of a route."""
    for word, path, body in calls(ids):
        if (word, _template(word, path)) == (method, template):
            return path, body
    raise AssertionError(f"no valid call of {method} {template}")


def test_every_route_that_reads_a_body_declares_its_shape_and_is_poisoned(
    begun: tuple[Path, Doc],
) -> None:
    declared = {(r.method, r.template) for r in ROUTES if r.body is not None}
    called = {(word, _template(word, path)) for word, path, _ in calls(begun[1])}
    poisoned = {(method, template) for method, template, _, _ in POISON}
    assert called == poisoned == declared | {("PUT", "/sim/faults"), ("POST", "/sim/reset")}


def test_the_valid_bodies_are_taken(state: Path, begun: tuple[Path, Doc]) -> None:
    with _kept(state) as wire:
        for method, path, body in calls(begun[1]):
            wire.call(method, path, body)
            assert wire.status in (200, 201, 202)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "template", "place", "value"), POISON)
def test_a_malformed_request_is_refused_and_leaves_no_trace(
    method: str,
    template: str,
    place: tuple[str | int, ...],
    value: Any,
    state: Path,
    begun: tuple[Path, Doc],
) -> None:
    path, body = _valid(begun[1], method, template)
    with _kept(state) as wire:
        before, kept = everything(wire), state.read_bytes()
        with pytest.raises(Refused) as refused:
            wire.call(method, path, _put(body, place, value))
        assert refused.value.status == 400
        assert {"request_id", "code", "message"} <= refused.value.body.keys()
        assert state.read_bytes() == kept
        assert everything(wire) == before
    with _kept(state) as wire:
        assert everything(wire) == before
        _, done = run(wire, tasks=4, golden=2, overlap=1)
        assert any(a["status"] == "ACCEPTED" for a in done)


VALUES: list[Any] = [{}, [], -1, 1e308, 10**30, "x", None, True, [{}], {"a": 5}]


@pytest.mark.parametrize("each", [2, pytest.param(len(VALUES), marks=pytest.mark.slow)])
def test_no_value_at_any_place_breaks_the_platform(
    each: int, state: Path, begun: tuple[Path, Doc]
) -> None:
    """Every value of every body is replaced by some kinds of value, by turns, or by all."""
    ids, turn = begun[1], itertools.cycle(VALUES)
    with _kept(state) as wire:
        for method, path, body in calls(ids)[:-1]:  # all but the reset
            for place in _places(body):
                for value in itertools.islice(turn, each):
                    assert _answer(wire, method, path, _put(body, place, value)) < 500
        before = everything(wire)
    with _kept(state) as wire:
        assert everything(wire) == before
        wire.post("/sim/balance", {"balance": 100})
        _, done = run(wire, tasks=4, golden=2, overlap=1)
        assert any(a["status"] == "ACCEPTED" for a in done)


def _places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield place
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _places(part, (*place, name))
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _places(part, (*place, at))


def _answer(wire: Wire, method: str, path: str, body: Any = None) -> int:
    """The status of an answer."""
    with suppress(Refused):
        wire.call(method, path, body)
    return wire.status


@pytest.mark.parametrize(
    "query",
    [
        *("limit=x", "limit=%C2%B2", f"limit={'9' * 5000}", "sort=doc", "sort=view", "sort=tasks"),
        *("overlap_gte=x", "overlap_gte=nan", "created_gt=now", "doc_gt=1", "view_lt=1", "sort="),
        *("row_gt=x", "exact_value_gt=x", "value_gte=1", "metadata_gt=1", "reward_gt=1", "id_gt="),
    ],
)
def test_no_question_breaks_the_platform(query: str, state: Path, begun: tuple[Path, Doc]) -> None:
    lists = [r.template for r in ROUTES if r.method == "GET" and "{" not in r.template]
    pools = [f"/new/requester/pools/{begun[1]['pool']}/assignments.tsv"]
    with _kept(state) as wire:
        for path in [*lists, *pools]:
            assert _answer(wire, "GET", f"{path}?{query}") < 500


def test_deep_nesting_is_refused(state: Path, begun: tuple[Path, Doc]) -> None:
    deep: Doc = {"category": "profile", "key": "languages", "operator": "IN", "value": "EN"}
    for _ in range(100):
        deep = {"and": [deep]}
    with _kept(state) as wire:
        kept = state.read_bytes()
        for change in ({"filter": deep}, {"metadata": {"a": deep}}):
            with pytest.raises(Refused, match="levels of nesting"):
                wire.post("/v1/pools", pool(begun[1]["project"], **change))
        assert state.read_bytes() == kept


# Records that servers wrote before they checked bodies, and others that no server ever wrote.
OLD = [
    {"do": ["PUT", "/v1/user-restrictions", {}, {"user_id": "u", "scope": "POOL"}]},
    {"do": ["POST", "/v1/pools", {}, {"quality_control": {"configs": 5}}]},
    {"do": ["POST", "/v1/user-bonuses", {}, {"user_id": {}, "amount": 1}]},
    {"do": ["POST", "/v1/projects", {}, 5]},
    {"do": ["POST", "/v1/nothing", {}, None]},
    {"do": ["POST"]},
    {"do": 5},
    {"until": "x"},
    {"events": {}},
    {"what": 1},
    5,
    [],
]


@pytest.mark.parametrize("record", OLD)
def test_a_record_that_cannot_be_replayed_is_skipped_with_a_line(
    record: Any, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _kept(state) as wire:
        before = everything(wire)
    records = len(state.read_bytes().splitlines())
    with state.open("a") as file:
        file.write(json.dumps(record) + "\n")
    with _kept(state) as wire:
        assert everything(wire) == before
        run(wire, tasks=4, golden=2, overlap=1)
        after = everything(wire)
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if line.startswith("labelworth: ")] == said
    assert len(said) == 1
    assert f"record {records} of the state file is skipped: " in said[0]
    with _kept(state) as wire:
        assert everything(wire) == after


def test_a_ban_without_a_date_in_an_old_state_file_does_not_stop_the_clock(
    state: Path, begun: tuple[Path, Doc], capsys: pytest.CaptureFixture[str]
) -> None:
    ban = {"user_id": begun[1]["user"], "scope": "ALL_PROJECTS", "will_expire": {}}
    with state.open("a") as file:
        file.write(json.dumps({"do": ["PUT", "/v1/user-restrictions", {}, ban]}) + "\n")
    with _kept(state) as wire:
        assert wire.get("/v1/user-restrictions")["items"] == []
        wire.post("/sim/clock", {"seconds": 60})
    assert "will_expire: an ISO date is expected" in capsys.readouterr().err


def test_a_pool_keeps_its_project_its_kind_and_the_size_of_its_suites(
    state: Path, begun: tuple[Path, Doc]
) -> None:
    ids = begun[1]
    with _kept(state) as wire:
        other = wire.post("/v1/projects", project())["id"]
        form = rich_pool(ids)
        for path, body, expected in (
            (f"/v1/pools/{ids['pool']}", {**form, "project_id": other}, "stays in its project"),
            (f"/v1/pools/{ids['pool']}", {**form, "mixer_config": None}, "fixes the suite's size"),
            (f"/v1/pools/{ids['training']}", form, "DOES_NOT_EXIST"),
        ):
            with pytest.raises(Refused, match=expected):
                wire.put(path, body)


def test_the_clock_may_reach_the_end_of_the_calendar(state: Path, begun: tuple[Path, Doc]) -> None:
    ban = {"user_id": begun[1]["user"], "scope": "ALL_PROJECTS", "will_expire": "9999-12-31"}
    with _kept(state) as wire:
        wire.put("/v1/user-restrictions", ban)
        wire.post("/sim/clock", {"until": "9999-12-31T23:59:59"})
        for _ in range(2):
            wire.post("/sim/clock", {"seconds": 3e9})
        assert wire.post("/v1/skills", {"name": "late"})["created"].startswith(
            "9999-12-31T23:59:59"
        )
        before = everything(wire)
    with _kept(state) as wire:
        assert everything(wire) == before

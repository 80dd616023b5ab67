"""The server itself: tokens, pages, quotas, the clock, and requests that cannot be."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from itertools import pairwise

import pytest

from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Server, Settings, serve
from labeling.toloka.server.model.clock import START, from_iso, to_iso

from .campaign import everything, fill, poll, run
from .wire import Refused, Wire, address, pool, project

Start = Callable[..., Wire]


def test_only_the_token_it_was_given_is_taken(platform: Start) -> None:
    wire = platform(token="right")
    with pytest.raises(Refused) as refused:
        wire.get("/v1/requester")
    assert (refused.value.status, refused.value.code) == (401, "AUTHENTICATION_ERROR")
    assert "any" not in str(refused.value.body)


def test_without_a_token_nothing_is_told(server: Server) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    connection.request("GET", "/api/v1/requester")
    assert connection.getresponse().status == 401
    connection.close()


def test_it_listens_on_this_machine_only(server: Server) -> None:
    assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/v1/projects", b"{", 400),
        ("POST", "/api/v1/projects", b"[]", 400),
        ("POST", "/api/v1/projects", None, 400),
        ("DELETE", "/api/v1/projects", None, 405),
        ("GET", "/nowhere", None, 404),
        ("GET", "/api/v1/tasks?limit=0", None, 400),
        ("GET", "/api/v1/tasks?limit=100001", None, 400),
        ("GET", "/api/v1/pools?limit=301", None, 400),
        ("GET", "/api/v1/tasks?created_gt=yesterday", None, 400),
        ("POST", "/api/v1/tasks?async_mode=true", b'[{"pool_id": "1"}]', 202),
        ("POST", "/api/v1/tasks", b'[{"pool_id": "1"}]', 400),
        ("POST", "/sim/reset", b'{"wind": 1}', 400),
        ("POST", "/sim/clock", b"7", 400),
    ],
)
def test_requests_that_cannot_be(
    method: str, path: str, body: bytes | None, status: int, server: Server
) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    connection.request(method, path, body, {"Authorization": "OAuth x"})
    answer = connection.getresponse()
    assert answer.status == status
    assert b'"code"' in answer.read() or status == 202
    connection.request("GET", "/api/v1/requester", None, {"Authorization": "OAuth x"})
    assert connection.getresponse().status == 200  # the connection goes on
    connection.close()


def test_no_more_is_uploaded_at_once_than_the_platform_takes(wire: Wire) -> None:
    key = fill(wire, tasks=0)
    long = "https://images.example/" + "x" * 1000
    tasks = [{"pool_id": key, "input_values": {"image": long}, "overlap": 1}] * 1100
    for query in ({}, {"async_mode": "true"}):
        with pytest.raises(Refused, match="1048576 bytes in all"):
            wire.post("/v1/tasks", tasks, **query)
    small = [{"pool_id": key, "input_values": {"image": address(1)}, "overlap": 1}] * 5001
    with pytest.raises(Refused, match="at most 5000 at once"):
        wire.post("/v1/tasks", small)
    assert wire.post("/v1/tasks", small, async_mode="true")["details"]["success_count"] == 5001


def test_lists_come_in_pages_in_any_order_and_range(wire: Wire) -> None:
    key = fill(wire, tasks=120, golden=0)
    tasks = wire.get("/v1/tasks", pool_id=key)
    assert (len(tasks["items"]), tasks["has_more"]) == (50, True)
    ids: list[str] = []
    while True:
        after = {"id_gt": ids[-1]} if ids else {}
        found = wire.get("/v1/tasks", pool_id=key, sort="id", limit=50, **after)
        ids += [task["id"] for task in found["items"]]
        if not found["has_more"]:
            break
    assert ids == sorted(set(ids))
    assert len(ids) == 120
    assert {len(i) for i in ids} == {len(ids[0])}
    back = wire.get("/v1/tasks", pool_id=key, sort="-created,-id", limit=3)["items"]
    assert [task["id"] for task in back] == ids[:-4:-1]
    between = wire.get("/v1/tasks", pool_id=key, id_gte=ids[3], id_lt=ids[6])["items"]
    assert [task["id"] for task in between] == ids[3:6]


def test_lists_are_filtered_by_time_and_by_several_states(wire: Wire) -> None:
    key, done = run(wire, tasks=40, overlap=3)
    middle = sorted(a["created"] for a in done)[len(done) // 2]
    later = wire.get("/v1/assignments", pool_id=key, created_gte=middle, limit=1000)["items"]
    assert {a["id"] for a in later} == {a["id"] for a in done if a["created"] >= middle}
    found = wire.get("/v1/assignments", pool_id=key, status="SKIPPED,EXPIRED", limit=1000)["items"]
    assert {a["status"] for a in found} <= {"SKIPPED", "EXPIRED"}
    user = done[0]["user_id"]
    mine = wire.get("/v1/assignments", user_id=user, limit=1000)["items"]
    assert {a["id"] for a in mine} == {a["id"] for a in done if a["user_id"] == user}
    task = done[0]["tasks"][0]["id"]
    having = wire.get("/v1/assignments", task_id=task, limit=1000)["items"]
    assert all(task in [t["id"] for t in a["tasks"]] for a in having)
    by_submission = wire.get("/v1/assignments", pool_id=key, sort="submitted", limit=1000)["items"]
    times = [a["submitted"] for a in by_submission if "submitted" in a]
    assert times == sorted(times)


def test_quotas_refuse_what_is_too_much_until_the_clock_has_moved(platform: Start) -> None:
    wire = platform(quotas=True)
    made = wire.post("/v1/projects", project())["id"]
    for _ in range(20):
        wire.post("/v1/pools", pool(made))
    with pytest.raises(Refused) as refused:
        wire.post("/v1/pools", pool(made))
    assert (refused.value.status, refused.value.code) == (429, "TOO_MANY_REQUESTS")
    assert refused.value.body["payload"] == {"interval": "MIN"}
    wire.post("/sim/clock", {"seconds": 61})
    for minute in range(4):
        for _ in range(20):
            wire.post("/v1/pools", pool(made))
        wire.post("/sim/clock", {"seconds": 61 + minute})
    with pytest.raises(Refused) as refused:
        wire.post("/v1/pools", pool(made))
    assert refused.value.body["payload"] == {"interval": "DAY"}
    wire.post("/sim/clock", {"seconds": 24 * 3600})
    wire.post("/v1/pools", pool(made))
    assert wire.get("/sim/counts")["created"]["pools"] == 101


def test_overlap_of_a_pool_may_be_changed_ten_times_an_hour(platform: Start) -> None:
    wire = platform(quotas=True)
    form = pool(wire.post("/v1/projects", project())["id"])
    path = f"/v1/pools/{wire.post('/v1/pools', form)['id']}"
    for overlap in range(4, 14):
        defaults = {"default_overlap_for_new_tasks": overlap}
        wire.put(path, {**form, "defaults": defaults})
    with pytest.raises(Refused, match="per HOUR"):
        wire.put(path, form)
    wire.put(path, {**form, "defaults": defaults, "private_name": "another"})


def test_operations_may_take_their_time(platform: Start) -> None:
    wire = platform(running=True)
    key = fill(wire)
    opened = wire.post(f"/v1/pools/{key}/open")
    assert (opened["status"], "finished" in opened) == ("RUNNING", False)
    assert wire.get(f"/v1/operations/{opened['id']}")["status"] == "SUCCESS"


def test_asking_again_lets_exactly_the_next_thing_happen(platform: Start) -> None:
    wire = platform(seed=2)
    key = fill(wire, tasks=40, overlap=2)
    wire.post(f"/v1/pools/{key}/open")
    states = [(len(found), _ended(found)) for found in (poll(wire, key) for _ in range(30))]
    assert states[0] == (0, 0)
    for (issued, ended), (more, over) in pairwise(states):
        # A suite is issued, one ends, or one ends and its annotator goes on with another.
        assert (more - issued, over - ended) in {(1, 0), (0, 1), (1, 1)}


def _ended(found: list[dict[str, object]]) -> int:
    return sum(a["status"] != "ACTIVE" for a in found)


def test_looking_at_the_pool_beside_its_answers_moves_nothing(platform: Start) -> None:
    wire = platform(seed=2)
    key = fill(wire, tasks=40, overlap=2)
    wire.post(f"/v1/pools/{key}/open")
    for _ in range(20):
        poll(wire, key)
        before = wire.get("/sim/clock")["ms"]
        wire.get(f"/v1/pools/{key}")
        wire.get("/v1/user-restrictions", pool_id=key)
        wire.get("/v1/tasks", pool_id=key)
        assert wire.get("/sim/clock")["ms"] == before


def test_waiting_for_a_pool_to_close_takes_few_questions(platform: Start) -> None:
    wire = platform("food-campaign", seed=2)
    key = fill(wire, tasks=980, overlap=3)
    wire.post(f"/v1/pools/{key}/open")
    asked = 0
    while wire.get(f"/v1/pools/{key}")["status"] == "OPEN":
        asked += 1
    assert asked < 10


def test_the_clock_is_moved_by_hand_and_told_in_every_answer(wire: Wire, server: Server) -> None:
    assert wire.get("/sim/clock")["now"] == "2022-01-03T09:00:00.000"
    assert wire.post("/sim/clock", {"seconds": 90.5})["now"] == "2022-01-03T09:01:30.500"
    assert wire.post("/sim/clock", {"until": "2022-01-03T10:00:00"})["ms"] == 3_600_000
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    connection.request("GET", "/sim/clock", None, {"Authorization": "OAuth x"})
    told = parsedate_to_datetime(connection.getresponse().headers["Date"])
    connection.close()
    assert (told - START).total_seconds() == 3600


def test_times_are_read_as_clients_write_them() -> None:
    for text in ("2022-01-03T09:00:01", "2022-01-03T09:00:01.000Z", "2022-01-03T10:00:01+01:00"):
        assert from_iso(text) == 1000
    assert from_iso(to_iso(123_456_789)) == 123_456_789


def test_the_clock_may_run_with_the_wall() -> None:
    settings = Settings(load_scenario("default"), seed=2)
    with serve(settings, speed=2000) as server:
        wire = Wire(server.url)
        key = fill(wire, tasks=8, overlap=1)
        wire.post(f"/v1/pools/{key}/open")
        deadline = time.monotonic() + 10
        while wire.get(f"/v1/pools/{key}")["status"] == "OPEN":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert wire.get("/sim/clock")["ms"] > 10_000
        wire.close()


def test_a_platform_begun_anew_forgets_everything(wire: Wire) -> None:
    empty = everything(wire)
    run(wire, tasks=4, overlap=1)
    assert wire.post("/sim/reset", {"seed": 0}) == {"seed": 0}
    assert everything(wire) == empty


def test_the_same_seed_is_the_same_platform(platform: Start) -> None:
    def seen(seed: int) -> object:
        wire = platform("spam-heavy", seed=seed)
        _, done = run(wire, tasks=20, overlap=2)
        return done, everything(wire)

    assert seen(4) == seen(4)
    assert seen(4) != seen(5)


def test_images_that_no_file_knows_are_drawn_by_their_address(platform: Start) -> None:
    """The same image shows the same in every pool."""
    wire = platform("experts-few", seed=4)
    votes: list[dict[str, str]] = []
    for _ in range(2):
        _, done = run(wire, tasks=30, overlap=3)
        given: dict[str, list[str]] = {}
        for assignment in done:
            for task, solution in zip(
                assignment["tasks"], assignment.get("solutions", []), strict=False
            ):
                image, value = task["input_values"]["image"], solution["output_values"]["shape"]
                given.setdefault(image, []).append(value)
        votes.append({image: max(v, key=v.count) for image, v in given.items()})
    images = [address(at) for at in range(30)]
    assert sum(votes[0][i] == votes[1][i] for i in images) >= 26

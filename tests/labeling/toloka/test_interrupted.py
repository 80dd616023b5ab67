"""An order whose end was noticed late took as long as its annotators did."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from labeling.source import filled, wanted_arrays
from labeling.toloka import source
from labeling.toloka.pools.upload import set_overlap
from labeling.toloka.server import Server
from labeling.toloka.server.engine import course
from labeling.types import Order
from tests.labeling.toloka.ground import Ground, buy

BANNED = 2  # a seed with a ban, after which answers are asked for again
ABSENT_MS = 2 * 3600 * 1000  # less than the horizon, after which the pool closes by itself


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests."""
    on = Ground(tmp_path_factory.mktemp("server"), tasks=30, controls=20)
    yield on.serve()
    on.close()


def ground(seed: int, server: Server, folder: Path) -> Ground:
    """The server with nothing on it and people of a seed."""
    made = Ground(folder, tasks=30, controls=20, seed=seed, server=server)
    server.reset(made.settings())
    return made


def left(on: Ground, order: Order, absent_ms: int) -> None:
    """Open the order's pool and be killed; time goes on without the buyer."""
    market = on.market()
    market.place(order)
    market._locks.release_all()
    platform = on.serve().platform.world
    course.advance(platform, platform.now + absent_ms)


def beyond(pages: list[Any], order: Order) -> int:
    """Answers to real tasks beyond those of full suites: a further round asks for them."""
    given = sum(len(a.tasks) - sum(a.control) for page in pages for a in page.assignments)
    return given - int(filled(wanted_arrays(order)[1], order.condition).sum())


@pytest.mark.parametrize(
    ("seed", "exam"),
    [
        (0, False),
        (1, True),
        *(
            pytest.param(*more, marks=pytest.mark.slow)
            for more in ((1, False), (2, True), (4, True), (5, True))
        ),
    ],
)
def test_minutes_are_those_of_the_undisturbed_order(
    seed: int, exam: bool, server: Server, tmp_path: Path
) -> None:
    on = ground(seed, server, tmp_path)
    order = on.order(20, overlap=2, exam=exam)
    undisturbed = buy(on.crowd(), order)
    end = undisturbed[-1].end
    assert end is not None
    # These seeds have one round: a further one begins only when the buyer is back.
    assert (end.missing, beyond(undisturbed, order)) == (0, 0)
    left(on, order, ABSENT_MS)
    back = buy(on.market(), order)[-1].end
    assert back is not None
    assert (back.reason, back.missing) == ("complete", 0)
    assert back.minutes == pytest.approx(end.minutes, abs=0.001)
    last = max(a.submitted_s for page in undisturbed for a in page.assignments)
    assert back.minutes == pytest.approx(last / 60, abs=0.001)
    assert back.minutes < ABSENT_MS / 60_000 / 2


def test_a_deadline_that_passed_unwatched_is_where_the_order_ended(
    server: Server, tmp_path: Path
) -> None:
    on = ground(0, server, tmp_path)
    order = on.order(20, overlap=2, minutes=0.1)
    end = buy(on.crowd(), order)[-1].end
    assert end is not None
    assert end.missing > 0
    left(on, order, ABSENT_MS)
    back = buy(on.market(), order)[-1].end
    assert back is not None
    assert (back.reason, back.missing) == (end.reason, end.missing) == ("deadline", end.missing)
    assert back.minutes == pytest.approx(end.minutes, abs=0.001)


class Killed(BaseException):
    """Raised where a buyer is killed."""


def cut(on: Ground, order: Order, polls: int) -> bool:
    """Buy, and be killed instead of waiting for news once more; False where it had ended."""
    market, seen = on.market(), iter(range(polls))
    sleep = market.api.clock.sleep

    def or_die(seconds: float) -> None:
        if next(seen, None) is None:
            raise Killed
        sleep(seconds)

    market.api.clock.sleep = or_die
    try:
        buy(market, order)
    except Killed:
        market._locks.release_all()  # the system drops them; what is open stays open
        market._open_pools.mine.clear()
        return True
    return False


def told(pages: list[Any]) -> tuple[Any, ...]:
    """All that pages say, whatever their split."""
    assignments = sorted((a.id, a) for page in pages for a in page.assignments)
    return assignments, pages[-1].end


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "exam"), [(0, True), (2, False), (3, False), (3, True)])
def test_a_buyer_killed_at_any_poll_changes_no_answer_and_no_minute(
    seed: int, exam: bool, server: Server, tmp_path: Path
) -> None:
    on = ground(seed, server, tmp_path / "whole")
    order = on.order(20, overlap=2, exam=exam)
    undisturbed = told(buy(on.market(), order))
    for polls in count(0, 4):
        on = ground(seed, server, tmp_path / str(polls))
        was_cut = cut(on, order, polls)
        assert told(buy(on.market(), order)) == undisturbed, f"poll {polls}"
        if not was_cut:
            break
    assert polls > 8


def cut_in_a_round(on: Ground, order: Order, requests: int, monkeypatch: Any) -> int:
    """Buy, and be killed after some requests for further answers; how many there were."""
    market, made = on.market(), []

    def or_die(*of: Any) -> None:
        if len(made) == requests:
            raise Killed
        set_overlap(*of)
        made.append(of)

    with monkeypatch.context() as patch:
        patch.setattr(source, "set_overlap", or_die)
        try:
            buy(market, order)
        except Killed:
            market._locks.release_all()
            market._open_pools.mine.clear()
    return len(made)


def test_a_buyer_killed_while_it_asks_again_changes_no_answer_and_no_minute(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers asked for in halves would be on more pages, and the order would reach its limit."""
    on = ground(BANNED, server, tmp_path / "whole")
    order = on.order(20, overlap=2)
    undisturbed = told(buy(on.market(), order))
    for requests in count(1, 4):
        on = ground(BANNED, server, tmp_path / str(requests))
        made = cut_in_a_round(on, order, requests, monkeypatch)
        assert told(buy(on.market(), order)) == undisturbed, f"after {requests} requests"
        if made < requests:
            break
    assert made > 3


def test_a_buyer_says_who_collects_its_order_waits_and_goes_on(
    server: Server, tmp_path: Path
) -> None:
    on = ground(0, server, tmp_path)
    told: list[str] = []
    order, first, second = on.order(20), on.market(), on.market(waits=told.append)
    pool = first.place(order)
    assert second.place(order) == pool
    pages: list[Any] = []
    waiting = threading.Thread(target=lambda: pages.extend(second.collect(pool)))
    waiting.start()
    until = time.monotonic() + 30
    while not told and time.monotonic() < until:
        time.sleep(0.01)
    assert (told, pages) == ([str(os.getpid())], [])
    expected = list(first.collect(pool))
    waiting.join(30)
    assert len(told) == 1
    assert pages[-1].end == expected[-1].end

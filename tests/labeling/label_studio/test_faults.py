"""A study on a real Label Studio server that dies at every step, or loses the replies.

A death is an exception that no code of ours catches, right before or right after a request or a
line of the log; the next source starts from what is on disk.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from budget.errors import MarketUnreachable
from budget.secret import Secret
from labeling.label_studio.client import StudioClient
from labeling.label_studio.rehearsal.people import account
from labeling.label_studio.source import LabelStudioSource
from labeling.types import Order, Page
from tests.labeling.label_studio.ground import StudioGround, client, collect


class DiedError(BaseException):
    """The process was killed."""


class FaultyClient(StudioClient):
    """A client that dies, or loses replies, around chosen requests."""

    fault: Callable[[bool], None] = staticmethod(lambda after: None)

    def send(self, method: str, path: str, **words: Any) -> Any:
        self.fault(False)
        answer = super().send(method, path, **words)
        self.fault(True)
        return answer


def faulty(ground: StudioGround, fault: Callable[[bool], None]) -> LabelStudioSource:
    def client_of(server: Any) -> StudioClient:
        plain = client(server)
        made = FaultyClient(plain.url, plain._token, sleep=lambda seconds: None)
        plain.close()
        made.fault = fault  # type: ignore[method-assign]
        return made

    ground.client_of = client_of
    source = ground.open()
    ground.client_of = client
    return source


def deadly_log(source: LabelStudioSource, fault: Callable[[bool], None]) -> None:
    """Have a source die around each line of its log, too."""
    write = source.log.write

    def around(kind: str, order: str, **facts: Any) -> None:
        fault(False)
        write(kind, order, **facts)
        fault(True)

    source.log.write = around  # type: ignore[method-assign]


def check(order: Order, pages: list[Page], last: LabelStudioSource) -> None:
    """One project, each task once, no answer lost, each paid once."""
    listed = last.client.read("/api/projects", title="ground lw-", page_size=100)["results"]
    mine = [one for one in listed if one["title"] == last.finder.title(order.condition)]
    assert len(mine) == 1
    tasks = list(last.client.tasks(int(mine[0]["id"])))
    assert max(Counter(task["data"]["lw_task"] for task in tasks).values()) == 1
    there = {str(one["id"]) for task in tasks for one in task["annotations"]}
    counted = [one.id for page in pages for one in page.assignments]
    assert len(counted) == len(set(counted))
    assert set(counted) | {one.id for one in last.refusals(order)} == there


def test_a_process_killed_around_every_step_goes_on_where_it_stood(
    ground: StudioGround,
) -> None:
    ground.people = 2
    order, deaths, stored = ground.order(range(6), overlap=1), 0, {}
    at = 0
    while True:
        at += 1
        counter = iter(range(10**6))

        def fault(after: bool, at: int = at, counter: Any = counter) -> None:
            if next(counter) == at - 1:
                raise DiedError

        source = faulty(ground, fault)
        deadly_log(source, fault)
        try:
            for page in source.collect(source.place(order)):
                for one in page.assignments:
                    assert stored.setdefault(one.id, one) == one
            _die(source)
            break
        except DiedError:
            deaths += 1
            _die(source)
        if deaths > 90:
            raise AssertionError("it never ends")
    assert deaths >= 20
    with closing(ground.open()) as last:
        pages = collect(last, order)
        assert {one.id: one for page in pages for one in page.assignments} == stored
        check(order, pages, last)
        assert pages[-1].end is not None
        assert pages[-1].end.missing == 0


def _die(source: LabelStudioSource) -> None:
    """Let go of what the system would take from a killed process: threads, sockets and locks."""
    if source._settings.staff is not None:
        source._settings.staff.close()
    source._locks.release_all()
    source.client.close()


def test_a_server_that_is_not_there_is_named_before_people_log_in() -> None:
    nowhere = StudioClient("http://127.0.0.1:1", Secret("0" * 40, "test"), sleep=lambda s: None)
    with closing(nowhere), pytest.raises(MarketUnreachable, match="does not answer"):
        account(nowhere, "ann@office.example")


def test_lost_replies_make_nothing_twice(ground: StudioGround) -> None:
    dice = random.Random(0)
    lost = 0

    def fault(after: bool) -> None:
        nonlocal lost
        if dice.random() < 0.15:
            lost += 1
            raise MarketUnreachable("the reply was lost" if after else "the request was lost")

    order = ground.order(overlap=1)
    with closing(faulty(ground, fault)) as source:
        pages = collect(source, order)
        assert lost >= 3
        check(order, pages, source)
        assert pages[-1].end is not None
        assert pages[-1].end.missing == 0


def test_a_deleted_answer_and_a_lost_project_cost_no_paid_answer(ground: StudioGround) -> None:
    order = ground.order(overlap=1)
    with closing(ground.open()) as source:
        pages = collect(source, order)
        project = source.place(order).id
        for task in source.client.tasks(int(project)):
            for one in task["annotations"]:
                source.client.put("DELETE", f"/api/annotations/{one['id']}/")
        source.client.put("DELETE", f"/api/projects/{project}/")
    with closing(ground.open()) as later:
        assert collect(later, order) == pages


def test_a_second_buyer_says_who_collects_its_order_and_waits(ground: StudioGround) -> None:
    told: list[str] = []
    order = ground.order(range(4), overlap=1)
    with closing(ground.open()) as first:
        assert first._locks.take(order.key)
        ground.settings["waits"] = told.append
        with closing(ground.open()) as second:
            pages: list[Page] = []
            waiting = threading.Thread(target=lambda: pages.extend(collect(second, order)))
            waiting.start()
            until = time.monotonic() + 30
            while not told and time.monotonic() < until:
                time.sleep(0.01)
            assert (told, pages) == ([str(os.getpid())], [])
            first._locks.release(order.key)
            waiting.join(60)
    assert pages[-1].end is not None
    assert len(told) == 1


@pytest.mark.parametrize("cut", [1, 20])
def test_a_log_cut_by_a_power_failure_is_read_up_to_its_last_whole_line(
    ground: StudioGround, cut: int
) -> None:
    order = ground.order(range(4), overlap=1)
    with closing(ground.open()) as source:
        pages = collect(source, order)
    raw = source.log.path.read_bytes()
    source.log.path.write_bytes(raw[:-cut])
    with closing(ground.open()) as later:
        again = collect(later, order)
    ids = [[one.id for page in some for one in page.assignments] for some in (pages, again)]
    assert ids[0] == ids[1]

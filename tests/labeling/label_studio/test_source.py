"""Own annotators on a real Label Studio server."""

from __future__ import annotations

import dataclasses
from collections import Counter
from contextlib import closing
from typing import Any

import pytest

from budget.errors import MarketContradiction
from budget.money import ZERO
from labeling.crowd.office.staff import Worked
from labeling.label_studio.client import StudioClient
from labeling.label_studio.labeling_config import result_of
from labeling.label_studio.project import row_of
from labeling.types import Assignment, Condition, DynamicOverlap, Page
from tests.labeling.label_studio.ground import CAMPAIGN, StudioGround, collect


def done(pages: list[Page]) -> list[Assignment]:
    return [one for page in pages for one in page.assignments]


def test_an_order_is_answered_through_the_queue_and_paid_by_time(ground: StudioGround) -> None:
    with closing(ground.open()) as source:
        order = ground.order()
        pages = collect(source, order)
        again = collect(source, order)
        end = pages[-1].end
        assert end is not None
        assert (end.reason, end.missing) == ("complete", 0)
        real = Counter(one.tasks[0] for one in done(pages) if not one.control[0])
        assert set(real) == set(range(12))
        assert min(real.values()) >= 2
        met = Counter((one.annotator, one.tasks[0]) for one in done(pages))
        assert set(met.values()) == {1}
        for one in done(pages):
            paid_ms = round(1000 * one.seconds)
            rate = order.condition.reward
            assert one.reward == ground.tariff.earned(one.annotator, rate, paid_ms)
        assert again == pages
        same_as_in_process(ground, pages, order.condition)
    ground.ended.append(order)
    more = ground.order(overlap=1, tranche=1)
    with closing(ground.open()) as later:  # a new process, and a further tranche of the project
        assert collect(later, order) == pages
        further = collect(later, more)
        assert further[-1].end is not None
        assert further[-1].end.missing == 0
        both = Counter((one.annotator, one.tasks[0]) for one in done([*pages, *further]))
        assert set(both.values()) == {1}
        titles = later.client.read("/api/projects", title="ground lw-")["results"]
        mine = later.finder.title(order.condition)
        assert [one["title"] for one in titles].count(mine) == 1


def same_as_in_process(ground: StudioGround, pages: list[Page], condition: Condition) -> None:
    """What both doors must give alike: a person's labels, times and pay, in the order worked."""
    staff = ground.office().staff(condition)
    worked: Counter[str] = Counter()
    for one in done(pages):
        before = worked[one.annotator]
        given = staff.answer(one.annotator, one.tasks[0], Worked(before, before))
        assert (one.labels[0], one.seconds) == (given.labels[0], given.seconds)
        worked[one.annotator] += 1


def test_the_limit_closes_the_tasks_and_the_hold_covers_the_rest(ground: StudioGround) -> None:
    with closing(ground.open()) as source:
        order = ground.order(overlap=3, limit=6)
        pages = collect(source, order)
        assert pages[-1].end is not None
        assert pages[-1].end.reason == "limit"
        assert 6 <= len(done(pages)) <= 6 + ground.people
        paid = sum((one.reward for one in done(pages)), ZERO)
        assert paid <= ground.tariff.most(order.limit, order.condition.reward)
        project = source.finder.open(order.condition, 1)
        assert {task.places for task in project.tasks.values()} == {0}


def test_dynamic_overlap_raises_the_overlap_of_unsure_tasks_only(ground: StudioGround) -> None:
    rule = DynamicOverlap(1, 3, 0.9)
    plain = ground.order(overlap=rule.most, controls=4)
    order = dataclasses.replace(plain, condition=dataclasses.replace(plain.condition, dynamic=rule))
    with closing(ground.open()) as source:
        pages = collect(source, order)
        end = pages[-1].end
        assert end is not None
        assert (end.reason, end.missing) == ("complete", 0)
        real = Counter(one.tasks[0] for one in done(pages) if not one.control[0])
        assert set(real) == set(range(12))
        assert min(real.values()) < rule.most <= max(real.values())
        met = Counter((one.annotator, one.tasks[0]) for one in done(pages))
        assert set(met.values()) == {1}
    with closing(ground.open()) as later:
        assert collect(later, order) == pages


def test_who_misbehaves_is_refused_with_the_reason_and_paid_right(ground: StudioGround) -> None:
    ground.people = 0
    order = ground.order(overlap=1, limit=4, controls=0)
    with closing(ground.open()) as source:
        pool = source.place(order)
        source.finder.open(order.condition, 1).fill(range(12), "https://images.example/{}".format)
        work = source.collect(pool)
        tasks = {row_of(t): t["id"] for t in source.client.tasks(int(pool.id))}
        with closing(ground.person(1)) as ann, closing(ground.person(2)) as bob:
            me = ann.read("/api/current-user/whoami")["id"]
            first = post(ann, tasks[0], "a", -3)
            post(ann, tasks[0], "b & c", 5)  # again
            post(ann, tasks[1], "no such class", 5)
            post(ann, tasks[2], "a", 1e9)
            post(bob, tasks[3], "a", 5, completed_by=me)
            post(bob, tasks[4], 'd "e"', None)
            post(bob, tasks[5], "a", 0)
            pages = [next(work)]
            ann.send("DELETE", f"/api/annotations/{first['id']}/")
            pages += list(work)
        counted = {one.tasks[0]: one for one in done(pages)}
        times = {row: one.seconds for row, one in counted.items()}
        assert times == {0: 1.0, 2: 18.0, 4: 1.0, 5: 1.0}
        assert counted[0].annotator == "person1@office.example"
        refused = source.refusals(order)
        assert Counter(one.reason for one in refused) == {
            "second answer of a person to a task": 1,
            "unknown class": 1,
            "given or changed in another person's name": 1,
        }
        assert collect(source, order) == pages


def test_a_changed_labeling_page_stops_the_study_in_one_line(ground: StudioGround) -> None:
    ground.people = 0
    order = ground.order()
    with closing(ground.open()) as source:
        pool = source.place(order)
        renamed = "<View/>"
        source.client.put("PATCH", f"/api/projects/{pool.id}", {"label_config": renamed})
        with pytest.raises(MarketContradiction, match=r"labeling page .* changed"):
            list(source.collect(pool))


def post(on: StudioClient, task: int, choice: str, seconds: float | None, **more: Any) -> Any:
    labels = (CAMPAIGN.questions[0].classes.index(choice),) if choice[0] != "n" else (0,)
    result = result_of(labels, CAMPAIGN)
    result[0]["value"]["choices"] = [choice]
    body = {"result": result, "lead_time": seconds, **more}
    return on.send("POST", f"/api/tasks/{task}/annotations/", json=body)

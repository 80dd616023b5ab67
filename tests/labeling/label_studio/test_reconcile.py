"""A study's copies beside the server: deleted, changed and late answers are named."""

from __future__ import annotations

from contextlib import closing

from budget.money import ZERO, Money
from labeling.label_studio.labeling_config import result_of
from labeling.label_studio.refused import refused_answers
from labeling.label_studio.source import LabelStudioSource
from labeling.source import COLLECT, SETTLE, StoredOrder
from labeling.timesheet.sheet import Sheet
from labeling.types import Order
from tests.labeling.label_studio.ground import CAMPAIGN, StudioGround, collect
from tests.labeling.label_studio.test_source import done, post


def book(order: Order, hold: Money | None = None, ended: bool = True) -> StoredOrder:
    return StoredOrder(order, hold, ended, 0, ZERO)


def texts(source: LabelStudioSource, *books: StoredOrder) -> list[str]:
    return [finding.text for finding in source.differences(books)]


def test_answers_that_somebody_deleted_changed_or_gave_late_are_named(ground: StudioGround) -> None:
    order = ground.order(range(4), overlap=1, controls=0)
    with closing(ground.open()) as source, closing(ground.person(1)) as late:
        pages = collect(source, order)
        project = source.place(order).id
        assert texts(source, book(order)) == []
        tasks = list(source.client.tasks(int(project)))
        first, second = tasks[0]["annotations"][0], tasks[1]["annotations"][0]
        source.client.put("DELETE", f"/api/annotations/{first['id']}/")
        (given,) = (one for one in done(pages) if one.id == str(second["id"]))
        other = {"result": result_of(((given.labels[0] + 1) % 3,), CAMPAIGN)}
        source.client.put("PATCH", f"/api/annotations/{second['id']}/", other)
        post(late, tasks[2]["id"], "a", 5)
        deleted, changed, added = texts(source, book(order))
        assert deleted.startswith(f"project {project}: 1 answer deleted on the server (answer ")
        assert f"answer {second['id']} of {given.annotator} to image" in changed
        assert "given after the orders ended" in added
        assert "of person1@office.example to image" in added
        assert texts(source, book(order, ended=False)) == [deleted, changed]
        source.client.put("DELETE", f"/api/projects/{project}/")
        (gone,) = texts(source, book(order))
        assert gone.endswith(f"is gone; {len(done(pages))} copied answers count, and stay paid")


def test_holds_are_told_with_their_repair(ground: StudioGround) -> None:
    order = ground.order(range(4), overlap=1)
    with closing(ground.open()) as source:
        collect(source, order)
        kinds = {
            ended: source.differences([book(order, Money.parse("1"), ended)])[0].mend
            for ended in (True, False)
        }
    assert kinds == {True: SETTLE, False: COLLECT}


def test_refused_answers_are_told_from_the_log_alone(ground: StudioGround) -> None:
    ground.people = 0
    order = ground.order(range(2), overlap=1, controls=0)
    with closing(ground.open()) as source, closing(ground.person(1)) as ann:
        work = source.collect(source.place(order))
        source._at_work(order)
        project = source.place(order).id
        tasks = [task["id"] for task in source.client.tasks(int(project))]
        post(ann, tasks[0], "a", 5)
        post(ann, tasks[0], "b & c", 5)
        post(ann, tasks[1], "a", 5)
        list(work)
        told = refused_answers(
            source.log, [order], lambda: Sheet(CAMPAIGN, ground.tariff, ground.controls)
        )
        assert told == source.refusals(order)
        assert [one.reason for one in told] == ["second answer of a person to a task"]

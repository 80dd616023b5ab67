"""Predictions on a real Label Studio server: shown where the condition says so, else nowhere."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from budget.errors import MarketContradiction
from labeling.label_studio.client import StudioClient
from labeling.label_studio.labeling_config import labels_in
from labeling.label_studio.project import row_of
from tests.labeling.label_studio.ground import CAMPAIGN, PRELABELS, StudioGround, collect
from tests.labeling.label_studio.test_source import done, same_as_in_process


def seen(person: StudioClient, project: str) -> dict[int, list[tuple[int, ...] | None]]:
    """The predictions that a person's labeling page gets with the next task, by row."""
    task: dict[str, Any] = person.read(f"/api/projects/{project}/next")
    row = row_of(task)
    assert row is not None
    return {row: [labels_in(one["result"], CAMPAIGN) for one in task["predictions"]]}


def test_a_condition_with_predictions_shows_them_and_no_other_does(ground: StudioGround) -> None:
    ground.people = 0
    shown, plain = ground.order(prelabels="abc", controls=0), ground.order(controls=0)
    with closing(ground.open()) as source, closing(ground.person(1)) as person:
        pools = [source.place(order) for order in (shown, plain)]
        assert pools[0].id != pools[1].id
        for pool in pools:
            work = source._at_work(pool.order)
            source._serve(work, is_over=False)
        ((row, predictions),) = seen(person, pools[0].id).items()
        assert predictions == [(PRELABELS[row],)]
        ((_, predictions),) = seen(person, pools[1].id).items()
        assert predictions == []


def test_scripted_people_lean_on_predictions_as_in_process(ground: StudioGround) -> None:
    order = ground.order(prelabels="abc")
    with closing(ground.open()) as source:
        pages = collect(source, order)
        assert pages[-1].end is not None
        assert pages[-1].end.missing == 0
        assert {one.control[0] for one in done(pages)} == {True, False}
        same_as_in_process(ground, pages, order.condition)


@pytest.mark.parametrize("prelabels", ["", "abc"])
def test_a_project_that_was_switched_stops_the_study_in_one_line(
    ground: StudioGround, prelabels: str
) -> None:
    ground.people = 0
    order = ground.order(prelabels=prelabels)
    with closing(ground.open()) as source:
        pool = source.place(order)
        switched = {"show_collab_predictions": not prelabels}
        source.client.put("PATCH", f"/api/projects/{pool.id}", switched)
        with pytest.raises(MarketContradiction, match=r"switched to (show|hide) predictions"):
            list(source.collect(pool))

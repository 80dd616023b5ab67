"""A group on a real Label Studio server: a project of its own, where only its answers count."""

from __future__ import annotations

from contextlib import closing

from budget.tariffs.staff import Group
from labeling.crowd.office.staff import staff_names
from labeling.label_studio.project import row_of
from tests.labeling.label_studio.ground import StudioGround
from tests.labeling.label_studio.test_source import done, post, same_as_in_process

SENIORS = Group("seniors", staff_names(2))


def test_only_answers_of_the_group_count_and_are_paid(ground: StudioGround) -> None:
    order, all_of_them = ground.order(group=SENIORS), ground.order()
    with closing(ground.open()) as source, closing(ground.person(1)) as stranger:
        pool = source.place(order)
        assert pool.id != source.place(all_of_them).id
        found = source.finder.find(order.condition)
        assert found is not None
        assert found["title"].startswith("seniors: ground lw-")
        assert "Only answers of the group seniors count." in found["description"]
        project = source.finder.open(order.condition, 2)
        project.fill(range(12), "https://images.example/{}".format)
        tasks = {row_of(task): task["id"] for task in source.client.tasks(int(pool.id))}
        post(stranger, tasks[0], "a", 5)
        pages = list(source.collect(pool))
        assert pages[-1].end is not None
        assert (pages[-1].end.missing, pages[-1].end.joined) == (0, 2)
        assert {one.annotator for one in done(pages)} == set(SENIORS.members)
        assert len([one for one in done(pages) if one.tasks == (0,)]) == 2
        (refused,) = source.refusals(order)
        assert (refused.annotator, refused.reason) == (
            "person1@office.example",
            "not of the group seniors",
        )
        same_as_in_process(ground, pages, order.condition)

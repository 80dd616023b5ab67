"""Own annotators on a real Label Studio server."""

from __future__ import annotations

from collections import Counter

from labeling.types import Assignment
from tests.labeling.label_studio.ground import StudioGround, collect


def done(pages: list) -> list[Assignment]:
    return [one for page in pages for one in page.assignments]


def test_an_order_is_answered_through_the_queue_and_paid_by_time(ground: StudioGround) -> None:
    source, order = ground.open(), ground.order()
    pages = collect(source, order)
    source.close()
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
        assert one.reward == ground.tariff.earned(one.annotator, order.condition.reward, paid_ms)

"""Pages in any split and repetition make the same store; targets and purchases always agree."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.database import open_database
from budget.money import Money
from budget.tariffs.suite import SuiteTariff
from labeling.store import Store
from labeling.store.records import OrderRecord
from labeling.types import Answers, Assignment, Condition, Order, OrderEnd, Page, Restriction
from tests.drawn import examples

CONDITION = Condition("data", "simulated:test", "campaign", Money(2_000), 1, 4, False)
PEOPLE = "abcdef"
POOL = [4, 2, 0, 5, 1, 3]
HOUSE = settings(deadline=None, max_examples=examples(40), derandomize=True)

suites = st.lists(st.sampled_from(POOL), min_size=1, max_size=3, unique=True)


class Stores:
    """Empty stores, each of a study of its own, in one database."""

    def __init__(self, place: str | Path) -> None:
        self.engine = open_database(place)
        most = 40 if isinstance(place, Path) else 8  # a call takes longer on a server
        self.examples = settings(HOUSE, max_examples=examples(most))
        self._numbers = itertools.count()

    def new(self) -> Store:
        return Store(self.engine, f"study-{next(self._numbers)}")


@pytest.fixture
def stores(database: str | Path) -> Iterator[Stores]:
    made = Stores(database)
    yield made
    made.engine.dispose()


@st.composite
def campaigns(draw: st.DrawFn) -> tuple[list[Assignment], list[Restriction]]:
    """All news of an order: assignments with ids, and bans."""
    done = []
    for number in range(draw(st.integers(0, 8))):
        tasks = (*draw(suites), 100)
        done.append(
            Assignment(
                id=f"id-{number}",
                annotator=draw(st.sampled_from(PEOPLE)),
                tasks=tasks,
                labels=tuple(draw(st.integers(0, 2)) for _ in tasks),
                control=(*(False for _ in tasks[1:]), True),
                submitted_s=draw(st.floats(0, 900)),
                seconds=draw(st.floats(1, 90)),
                reward=draw(st.sampled_from([Money(8_000), Money(8_001)])),
            )
        )
    banned = draw(st.lists(st.sampled_from(PEOPLE), max_size=3))
    return done, [Restriction(who, 1.0, "control") for who in banned]


def end(missing: int = 0) -> OrderEnd:
    return OrderEnd("complete", 15.0, missing, 9, 6, 0)


def plain(answers: Answers) -> dict[str, list[int]]:
    return {name: getattr(answers, name).tolist() for name in Answers.__dataclass_fields__}


def bought(
    store: Store, pages: list[Page]
) -> tuple[dict[str, list[int]], list[OrderRecord], Money]:
    """Answers, records and payment of a store that was given the pages."""
    order = store.order_for(CONDITION, POOL, 2, Fraction(2, 5), None)
    assert isinstance(order, Order)
    for page in pages:
        store.add(order, page)
    return plain(store.answers(CONDITION)), store.all_orders(), store.paid(order, SuiteTariff())


@pytest.mark.drawn
def test_any_split_and_repetition_of_pages_is_the_same(stores: Stores) -> None:
    @stores.examples
    @given(campaigns(), st.data())
    def check(campaign: tuple[list[Assignment], list[Restriction]], data: st.DataObject) -> None:
        done, banned = campaign
        once = bought(stores.new(), [Page(tuple(done), tuple(banned), end())])

        pages, shuffled = [], data.draw(st.permutations(done))
        while shuffled:
            size = data.draw(st.integers(1, len(shuffled)))
            pages.append(Page(tuple(shuffled[:size]), (), None))
            shuffled = shuffled[size:]
            if data.draw(st.booleans()):
                pages.append(data.draw(st.sampled_from(pages)))
        pages.append(Page((), tuple(banned), None))
        pages.append(Page(tuple(done[:2]), tuple(banned[:1]), end()))
        pages.append(data.draw(st.sampled_from(pages)))  # after the end, what is known comes again
        assert bought(stores.new(), pages) == once

        content, records, paid = once
        shown = [(task, label) for a in done for task, label in zip(a.tasks, a.labels, strict=True)]
        assert Counter(zip(content["task"], content["label"], strict=True)) == Counter(shown)
        assert records[0].assignments == len(done)
        assert paid == sum((SuiteTariff().cost(1, a.reward) for a in done), Money(0))

    check()


plans = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=5)


@pytest.mark.drawn
def test_a_plan_is_bought_once_and_never_beyond_what_it_lacks(stores: Stores) -> None:
    """Every order is delivered in part; each plan is asked for twice."""

    @stores.examples
    @given(plans, st.randoms(use_true_random=False))
    def check(wanted: list[tuple[int, int]], rng: random.Random) -> None:
        store = stores.new()
        target: dict[int, int] = {}
        owned: Counter[int] = Counter()
        for number, (tasks, overlap) in enumerate(wanted):
            lacking = {
                task: overlap - owned[task]
                for task in POOL[:tasks]
                if target.get(task, 0) < overlap and owned[task] < overlap
            }
            assert store.quote(CONDITION, POOL[:tasks], overlap) == sum(lacking.values())
            order = store.order_for(CONDITION, POOL[:tasks], overlap, Fraction(0), None)
            if order is None:
                assert not lacking
                continue
            assert dict(order.wanted) == lacking
            assert order.limit >= max(lacking.values())
            raised = [task for task in POOL[:tasks] if target.get(task, 0) < overlap]
            delivered = [t for t, count in order.wanted for _ in range(count) if rng.random() < 0.7]
            done = tuple(
                Assignment(f"{i}", f"{number}/{i}", (t,), (0,), (False,), 1.0, 1.0, Money(8_000))
                for i, t in enumerate(delivered)
            )
            store.add(order, Page(done, (), end(sum(lacking.values()) - len(delivered))))
            owned.update(delivered)
            target.update(dict.fromkeys(raised, overlap))
            assert store.owned_target(CONDITION) == target
            assert store.order_for(CONDITION, POOL[:tasks], overlap, Fraction(0), None) is None
        assert len(store.answers(CONDITION)) == owned.total()

    check()

"""Front and knee of plans whose answer is known."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from budget.money import Money
from hpo.answer.front import knee, pareto_front
from hpo.trial.outcome import Outcome, outcome_from_plain, outcome_to_plain
from labeling.types import LabelPlan
from tests.drawn import examples


def outcome(dollars: float, accuracy: float, tasks: int = 10) -> Outcome:
    plan = LabelPlan(Money(round(dollars * 1e4)), 1, 0, tasks, False)
    price = Money(round(dollars * 1e6))
    return Outcome(plan, accuracy, accuracy, accuracy, 0, 0, 0, price, 1.0, tasks, tasks, "soft", 1)


def front_of(outcomes: list[Outcome]) -> list[Outcome]:
    return pareto_front(outcomes, lambda o: (o.price_tag.micros, o.accuracy))


KNOWN = [outcome(1, 0.80), outcome(2, 0.90), outcome(4, 0.905), outcome(8, 0.91), outcome(3, 0.7)]


def test_the_front_leaves_out_what_is_beaten() -> None:
    assert [o.price_tag.dollars for o in front_of(KNOWN)] == [1, 2, 4, 8]
    assert front_of([]) == []


def test_the_knee_is_where_more_money_starts_to_buy_less() -> None:
    front = front_of(KNOWN)
    bend = knee(front)
    assert bend is not None
    assert bend.price_tag == Money.parse("2")
    assert knee(front[:2]) is None
    assert knee([outcome(1, 0.5), outcome(2, 0.5001), outcome(4, 0.9)]) is None


def test_outcomes_survive_storage() -> None:
    for one in KNOWN:
        assert outcome_from_plain(outcome_to_plain(one)) == one


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20)), min_size=1, max_size=30))
def test_every_plan_is_on_the_front_or_beaten_by_it(pairs: list[tuple[int, int]]) -> None:
    outcomes = [outcome(d, a / 20) for d, a in pairs]
    front = front_of(outcomes)
    for one in outcomes:
        assert any(f.price_tag <= one.price_tag and f.accuracy >= one.accuracy for f in front)
    for cheaper, dearer in itertools.pairwise(front):
        assert cheaper.price_tag < dearer.price_tag
        assert cheaper.accuracy < dearer.accuracy

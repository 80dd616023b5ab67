"""Front, knee and recommendation on plans whose answer is known."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from budget.money import Money
from hpo.answer.front import knee, pareto_front, points_per_dollar
from hpo.answer.recommend import recommend
from hpo.trial.outcome import Outcome, outcome_from_plain, outcome_to_plain
from labeling.types import LabelPlan


def outcome(dollars: float, accuracy: float, tasks: int = 10) -> Outcome:
    plan = LabelPlan(Money(round(dollars * 1e4)), 1, 0, tasks, False)
    price = Money(round(dollars * 1e6))
    return Outcome(plan, accuracy, accuracy, accuracy, 0, 0, 0, price, 1.0, tasks, tasks, "soft", 1)


KNOWN = [outcome(1, 0.80), outcome(2, 0.90), outcome(4, 0.905), outcome(8, 0.91), outcome(3, 0.7)]


def test_the_front_leaves_out_what_is_beaten() -> None:
    assert [o.price_tag.dollars for o in pareto_front(KNOWN)] == [1, 2, 4, 8]
    assert pareto_front([]) == []


def test_knee_and_marginal_gain() -> None:
    front = pareto_front(KNOWN)
    bend = knee(front)
    assert bend is not None
    assert bend.price_tag == Money.parse("2")
    assert [None if g is None else round(g, 3) for g in points_per_dollar(front)] == [
        None,
        10.0,
        0.25,
        0.125,
    ]
    assert knee(front[:2]) is None
    assert knee([outcome(1, 0.5), outcome(2, 0.5001), outcome(4, 0.9)]) is None


def test_recommended_is_the_cheapest_within_one_point_of_the_best() -> None:
    best = recommend(KNOWN)
    assert best is not None
    assert best.price_tag == Money.parse("2")
    assert recommend([]) is None


def test_outcomes_survive_storage() -> None:
    for one in KNOWN:
        assert outcome_from_plain(outcome_to_plain(one)) == one


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20)), min_size=1, max_size=30))
def test_front_property(pairs) -> None:
    outcomes = [outcome(d, a / 20) for d, a in pairs]
    front = pareto_front(outcomes)
    for one in outcomes:
        assert any(f.price_tag <= one.price_tag and f.accuracy >= one.accuracy for f in front)
    for cheaper, dearer in itertools.pairwise(front):
        assert cheaper.price_tag < dearer.price_tag
        assert cheaper.accuracy < dearer.accuracy
    best = recommend(outcomes)
    assert best in front

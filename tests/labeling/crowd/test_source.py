"""CrowdSource: how orders end, what is paid, and that the same study buys the same answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import InputError
from budget.money import Money
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import FAST_RESPONSES, WRONG_CONTROLS, Exam, QualityRules
from labeling.crowd.scenario import load_scenario
from labeling.crowd.source import CrowdSource
from tests.drawn import examples

from .conftest import CAMPAIGN, Bought, Market

Make = Callable[..., Market]


def _usable(bought: Bought) -> Counter[int]:
    banned = bought.banned
    return Counter(
        task for who, task, _, control in bought.answers() if not control and who not in banned
    )


# What cannot be served.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price": "0.0004"}, "below the platform's smallest reward"),
        ({"controls": 10}, "leave no place for real tasks"),
        ({"controls": 9}, "need more than the 8 control tasks"),
        ({"exam": True}, "1 per suite and 10 exam tasks need more than the 8 control tasks"),
    ],
)
def test_an_impossible_condition_is_refused(
    market: Make, changes: dict[str, Any], expected: str
) -> None:
    shop = market(controls=8)
    with pytest.raises(InputError, match=expected):
        shop.source().place(shop.order(limit=10, condition=shop.condition(**changes)))


def test_another_campaigns_condition_is_refused(market: Make) -> None:
    shop = market()
    other = replace(shop.condition(), campaign="0" * 16)
    with pytest.raises(ValueError, match="another campaign"):
        shop.source().place(shop.order(condition=other))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (((0, 1), (0, 1)), "wanted once"),
        (((0, 0),), "at least one answer"),
        (((148, 1),), "rows below 148"),
        (((98, 1),), "control task cannot be bought"),
    ],
)
def test_an_impossible_order_is_refused(
    market: Make, wanted: tuple[tuple[int, int], ...], expected: str
) -> None:
    shop = market()
    with pytest.raises(ValueError, match=expected):
        shop.source().place(replace(shop.order(), wanted=wanted))


def test_controls_and_classes_must_fit_the_items(market: Make) -> None:
    shop = market()

    def open_source(controls: list[int], campaign: Any = CAMPAIGN) -> CrowdSource:
        return CrowdSource(
            shop.scenario, campaign, shop.items, controls, SuiteTariff(), 0, lambda condition: []
        )

    with pytest.raises(InputError, match="may be given once"):
        open_source([98, 98])
    with pytest.raises(InputError, match="rows must be below 148"):
        open_source([148])
    two = replace(CAMPAIGN, questions=(replace(CAMPAIGN.questions[0], classes=("a", "b")),))
    with pytest.raises(InputError, match="above the campaign's 2 classes"):
        open_source([98], two)


def test_a_tranche_without_its_predecessors_is_refused(market: Make) -> None:
    shop = market()
    with pytest.raises(ValueError, match="tranche 2 needs the 2 orders before it; 0 are known"):
        shop.buy(shop.order(tranche=2))


# How an order ends.


def test_overlap_above_what_the_crowd_can_bear_ends_in_supply(market: Make) -> None:
    shop = market(population=6, reservation_sd=0.01, reservation_wage=0.01)
    bought = shop.buy(shop.order(overlap=7))
    assert bought.end.reason == "supply"
    assert bought.end.missing > 0
    assert bought.end.looked == 6
    assert max(_usable(bought).values()) <= 6


def test_nobody_takes_part_below_their_wage(market: Make) -> None:
    shop = market(population=40, reservation_wage=1000.0, reservation_sd=0.1)
    bought = shop.buy(shop.order())
    assert (bought.end.reason, bought.end.joined, bought.end.missing) == ("supply", 0, 98)
    assert len(bought.pages) == 1
    assert bought.assignments == []


def test_an_order_that_takes_too_long_is_out_of_supply(market: Make) -> None:
    shop = market(horizon_minutes=3.0)
    bought = shop.buy(shop.order(overlap=7))
    assert bought.end.reason == "supply"
    # Assignments active at the closing may still be submitted.
    assert 3.0 <= bought.end.minutes <= 3.0 + shop.campaign.assignment_seconds / 60


def test_few_control_tasks_bound_what_one_annotator_can_do(market: Make) -> None:
    shop = market(population=30, controls=4)
    bought = shop.buy(shop.order(condition=shop.condition(controls=2), overlap=5))
    assert bought.end.reason == "supply"
    assert max(Counter(a.annotator for a in bought.assignments).values()) <= 2


def test_the_limit_ends_an_order_with_answers_missing(market: Make) -> None:
    shop = market("spam-heavy", tasks=900)
    bought = shop.buy(shop.order(limit=100))
    assert bought.end.reason == "limit"
    assert len(bought.assignments) == 100
    assert bought.end.missing == 900 - sum(_usable(bought).values())


def test_a_deadline_closes_the_pool_and_pays_what_was_active(market: Make) -> None:
    shop = market(tasks=900)
    bought = shop.buy(shop.order(minutes=2.0))
    late = [a for a in bought.assignments if a.submitted_s > 120]
    assert bought.end.reason == "deadline"
    assert late
    assert max(a.submitted_s - a.seconds for a in bought.assignments) <= 120
    assert bought.end.minutes == pytest.approx(max(a.submitted_s for a in late) / 60)
    assert bought.end.missing == 900 - sum(_usable(bought).values())


def test_a_deadline_of_zero_buys_nothing(market: Make) -> None:
    shop = market()
    bought = shop.buy(shop.order(minutes=0.0))
    assert (bought.end.reason, bought.assignments) == ("deadline", [])


def test_an_exam_nobody_can_pass_ends_in_supply(market: Make) -> None:
    strict = replace(CAMPAIGN, exam=Exam(10, 11))
    shop = market(population=60, campaign=strict)
    bought = shop.buy(shop.order(condition=shop.condition(exam=True)))
    assert (bought.end.reason, bought.end.joined) == ("supply", 0)
    assert bought.end.exam_failed > 10


def test_assignments_too_slow_for_their_time_are_never_paid(market: Make) -> None:
    rushed = replace(CAMPAIGN, assignment_seconds=30)
    shop = market(campaign=rushed)
    bought = shop.buy(shop.order())
    assert bought.end.reason == "complete"
    assert max(a.seconds for a in bought.assignments) <= 30


def test_a_complete_order_has_every_usable_answer_it_wanted(market: Make) -> None:
    for name in ("default", "spam-heavy", "price-selection", "hard-items", "experts-few"):
        bought = market(name).buy(market(name).order(overlap=2))
        assert bought.end.reason == "complete"
        assert bought.end.missing == 0
        assert all(_usable(bought)[task] >= 2 for task in range(98))


# Money.


def test_every_submitted_assignment_costs_the_same_reward(market: Make) -> None:
    shop = market("spam-heavy")
    # Fewer tasks than a suite holds: no suite is full.
    bought = shop.buy(shop.order(9, rows=range(5), condition=shop.condition("0.002", controls=2)))
    paid = sum((a.reward for a in bought.assignments), Money(0))
    assert paid == Money.parse("0.02") * len(bought.assignments)
    # Banned or not, full or not: what was submitted is paid.
    assert bought.banned & {a.annotator for a in bought.assignments}
    assert any(len(a.tasks) < 10 for a in bought.assignments)


def test_abandoned_and_skipped_suites_return_their_tasks_unpaid(market: Make) -> None:
    shop = market(expire_share=0.3, skip_share=0.3)
    bought = shop.buy(shop.order())
    assert bought.end.reason == "complete"
    calm = market(expire_share=0.0, skip_share=0.0)
    # Unfinished suites cost time, not assignments: 60 % more of them would be 17 more.
    assert len(bought.assignments) <= len(calm.buy(calm.order()).assignments) + 8
    assert bought.end.minutes > calm.buy(calm.order()).end.minutes + 4


def test_an_order_that_leaves_one_task_over_buys_full_suites_only(market: Make) -> None:
    """One task and one control task take 8 seconds: honest annotators would be banned as too fast.

    Annotators who have seen a task that fills the last suite get a smaller one, now and then.
    """
    shown = []
    for seed in range(10):
        shop = market(seed=seed, tasks=100)
        shown += [len(a.tasks) for a in shop.buy(shop.order()).assignments]
    assert len(shown) > 120
    assert sum(count < 10 for count in shown) <= 2  # 119 of 278 without filling


# Bans.


def test_a_ban_follows_the_wrong_control_answer_and_ends_the_work(market: Make) -> None:
    shop = market("spam-heavy", tasks=900)
    bought = shop.buy(shop.order(overlap=2))
    bans = {r.annotator: r for page in bought.pages for r in page.restrictions}
    assert {r.reason for r in bans.values()} == {WRONG_CONTROLS, FAST_RESPONSES}
    for who in {a.annotator for a in bought.assignments}:
        mine = [a for a in bought.assignments if a.annotator == who]
        wrong = [
            any(
                control and label != shop.items.truth[task]
                for task, label, control in zip(a.tasks, a.labels, a.control, strict=True)
            )
            for a in mine
        ]
        fast = [a.seconds < CAMPAIGN.rules.fast_seconds for a in mine]
        guilty = [one or other for one, other in zip(wrong, fast, strict=True)]
        assert not any(guilty[:-1])
        assert guilty[-1] == (who in bans)
        if who in bans:
            assert bans[who].at_s == mine[-1].submitted_s


def test_without_rules_nobody_is_banned(market: Make) -> None:
    lax = replace(CAMPAIGN, rules=QualityRules(wrong_controls=0, fast_responses=0))
    shop = market("spam-heavy", campaign=lax)
    bought = shop.buy(shop.order())
    assert bought.banned == set()
    assert len(bought.assignments) <= 14  # 98 tasks by 9, and a few short suites


def test_two_wrong_controls_ban_fewer_people_than_one(market: Make) -> None:
    mild = replace(CAMPAIGN, rules=QualityRules(wrong_controls=2, fast_responses=0))
    strict = replace(CAMPAIGN, rules=QualityRules(wrong_controls=1, fast_responses=0))
    bans = []
    for campaign in (mild, strict):
        shops = [market("spam-heavy", campaign=campaign, tasks=400, seed=s) for s in range(4)]
        bans.append(sum(len(shop.buy(shop.order()).banned) for shop in shops))
    assert bans[0] < bans[1]


# Control tasks and exam.


def test_controls_come_once_per_annotator_and_as_many_as_set(market: Make) -> None:
    shop = market(tasks=300)
    for controls in (0, 1, 3):
        bought = shop.buy(shop.order(condition=shop.condition(controls=controls), overlap=2))
        shown = [(who, task) for who, task, _, control in bought.answers() if control]
        assert len(shown) == len(set(shown))
        assert all(sum(a.control) == controls for a in bought.assignments)
        assert all(task >= 300 for _, task in shown)


def test_exam_tasks_are_never_control_tasks(market: Make) -> None:
    shop = market(tasks=600)
    with_exam = shop.buy(shop.order(condition=shop.condition(exam=True), overlap=3))
    without = shop.buy(shop.order(overlap=3))
    shown = {task for _, task, _, control in with_exam.answers() if control}
    assert len(shown) <= 40
    assert len({task for _, task, _, control in without.answers() if control}) > 40
    again = shop.buy(shop.order(condition=shop.condition("0.004", exam=True), overlap=3))
    assert len(shown | {task for _, task, _, control in again.answers() if control}) <= 40


# The same study, the same answers.


def test_killed_and_collected_again_gives_the_same_pages(market: Make) -> None:
    shop = market(tasks=300)
    order = shop.order(overlap=2)
    source = shop.source()
    whole = shop.buy(order, source)
    assert len(whole.pages) > 1
    assert shop.buy(order, source).pages == whole.pages
    pages = shop.source().collect(shop.source().place(order))
    next(pages)  # and then the process dies
    assert shop.buy(order).pages == whole.pages
    source.close()
    assert shop.buy(order, source).pages == whole.pages


def test_a_later_tranche_is_the_same_from_memory_and_from_the_beginning(market: Make) -> None:
    shop = market(tasks=200)
    first = shop.order(rows=range(100))
    second = shop.order(rows=range(200), tranche=1)
    third = shop.order(rows=range(50), overlap=2, tranche=2)
    live = shop.source()
    warm = []
    for order in (first, second, third):
        warm.append(shop.buy(order, live).pages)
        shop.ended.append(order)
    for order, pages in zip((first, second, third), warm, strict=True):
        assert shop.buy(order).pages == pages
    assert shop.buy(second, live).pages == warm[1]


def test_conditions_may_be_bought_in_any_order(market: Make) -> None:
    shop = market()
    orders = [shop.order(condition=shop.condition(price)) for price in ("0.001", "0.002", "0.004")]
    one, two = shop.source(), shop.source()
    forward = [shop.buy(order, one).pages for order in orders]
    backward = [shop.buy(order, two).pages for order in reversed(orders)]
    assert forward == backward[::-1]
    assert forward[0] != forward[1]


def test_another_seed_gives_other_answers(market: Make) -> None:
    one, two = market(seed=1), market(seed=2)
    assert one.buy(one.order()).pages != two.buy(two.order()).pages


def test_nobody_answers_an_image_twice_over_tranches_and_bans_persist(market: Make) -> None:
    shop = market("spam-heavy", tasks=120, return_share=1.0, suites_median=4.0)
    live, seen, bans = shop.source(), set(), set()
    ids: set[str] = set()
    came_back = 0
    for tranche in range(4):
        bought = shop.buy(shop.order(tranche=tranche, overlap=2), live)
        shop.ended.append(bought.order)
        people = {a.annotator for a in bought.assignments}
        assert not people & bans
        came_back += bool(people & {who for who, _ in seen})
        pairs = [(who, task) for who, task, _, _ in bought.answers()]
        assert len(set(pairs)) == len(pairs)
        assert not seen & set(pairs)
        seen |= set(pairs)
        bans |= bought.banned
        assert not ids & {a.id for a in bought.assignments}
        ids |= {a.id for a in bought.assignments}
    assert came_back == 3
    assert bans


@given(
    seed=st.integers(0, 10**9),
    name=st.sampled_from(["default", "spam-heavy", "slow-supply", "experts-few"]),
    overlap=st.integers(1, 4),
    controls=st.integers(0, 3),
    exam=st.booleans(),
    limit=st.integers(0, 60),
    minutes=st.one_of(st.none(), st.floats(0, 30)),
)
@settings(max_examples=examples(60), deadline=None, derandomize=True)
def test_the_limit_and_the_missing_answers_always_add_up(
    seed: int,
    name: str,
    overlap: int,
    controls: int,
    exam: bool,
    limit: int,
    minutes: float | None,
) -> None:
    shop = Market(load_scenario(name), seed=seed, tasks=60)
    condition = shop.condition(controls=controls, exam=exam)
    order = shop.order(overlap=overlap, limit=limit, minutes=minutes, condition=condition)
    bought = shop.buy(order)
    end, usable = bought.end, _usable(bought)
    assert len(bought.assignments) <= limit
    assert end.missing == sum(max(0, overlap - usable[task]) for task in range(60))
    assert (end.missing == 0) == (end.reason == "complete")
    if end.reason == "deadline":
        assert minutes is not None
        assert end.minutes >= minutes - 1e-5  # half a millisecond
    assert end.joined == len({a.annotator for a in bought.assignments})
    assert all(a.submitted_s <= 60 * end.minutes + 1e-6 for a in bought.assignments)


@given(
    seed=st.integers(0, 10**9),
    exam=st.booleans(),
    tranches=st.lists(
        st.tuples(st.integers(0, 20), st.one_of(st.none(), st.floats(0, 8)), st.integers(1, 3)),
        min_size=2,
        max_size=4,
    ),
)
@settings(max_examples=examples(30), deadline=None, derandomize=True)
def test_any_history_is_the_same_from_memory_and_from_the_beginning(
    seed: int, exam: bool, tranches: list[tuple[int, float | None, int]]
) -> None:
    shop = Market(load_scenario("spam-heavy"), seed=seed, tasks=40)
    condition = shop.condition(exam=exam)
    live, pairs = shop.source(), Counter[tuple[str, int]]()
    for tranche, (limit, minutes, overlap) in enumerate(tranches):
        order = shop.order(overlap, tranche, limit, minutes, condition=condition)
        warm = shop.buy(order, live)
        assert shop.buy(order).pages == warm.pages
        assert len(warm.assignments) <= limit
        pairs.update((who, task) for who, task, _, _ in warm.answers())
        shop.ended.append(order)
    assert not pairs or max(pairs.values()) == 1

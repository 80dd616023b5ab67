"""People and their answers: price decides who comes and when, never how well one person answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from budget.money import Money
from labeling.crowd.people.answers import CHANCES, AnswerModel, answer_model
from labeling.crowd.people.items import make_items
from labeling.crowd.people.people import (
    CARELESS,
    HONEST,
    SPAM_COLLUDE,
    SPAM_PASTE,
    SPAM_RANDOM,
    SPAM_REPEAT,
    SPAM_SAME,
    People,
    bad_share,
    hourly_wage,
    participation,
)
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.seeds import stream

DEFAULT = load_scenario("default")
PRICES = ("0.001", "0.002", "0.008")


def _people(scenario: Scenario, price: str, seed: int = 0) -> People:
    return People(scenario, Money.parse(price), stream(seed, "people"))


def _model(scenario: Scenario = DEFAULT, rows: int = 4000, classes: int = 3) -> AnswerModel:
    items = make_items(scenario, np.arange(rows) % classes, classes, 0)
    return AnswerModel(scenario, items, classes, stream(0, "ring"), stream(0, "machine"))


def _labels(model: AnswerModel, kind: int, skill: float = 0.0, rows: int = 4000) -> np.ndarray:
    chance = stream(1, "answers").random((rows, CHANCES))
    return model.labels(kind, skill, 0.5, np.arange(rows), chance)


def test_nobody_is_left_behind_an_exhausted_population() -> None:
    people = _people(replace(DEFAULT, population=30), "0.002")
    joining, last = [], -1
    while (person := people.next_joining(last)) is not None:
        joining.append(person)
        last = person
    assert joining == np.flatnonzero(people.traits.joins[:30]).tolist()
    assert people.looked(0, 1e9) == 30


def test_a_population_of_the_unwilling_ends_instead_of_looking_for_ever() -> None:
    unwilling = replace(DEFAULT, reservation_wage=1e4, reservation_sd=1e-3)
    assert _people(unwilling, "0.001").next_joining(-1) is None


def test_price_changes_who_takes_part_and_nothing_about_the_person() -> None:
    low, mid, high = (_people(DEFAULT, price).traits for price in PRICES)
    for field in ("arrival", "kind", "skill", "pace", "suites", "favourite"):
        assert np.array_equal(getattr(low, field), getattr(high, field))
    assert np.all(mid.joins[low.joins])
    assert np.all(high.joins[mid.joins])
    assert low.joins.sum() < mid.joins.sum() < high.joins.sum()


def test_participation_follows_the_lognormal_reservation_wage() -> None:
    assert participation(DEFAULT, 0.0) == 0.0
    assert participation(DEFAULT, DEFAULT.reservation_wage) == pytest.approx(0.5)
    # Horton & Chilton's elasticity at the median: .43.
    step = 1.001
    more = participation(DEFAULT, DEFAULT.reservation_wage * step)
    assert np.log(more / 0.5) / np.log(step) == pytest.approx(0.43, abs=0.002)


def test_selection_changes_the_odds_of_bad_annotators_by_the_wage() -> None:
    selective = load_scenario("price-selection")
    reference = DEFAULT.reference_wage
    assert bad_share(DEFAULT, 0.1) == bad_share(DEFAULT, 10.0) == pytest.approx(0.18)
    assert bad_share(selective, reference) == pytest.approx(0.18)
    odds = [b / (1 - b) for b in (bad_share(selective, w * reference) for w in (1.0, 4.0))]
    assert odds[1] / odds[0] == pytest.approx(4**-0.6)
    # The published campaign's price is the reference.
    assert hourly_wage(DEFAULT, Money.parse("0.002")) == pytest.approx(reference, rel=0.01)


def test_shares_of_kinds_are_the_scenarios() -> None:
    people = _people(DEFAULT, "0.002")
    people._reach(60_000)
    share = np.bincount(people.traits.kind, minlength=6) / len(people.traits)
    spam = [DEFAULT.spam_random, DEFAULT.spam_same, DEFAULT.spam_repeat, DEFAULT.spam_collude]
    expected = [0.82, DEFAULT.careless, *(DEFAULT.spammers * np.array(spam))]
    # Standard error of a share of .09 over 65,536 people: .0011; four of them.
    assert share == pytest.approx(expected, abs=0.005)


def test_activity_has_a_heavy_tail() -> None:
    people = _people(DEFAULT, "0.002")
    people._reach(20_000)
    suites = np.sort(people.traits.suites)[::-1]
    # CIFAR-10N: the top 10 % of annotators do 49 % of the suites.
    assert suites[: len(suites) // 10].sum() / suites.sum() == pytest.approx(0.49, abs=0.06)
    assert suites.min() == 1


def test_spammers_do_not_look_at_the_image() -> None:
    model = _model()
    same = _labels(model, SPAM_SAME)
    assert set(same.tolist()) == {1}
    assert len(set(_labels(model, SPAM_REPEAT).tolist())) == 1
    truth = np.arange(4000) % 3
    # Standard error of a third over 4,000: .0075; four of them.
    for kind in (SPAM_RANDOM, SPAM_COLLUDE):
        assert float((_labels(model, kind) == truth).mean()) == pytest.approx(1 / 3, abs=0.03)


def test_colluders_agree_with_each_other_whoever_they_are() -> None:
    model, tasks = _model(), np.arange(4000)
    one, two = (
        model.labels(SPAM_COLLUDE, 0.0, f, tasks, stream(s, "x").random((4000, CHANCES)))
        for f, s in ((0.1, 1), (0.9, 2))
    )
    assert np.array_equal(one, two)


def test_a_machines_answer_to_an_image_is_the_same_whoever_pastes_it_and_in_every_pool() -> None:
    items = make_items(DEFAULT, np.arange(4000) % 10, 10, 0)
    pools = [answer_model(DEFAULT, items, 10, 0, key) for key in ("one", "two")]
    pasted = [_labels(pool, SPAM_PASTE) for pool in pools]
    assert np.array_equal(*pasted)
    assert not np.array_equal(*(_labels(pool, SPAM_COLLUDE) for pool in pools))
    more = make_items(DEFAULT, np.arange(50) % 10, 10, 1)
    pools[0].extend(more)
    assert np.array_equal(_labels(pools[0], SPAM_PASTE), pasted[0])
    assert float((_labels(pools[0], SPAM_PASTE, rows=4050)[4000:] == more.truth).mean()) > 0.5


def test_the_machine_errs_where_people_err() -> None:
    """A vendor's model on CIFAR-10N: .754 right; people err .250 where it errs, .154 elsewhere."""
    items = make_items(DEFAULT, np.arange(40_000) % 10, 10, 0)
    model = answer_model(DEFAULT, items, 10, 0, "pool")
    machine = _labels(model, SPAM_PASTE, rows=40_000)
    people = _labels(model, HONEST, rows=40_000)
    errs = machine != items.truth
    # Standard errors: .002, .004 and .002.
    assert 1 - errs.mean() == pytest.approx(0.754, abs=0.01)
    assert (people != items.truth)[errs].mean() == pytest.approx(0.250, abs=0.02)
    assert (people != items.truth)[~errs].mean() == pytest.approx(0.154, abs=0.035)


def test_skill_follows_activity_and_the_mean_over_the_work_stays() -> None:
    steady, rising = (replace(DEFAULT, skill_by_activity=by) for by in (0.0, 0.4))
    people = [_people(scenario, "0.002") for scenario in (steady, rising)]
    for each in people:
        each._reach(60_000)
    before, after = (each.traits for each in people)
    assert np.array_equal(before.suites, after.suites)
    busy = after.suites > np.quantile(after.suites, 0.9)
    assert after.skill[busy].mean() > after.skill.mean() + 0.8
    mean, sd = rising.skill_of_people
    assert after.skill.mean() == pytest.approx(mean, abs=0.02)
    assert after.skill.std() == pytest.approx(sd, abs=0.02)
    # Suites are rounded up, which lowers the mean over the work by some .1; a person's is -.77.
    assert np.average(after.skill, weights=after.suites) == pytest.approx(0.0, abs=0.2)


def test_skill_helps_and_guessing_hurts() -> None:
    model, truth = _model(), np.arange(4000) % 3
    low, mid, high = (
        float((_labels(model, HONEST, skill) == truth).mean()) for skill in (-1.5, 0.0, 1.5)
    )
    careless = float((_labels(model, CARELESS) == truth).mean())
    assert low < mid < high
    assert careless == pytest.approx(0.65 * mid + 0.35 / 3, abs=0.03)


def test_two_wrong_answers_agree_more_than_class_confusion_explains() -> None:
    """The negative control: without own distractors agreement falls to chance."""
    agreed = []
    for share in (DEFAULT.distractor_share, 0.0):
        model = _model(replace(DEFAULT, distractor_share=share), classes=10)
        truth, tasks = np.arange(4000) % 10, np.arange(4000)
        chances = [stream(s, "x").random((4000, CHANCES)) for s in (1, 2)]
        one, two = (model.labels(HONEST, -1.0, 0.5, tasks, chance) for chance in chances)
        both = (one != truth) & (two != truth)
        agreed.append(float((one[both] == two[both]).mean()))
    # .58^2 + (1 - .58^2) / 9 = .41, with the careless and spammers after the rules .40; without:
    # 1/9. Standard error below .02.
    assert agreed[0] == pytest.approx(0.41, abs=0.06)
    assert agreed[1] == pytest.approx(1 / 9, abs=0.05)


def test_learning_comes_first_and_fatigue_is_bounded() -> None:
    model = _model(replace(DEFAULT, learning=1.0, fatigue=0.1))
    now = [model.skill_now(0.0, done) for done in range(60)]
    assert now[0] == -1.0
    assert now[1] > now[0]
    assert now[-1] == pytest.approx(-1.0)
    assert _model().skill_now(0.7, 30) == 0.7


def test_honest_people_are_slow_on_hard_items_and_careless_people_are_fast() -> None:
    items = make_items(DEFAULT, np.zeros(4, int), 2, 0, difficulty=[0.0, 0.0, 0.6, 0.6])
    model = AnswerModel(DEFAULT, items, 2, stream(0, "ring"), stream(0, "machine"))
    easy, hard = np.array([0, 1]), np.array([2, 3])
    assert model.seconds(HONEST, 4.2, hard, 0, 0.0) > 1.5 * model.seconds(HONEST, 4.2, easy, 0, 0.0)
    assert model.seconds(CARELESS, 3.2, hard, 0, 0.0) == model.seconds(CARELESS, 3.2, easy, 0, 0.0)
    assert model.seconds(HONEST, 4.2, easy, 7, 0.0) < model.seconds(HONEST, 4.2, easy, 0, 0.0)


def test_suite_times_are_those_of_cifar10n() -> None:
    people, model = _people(DEFAULT, "0.002"), _model()
    people._reach(4000)
    honest = np.flatnonzero(people.traits.kind == HONEST)[:3000]
    rng = stream(3, "times")
    seconds = [
        model.seconds(HONEST, float(people.traits.pace[p]), rng.integers(0, 4000, 10), 0, z)
        for p, z in zip(honest, rng.standard_normal(len(honest)), strict=True)
    ]
    # Median 42 s, sd of logs .48; 3,000 suites give a standard error of .01 on the log scale.
    assert float(np.median(seconds)) == pytest.approx(42, rel=0.05)
    assert float(np.log(seconds).std()) == pytest.approx(0.48, abs=0.05)
    assert float(np.mean(np.array(seconds) < 13)) < 0.015

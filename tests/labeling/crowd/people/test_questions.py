"""Several questions on a page, and questions of taste."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from budget.database import open_database
from budget.errors import InputError, MarketContradiction
from budget.tariffs.suite import SuiteTariff
from labeling.aggregation.shares import answer_shares
from labeling.campaign.campaign import SUBJECTIVE, Question
from labeling.crowd.people.answers import CHANCES
from labeling.crowd.people.items import make_items
from labeling.crowd.people.opinions import OpinionModel, make_opinions
from labeling.crowd.people.people import CARELESS, HONEST, SPAM_COLLUDE, SPAM_SAME
from labeling.crowd.scenario import load_scenario
from labeling.crowd.source import CrowdSource
from labeling.seeds import stream
from labeling.store import Store

from ..conftest import CAMPAIGN, Bought, Market

Make = Callable[..., Market]
DEFAULT = load_scenario("default")
TASTE = Question("taste", "Nice?", ("no", "yes"), SUBJECTIVE)
SIZE = Question("size", "How large?", ("small", "large"))
BOTH = replace(CAMPAIGN, questions=(*CAMPAIGN.questions, TASTE))
ONLY = replace(CAMPAIGN, questions=(TASTE,))


def _source(shop: Market, **further: object) -> CrowdSource:
    rows = range(shop.tasks, shop.tasks + shop.controls)
    return CrowdSource(
        shop.scenario,
        shop.campaign,
        shop.items,
        rows,
        SuiteTariff(),
        shop.seed,
        lambda condition: [],
        further,  # type: ignore[arg-type]
    )


def _shares(bought: Bought, at: int) -> dict[int, list[int]]:
    given: dict[int, list[int]] = {}
    for a in bought.assignments:
        for task, label in zip(a.tasks, a.further[at], strict=True):
            given.setdefault(task, []).append(label)
    return given


def test_taste_cannot_be_checked(market: Make) -> None:
    shop = market(campaign=ONLY)
    for changes in ({"controls": 1}, {"controls": 0, "exam": True}):
        with pytest.raises(InputError, match="set controls = 0, no exam"):
            shop.source().place(shop.order(condition=shop.condition(**changes)))


def test_a_further_objective_question_needs_its_truth(market: Make) -> None:
    shop = market(campaign=replace(CAMPAIGN, questions=(*CAMPAIGN.questions, SIZE)))
    with pytest.raises(InputError, match="'size': it needs the true class of each of 148 images"):
        _source(shop)
    three = make_items(DEFAULT, np.full(148, 2), 3, 0)
    with pytest.raises(InputError, match="above the campaign's 2 classes"):
        _source(shop, size=three)


def test_answers_to_further_questions_stand_beside_the_first(market: Make) -> None:
    one, two = market(), market(campaign=BOTH)
    alone, beside = (shop.buy(shop.order(2)).assignments for shop in (one, two))
    assert all(a.further == () for a in alone)
    assert all(len(a.further) == 1 and len(a.further[0]) == len(a.tasks) for a in beside)
    assert max(label for a in beside for label in a.labels) == 2
    assert {label for a in beside for label in a.further[0]} == {0, 1}


def test_questions_come_in_the_campaigns_order(market: Make) -> None:
    """The question of taste comes first; control tasks still check the objective one."""
    turned = replace(CAMPAIGN, questions=(TASTE, *CAMPAIGN.questions, SIZE))
    shop = market("spam-heavy", campaign=turned, tasks=200)
    size = make_items(shop.scenario, shop.items.truth % 2, 2, 5)
    source = _source(shop, size=size)
    bought = shop.buy(shop.order(3), source)
    assert {label for a in bought.assignments for label in a.labels} <= {0, 1}
    shape, large = ([a.further[at] for a in bought.assignments] for at in (0, 1))
    assert {label for labels in shape for label in labels} == {0, 1, 2}
    for labels, items in ((shape, shop.items), (large, size)):
        right = [
            label == items.truth[task]
            for a, given in zip(bought.assignments, labels, strict=True)
            for task, label in zip(a.tasks, given, strict=True)
            if a.annotator not in bought.banned
        ]
        assert np.mean(right) > 0.7
    assert bought.banned


def test_people_agree_on_taste_less_than_chance_alone_would_have_them(market: Make) -> None:
    shop = market(campaign=ONLY, tasks=60, careless=0.0, spammers=0.0)
    condition = shop.condition(controls=0)
    bought = shop.buy(shop.order(60, condition=condition))
    per_person: dict[str, list[int]] = {}
    for who, _, label, _ in bought.answers():
        per_person.setdefault(who, []).append(label)
    yes = np.array([np.mean(given) for given in per_person.values() if len(given) >= 30])
    # Without tastes of their own: sd of a mean of 30 answers and more, .09.
    assert yes.std() > 0.13
    # And items differ: a latent appeal.
    shares = np.array(
        [
            np.mean([label for _, task, label, _ in bought.answers() if task == row])
            for row in range(60)
        ]
    )
    assert shares.std() > 0.2
    assert np.mean(shares) == pytest.approx(0.5, abs=0.12)


def test_the_share_of_a_dense_item_is_the_appeal_averaged_over_tastes() -> None:
    opinions = make_opinions(DEFAULT, 5, 2, 0, "taste")
    model = OpinionModel(DEFAULT, opinions, stream(0, "ring"))
    rng, rows, people = stream(1, "people"), np.arange(5), 4000
    given = [
        model.labels(HONEST, model.taste(rng), 0.5, rows, rng.random((5, CHANCES)))
        for _ in range(people)
    ]
    logit = opinions.appeal[:, 1] + DEFAULT.taste_sd * rng.standard_normal((100_000, 1))
    expected = (1 / (1 + np.exp(-logit))).mean(axis=0)
    # Standard error below .008.
    assert np.mean(given, axis=0) == pytest.approx(expected, abs=0.03)


def test_spammers_are_blind_to_taste_too_and_the_careless_half_so() -> None:
    opinions = make_opinions(replace(DEFAULT, appeal_mean=4.0, appeal_sd=0.0), 3000, 2, 0, "t")
    model = OpinionModel(DEFAULT, opinions, stream(0, "ring"))
    rows, chance = np.arange(3000), stream(1, "x").random((3000, CHANCES))
    said = {
        kind: model.labels(kind, np.zeros(2), 0.2, rows, chance).mean()
        for kind in (HONEST, CARELESS, SPAM_SAME, SPAM_COLLUDE)
    }
    assert said[HONEST] == pytest.approx(0.98, abs=0.01)
    assert said[CARELESS] == pytest.approx(0.65 * 0.98 + 0.35 / 2, abs=0.03)
    assert said[SPAM_SAME] == 0
    assert said[SPAM_COLLUDE] == pytest.approx(0.5, abs=0.04)


def test_further_answers_are_kept_once_and_come_back_by_question(
    market: Make, tmp_path: Path
) -> None:
    shop = market(campaign=BOTH, tasks=60)
    order = shop.order(3)
    bought = shop.buy(order)
    engine = open_database(tmp_path / "study.sqlite")
    store = Store(engine, "study")
    tasks = [task for task, _ in order.wanted]
    written = store.order_for(order.condition, tasks, 3, 2, None)  # type: ignore[arg-type]
    assert written is not None
    for page in bought.pages * 2:
        store.add(written, page)
    first, second = (store.answers(order.condition, at) for at in (0, 1))
    assert len(first) == len(second) == len(bought.answers())
    assert np.array_equal(first.task, second.task)
    assert np.array_equal(first.annotator, second.annotator)
    assert set(second.label.tolist()) == {0, 1}
    given = _shares(bought, 0)
    shares = answer_shares(replace(second, usable=np.ones_like(second.usable)), tasks, 2)
    for row, task in enumerate(shares.task.tolist()):
        assert shares.share[row, 1] == pytest.approx(np.mean(given[task]))
    broken = replace(bought.assignments[0], further=((1,),))
    with pytest.raises(
        MarketContradiction, match="a further question has another number of labels"
    ):
        store.add(written, replace(bought.pages[0], assignments=(broken,), end=None))
    engine.dispose()

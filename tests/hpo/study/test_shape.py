"""The known shape of the ground: nothing about the answer is built in.

Differences of mean accuracy over fresh purchases, each with real training; a claim must hold by at
least two standard errors of the difference (fixed seeds).
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ground import mean_and_error, redraw
from budget.money import Money
from hpo.market.quote import quote_space
from hpo.settings.config import make_config
from labeling.types import LabelPlan

pytestmark = pytest.mark.statistics
DRAWS = 24


def plan(price: str, overlap: int, controls: int, tasks: int, exam: bool = False) -> LabelPlan:
    return LabelPlan(Money.parse(price), overlap, controls, tasks, exam)


def gain(better: LabelPlan, worse: LabelPlan, draws: int = DRAWS, **settings: object) -> tuple:
    """Mean difference of accuracy and its standard error, in points, over fresh purchases."""
    one = [redraw(better, draw, **settings).accuracy for draw in range(draws)]
    two = [redraw(worse, draw, **settings).accuracy for draw in range(draws)]
    (a, error_a), (b, error_b) = mean_and_error(one), mean_and_error(two)
    return 100 * (a - b), 100 * float(np.hypot(error_a, error_b))


def test_one_answer_each_beats_three_at_equal_money_while_the_pool_lasts() -> None:
    points, error = gain(plan("0.002", 1, 1, 588), plan("0.002", 3, 1, 196), draws=12)
    assert points > 2 * error


def test_the_first_control_task_is_worth_points() -> None:
    points, error = gain(plan("0.002", 1, 1, 98), plan("0.002", 1, 0, 98))
    assert points > max(1.0, 2 * error)


def test_where_many_are_careless_it_is_worth_something_with_many_tasks_too() -> None:
    pair = plan("0.002", 1, 1, 392), plan("0.002", 1, 0, 392)
    points, error = gain(*pair, draws=40, scenario="spam-heavy")
    assert points > 2 * error


def test_after_an_exam_the_first_control_task_is_not_worth_points() -> None:
    points, error = gain(plan("0.002", 1, 1, 98, True), plan("0.002", 1, 0, 98, True))
    assert points < 2 * error


def test_with_slow_supply_and_a_deadline_the_best_price_is_not_the_smallest() -> None:
    settings = {"budget": "20", "scenario": "slow-supply", "overlap": "1", "controls": "1"}
    quoted = quote_space(make_config({**settings, "exam": "off", "max_minutes": "15"}))
    within = [q.plan for q in quoted if q.outside is None and q.quote.cost <= Money.parse("2")]
    lowest = min(p.price for p in within)
    most_tasks = {p.price: p for p in sorted(within, key=lambda p: p.tasks)}
    cheap = most_tasks.pop(lowest)
    dearer = max(most_tasks.values(), key=lambda p: (p.tasks, -p.price.micros))
    assert dearer.tasks > cheap.tasks
    points, error = gain(dearer, cheap, draws=12, scenario="slow-supply")
    assert points > 2 * error
    free = quote_space(make_config({**settings, "exam": "off", "max_minutes": "none"}))
    assert any(q.plan.price == lowest and q.plan.tasks >= dearer.tasks for q in free)


def test_hard_majority_at_overlap_2_loses_to_soft_labels() -> None:
    """The same bought answers, trained as vote shares and as the winning class (ties at random)."""
    import tempfile
    from pathlib import Path

    from benchmarks.ground import _data, _world
    from hpo.trial.evaluate import labels_of
    from hpo.trial.purchase import buy
    from labeling.seeds import generator
    from training.fit import hard, train

    two = plan("0.002", 2, 0, 196)
    config = make_config({"budget": "1000", "study": "ground", "aggregation": "majority"})
    data = _data(config.data, config.seed)
    rows = np.concatenate([data.rows["validation"], data.rows["final"]])
    differences = []
    for draw in range(12):
        with tempfile.TemporaryDirectory() as folder:
            world = _world(config, Path(folder) / "g", data, draw)
            buy(two, world)
            labels, _ = labels_of(two, world)
            accuracy = {}
            rng = generator(0, "hard", draw)
            for kind in ("soft", "hard"):
                target = labels.shares if kind == "soft" else hard(labels.shares, rng)
                model = train(
                    world.features.values[labels.task],
                    {kind: target},
                    judge=labels.shares,
                    confidence=labels.answers.astype(float),
                    rng=generator(0, "folds", draw),
                )
                found = model.predict(world.features.values[rows]).argmax(axis=1)
                accuracy[kind] = (found == data.truth[rows]).mean()
            world.close()
        differences.append(float(accuracy["soft"] - accuracy["hard"]))
    mean, error = mean_and_error(differences)
    assert mean > 2 * error

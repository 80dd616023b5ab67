"""Labels bought to measure models by: what they are, and how often they are wrong.

Validation and final images with a known label are asked about like the others. How often bought
labels are wrong there is counted; among all of them it is estimated from how far answers agree.
Both together give the share of wrong labels, with an uncertainty that scores have to carry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from budget.errors import InputError
from hpo.data.unlabelled import TESTS
from hpo.trial.labels import to_labels
from hpo.trial.purchase import TESTED, mark_of
from hpo.trial.world import World
from labeling.aggregation.best_labels import best_labels
from labeling.types import Answers, Condition, Floats, Ints, LabelSet

_WRONG = 1.1
"""Wrong labels for each that is expected, as no model of the images tells of shared mistakes.

At three answers 1.2 in the default simulated crowd, 1.6 on its hard images, 1.2 on CIFAR-10N;
there 1.0 at two answers. At 1.2 a model that errs as people do was told 2.3 points too good."""
_WRONG_SD = 0.34  # of that factor between crowds, relative
_GRID = np.linspace(-9.0, 0.0, 721)  # ln of the share of wrong labels


@dataclass(frozen=True, slots=True, eq=False)
class WrongLabels:
    """How often bought labels are wrong.

    Attributes:
        share: expected share of wrong labels.
        sd: standard deviation of it.
        checked: labels that were compared with known ones.
        wrong: how many of those differ.
    """

    share: float
    sd: float
    checked: int
    wrong: int


@dataclass(frozen=True, slots=True, eq=False)
class BoughtTests:
    """Bought labels of validation and final images.

    Attributes:
        code: [n] class code of each image: known, else bought, else -1.
        posterior: [n, C] probabilities of the classes by the answers; nan without any.
        errors: how often the labels are wrong.
        images: images with a bought label and without a known one.
        answers: usable answers bought.
    """

    code: Ints
    posterior: Floats
    errors: WrongLabels
    images: int
    answers: int


def test_condition(world: World) -> Condition | None:
    """The condition that a study buys test labels in; None before it has ordered any."""
    orders = (record.order for record in world.store.all_orders())
    return next((order.condition for order in orders if mark_of(order) == TESTED), None)


def bought_tests(world: World) -> BoughtTests | None:
    """The test labels that a study bought; None where all are known, or none was bought yet."""
    rows = np.sort(np.concatenate([world.data.rows[role] for role in TESTS]))
    if world.data.known[rows].all():
        return None
    condition = test_condition(world)
    if condition is None:
        return None
    kept: dict[object, BoughtTests] = world.computed.tests
    ended = sum(record.end is not None for record in world.store.orders(condition))
    key = (condition.key, ended)
    if key not in kept:
        answers = world.store.answers(condition, world.market.question)
        kept.clear()
        kept[key] = _tests(rows, answers, world)
    return kept[key]


def measured_codes(rows: Ints, world: World) -> Ints:
    """Class codes of some of `measured_rows`, known or bought, for a comparison of models.

    A bought label is wrong for both models alike: it makes a difference smaller, and turns none.
    """
    tests = bought_tests(world)
    return (world.data.truth if tests is None else tests.code)[rows]


def measured_rows(role: str, world: World) -> Ints:
    """Rows of a role's images that have a label, known or bought.

    Raises:
        InputError: none has.
    """
    tests, rows = bought_tests(world), world.data.rows[role]
    rows = rows[world.data.known[rows] if tests is None else tests.code[rows] >= 0]
    if not len(rows):
        raise InputError(
            f"{world.config.data}: no {role} image has a label, and none could be bought; give "
            "known labels"
        )
    return rows


def _tests(rows: Ints, answers: Answers, world: World) -> BoughtTests:
    labels = to_labels(answers, rows, world)
    truth = world.data.truth
    code, posterior = truth.copy(), np.full((len(truth), len(world.data.classes)), np.nan)
    posterior[labels.task] = labels.posterior
    said = labels.posterior.argmax(axis=1)
    is_new = ~world.data.known[labels.task]
    code[labels.task[is_new]] = said[is_new]
    is_wrong = said[~is_new] != truth[labels.task[~is_new]]
    errors = wrong_labels(
        labels,
        answers,
        world.control_truth,
        (int(is_wrong.sum()), len(is_wrong)),
    )
    return BoughtTests(code, posterior, errors, int(is_new.sum()), int(labels.answers.sum()))


def wrong_labels(
    labels: LabelSet,
    answers: Answers,
    control_truth: dict[int, int],
    checked: tuple[int, int],
) -> WrongLabels:
    """The share of wrong labels: by agreement of answers, corrected by labels that are known.

    Args:
        labels: the labels bought.
        answers: the answers behind them.
        control_truth: true class of each control task, by row.
        checked: wrong labels among those compared with known ones, and how many were compared.
    """
    wrong, compared = checked
    if not len(labels.task):
        return WrongLabels(0.5, 0.25, compared, wrong)
    even = np.full(labels.posterior.shape, 1 / labels.posterior.shape[1])
    alone = best_labels(labels, answers, control_truth, even, _WRONG)
    share = max(1 - alone.answers_accuracy, 0.5 / len(labels.task))
    relative = np.hypot(alone.accuracy_sd / share, _WRONG_SD)
    spread = np.log1p(relative**2)  # a log-normal with this mean and deviation
    middle = np.log(share) - spread / 2
    log_weight = -((_GRID - middle) ** 2) / 2 / spread
    log_weight += wrong * _GRID + (compared - wrong) * np.log1p(-np.minimum(np.exp(_GRID), 0.999))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = float(weight @ np.exp(_GRID))
    deviation = float(np.sqrt(weight @ (np.exp(_GRID) - mean) ** 2))
    return WrongLabels(mean, deviation, compared, wrong)

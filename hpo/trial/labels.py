"""From a plan's answers to the labels that its model learns: aggregation, and the study's views.

A view over labels keeps labels; a view over answers keeps answers to real tasks, which are then
aggregated anew. Control answers stay: they are evidence on annotators. Everything that a view asks
is computed from the plan's own answers, never from what else its condition owns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from budget.errors import InputError
from hpo.market.market import Market
from hpo.settings.config import StudyConfig
from hpo.trial.subjective import is_subjective, share_labels
from hpo.trial.world import World
from labeling.aggregation.choice import AggregatorFit, fit_of
from labeling.aggregation.facts import AnswerFacts, answer_facts, label_facts
from labeling.aggregation.methods import aggregate
from labeling.aggregation.registry import AUTO
from labeling.aggregation.votes import votes_of
from labeling.campaign.campaign import OBJECTIVE
from labeling.store.views import inside
from labeling.types import Answers, AnswerTimes, Bools, Ints, LabelSet
from labeling.views import View, check_classes, parse_view, view_to_plain
from labeling.views.columns import LABELS, TEST_COLUMNS, TRIAL_COLUMNS


def train_view(config: StudyConfig) -> View | None:
    """The view of a study's labels or answers that its models are trained on, if it has one."""
    return parse_view(config.view, "--view", TRIAL_COLUMNS) if config.view else None


def test_view(config: StudyConfig) -> View | None:
    """The view of test images that a study reports beside all of them, if it has one."""
    return parse_view(config.test_view, "--test-view", TEST_COLUMNS) if config.test_view else None


def views_to_plain(config: StudyConfig) -> dict[str, dict[str, Any] | None]:
    """The study's views, "view" and "test_view", as JSON types; None where it has none."""
    views = {"view": train_view(config), "test_view": test_view(config)}
    return {name: view_to_plain(view) if view else None for name, view in views.items()}


def check_views(config: StudyConfig, market: Market) -> None:
    """Refuse views that name a class which is not asked about.

    Raises:
        InputError: as `check_test_view`; or naming the class.
    """
    view, test = train_view(config), test_view(config)
    if view is not None:
        check_classes(view, market.asked.classes, "--view")
    if test is not None:
        check_test_view(test, market)


def check_test_view(view: View, market: Market) -> None:
    """Refuse a view of test images where they have no true class, or not that one.

    Raises:
        InputError: naming the question or the class.
    """
    if market.asked.kind != OBJECTIVE:
        raise InputError(
            f"--test-view: question {market.asked.name!r} is a matter of taste: no image has a "
            "true class; leave it out"
        )
    check_classes(view, market.asked.classes, "--test-view")


def to_labels(
    own: Answers, tasks: Sequence[int] | Ints, world: World, skill: float | None = None
) -> LabelSet:
    """Aggregate a plan's own answers.

    Args:
        own: the answers.
        tasks: the plan's tasks.
        world: the study's world.
        skill: the crowd's skill, where it is known better than by these answers.
    """
    classes = len(world.market.asked.classes)
    if is_subjective(world):
        return share_labels(own, [int(task) for task in tasks], classes)
    return aggregate(own, tasks, classes, world.config.aggregation, world.control_truth, skill)


def aggregator_fit(labels: LabelSet, own: Answers, world: World) -> AggregatorFit | None:
    """How a study chose its aggregator for labels; None where it did not choose.

    Args:
        labels: the labels.
        own: the answers behind them.
        world: the study's world.
    """
    if world.config.aggregation != AUTO or is_subjective(world) or not len(labels.task):
        return None
    classes = len(world.market.asked.classes)
    return fit_of(votes_of(own, labels.task, classes, world.control_truth))


def facts_of(own: Answers, times: AnswerTimes, world: World) -> AnswerFacts:
    """Skill and times of a plan's own answers."""
    truth = None if is_subjective(world) else world.control_truth
    classes = len(world.market.asked.classes)
    return answer_facts(own, truth, classes, times.seconds, times.submitted_s)


def narrow(
    labels: LabelSet,
    own: Answers,
    tasks: Sequence[int] | Ints,
    times: Callable[[], AnswerTimes],
    world: World,
) -> tuple[LabelSet, Answers]:
    """The labels inside the study's view, and the answers behind them; all without a view.

    Args:
        labels: the plan's labels.
        own: the answers behind them.
        tasks: the plan's tasks.
        times: gives the times of the answers, if the view asks about answers.
        world: the study's world.
    """
    view = train_view(world.config)
    if view is None:
        return labels, own
    if view.over == LABELS:
        kept = labels.where(inside(view, _label_columns(view, labels, own, world)))
        return kept, own.where(own.control | np.isin(own.task, kept.task))
    columns = _answer_columns(view, labels, own, facts_of(own, times(), world), world)
    kept_answers = own.where(own.control | inside(view, columns))
    return to_labels(kept_answers, tasks, world), kept_answers


def images_inside(view: View, rows: Ints, world: World) -> Bools:
    """Which test images a test view keeps. It reads their true classes."""
    names, classes = world.data.images.names, world.data.classes
    columns = {
        "image": [names[row] for row in rows],
        "class": [classes[code] for code in world.data.truth[rows]],
    }
    return inside(view, columns)


def _label_columns(
    view: View, labels: LabelSet, own: Answers, world: World
) -> Mapping[str, Sequence[Any]]:
    facts, names, classes = label_facts(labels, own), world.data.images.names, _classes(world)
    made: Mapping[str, Callable[[], Sequence[Any]]] = {
        "image": lambda: [names[task] for task in labels.task],
        "label": lambda: [classes[code] for code in facts.label],
        "confidence": facts.confidence.tolist,
        "agreement": facts.agreement.tolist,
        "answers": labels.answers.tolist,
    }
    return {name: made[name]() for name in view.used if name in made}


def _answer_columns(
    view: View, labels: LabelSet, own: Answers, facts: AnswerFacts, world: World
) -> Mapping[str, Sequence[Any]]:
    names, classes = world.data.images.names, _classes(world)
    made: Mapping[str, Callable[[], Sequence[Any]]] = {
        "image": lambda: [names[task] for task in own.task],
        "answer": lambda: [classes[code] for code in own.label],
        "annotator": lambda: [str(code) for code in own.annotator],
        "skill": lambda: [None if np.isnan(skill) else float(skill) for skill in facts.skill],
        "seconds": facts.seconds.tolist,
        "submitted": facts.submitted.tolist,
        "control": own.control.tolist,
        "usable": own.usable.tolist,
    }
    of_labels = _label_columns(view, labels, own, world)
    place = {int(task): position for position, task in enumerate(labels.task)}
    at = [
        None if control else place.get(int(task))
        for task, control in zip(own.task, own.control, strict=True)
    ]
    spread = {
        name: [None if position is None else column[position] for position in at]
        for name, column in of_labels.items()
    }
    return {name: made[name]() if name in made else spread[name] for name in view.used}


def _classes(world: World) -> tuple[str, ...]:
    return world.market.asked.classes

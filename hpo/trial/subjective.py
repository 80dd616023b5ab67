"""Subjective questions: the label is a share of people, and so are the target and the score."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from hpo.trial.world import World
from labeling.aggregation.shares import DENSE, Shares, answer_shares, score_shares
from labeling.campaign.campaign import OBJECTIVE
from labeling.types import Answers, Floats, LabelSet, Order

if TYPE_CHECKING:
    from training.evaluate import Scores

_PANEL = DENSE + 10  # answers per held-out image: those of banned annotators do not count


def is_subjective(world: World) -> bool:
    """Whether the question that the model learns has no true answer."""
    return world.market.asked.kind != OBJECTIVE


def share_labels(answers: Answers, tasks: list[int], classes: int) -> LabelSet:
    """Shares of answers as labels; answers on control tasks stay out: those are no pool images."""
    shares = answer_shares(answers.where(~answers.control), tasks, classes)
    return LabelSet(shares.task, shares.share, shares.share, shares.answers)


def panel(world: World, role: str) -> Shares:
    """Densely answered shares on the images of a role, asked once."""
    panels = world.computed.panels
    if role not in panels:
        panels[role] = _ask_panel(world, role)
    return panels[role]


def _ask_panel(world: World, role: str) -> Shares:
    """Densely answered shares on the images of a role, from a panel of simulated annotators.

    It stands for what a requester would collect once to judge models by; no money is booked.
    """
    rows = world.data.rows[role]
    some = world.condition(world.space.plans[-1])
    exam = world.market.campaign.judged is not None
    condition = dataclasses.replace(
        some, market=f"panel {role}", controls=0, exam=exam, dynamic=None
    )
    wanted = tuple((int(row), _PANEL) for row in rows)
    limit = 4 * _PANEL * len(rows) // condition.suite_size + _PANEL
    source = world.market.crowd or world.source
    pool = source.place(Order(condition, 0, wanted, limit, None))
    task: list[int] = []
    label: list[int] = []
    banned: set[str] = set()
    pages = list(source.collect(pool))
    for page in pages:
        banned.update(ban.annotator for ban in page.restrictions)
    for page in pages:
        for done in page.assignments:
            if done.annotator not in banned:
                task += done.tasks
                asked = world.market.question
                label += done.further[asked - 1] if asked else done.labels
    count = len(task)
    answers = Answers(
        np.array(task, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
        np.array(label, dtype=np.int64),
        np.zeros(count, dtype=np.bool_),
        np.ones(count, dtype=np.bool_),
    )
    return answer_shares(answers, rows, len(world.market.asked.classes)).dense()


def score_opinion(predicted: Floats, draws: Floats | None, observed: Shares) -> Scores:
    """The distance of predicted shares from observed ones, in the shape of a classifier's scores.

    `accuracy` is 1 minus the mean absolute error of the share (half the sum over answers), with a
    95 % interval over images and training labels; `log_loss` is the cross entropy to the shares.
    What only classifiers have is None.

    Args:
        predicted: [n, C] predicted shares on the images of `observed`.
        draws: [R, n, C] the same of refitted models, or None.
        observed: densely answered shares.
    """
    from training.evaluate import Z95, Scores

    scored = score_shares(predicted, observed)
    apart = np.abs(predicted - observed.share).sum(axis=1) / 2
    of_images = float(apart.var(ddof=1)) / len(apart) if len(apart) > 1 else 0.0
    of_labels = 0.0
    if draws is not None:
        errors = np.abs(draws - observed.share).sum(axis=2).mean(axis=1) / 2
        of_labels = float(errors.var(ddof=1))
    half, near = Z95 * (of_images + of_labels) ** 0.5, 1 - scored.error
    return Scores(
        accuracy=near,
        low=max(0.0, near - half),
        high=min(1.0, near + half),
        macro_f1=None,
        ece=None,
        log_loss=scored.log_loss,
        balanced_accuracy=None,
        per_class_recall=(),
        n=scored.items,
        image_variance=of_images,
        label_variance=of_labels,
    )

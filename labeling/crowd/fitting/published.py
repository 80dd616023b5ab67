"""The published campaign: 980 food photographs, replayed on the scenario `food-campaign`.

The scenario holds the crowd, the items and the pass rate of each exam task. This module holds the
requester's settings: three classes, overlap 3, one control task in suites of 10, $.002 a task, an
exam of ten tasks that wants all ten right. Answers that bans made unusable are not asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from budget.money import Money
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, Exam, Question
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.crowd.source import CrowdSource
from labeling.seeds import stream
from labeling.types import Condition, Floats, Ints

FOOD = Campaign(
    name="food",
    questions=(Question("class", "What does this picture show?", ("solid", "liquid", "other")),),
    instructions="Say whether the food in the picture is solid, liquid, or neither.",
    exam=Exam(tasks=10, pass_correct=10),
)
TASKS, OVERLAP, CONTROLS = 980, 3, 50
PRICE = Money(2_000)


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """Results of one simulated run of the campaign.

    Attributes:
        assignments: suites submitted, and so paid.
        reward: rewards of the annotators.
        participants: annotators who submitted at least one paid suite.
        minutes: from the opening to the last submission.
        looked: annotators who opened the pool's page.
        exam_sat: annotators who sat the exam.
        exam_right: [10] annotators who got each exam task right.
        banned: annotators banned for a control task or for fast responses.
        accuracy: share of right answers to real tasks, before aggregation.
    """

    assignments: int
    reward: Money
    participants: int
    minutes: float
    looked: int
    exam_sat: int
    exam_right: Ints
    banned: int
    accuracy: float


def run_published(seed: int, scenario: Scenario | None = None) -> PublishedRun:
    """Run the campaign once.

    Args:
        seed: seed of the annotators and the photographs.
        scenario: the crowd; None for `food-campaign`.
    """
    crowd = scenario or load_scenario("food-campaign")
    rows = TASKS + CONTROLS
    truth = stream(seed, "photographs").integers(0, len(FOOD.questions[0].classes), rows)
    items = make_items(crowd, truth, len(FOOD.questions[0].classes), seed)
    source = CrowdSource(
        crowd, FOOD, items, range(TASKS, rows), SuiteTariff(), seed, lambda condition: []
    )
    condition = Condition("food", crowd.name, FOOD.key, PRICE, 1, FOOD.suite_size, True)
    pool = source.open_pool(condition)
    pool.open(np.arange(TASKS), np.full(TASKS, OVERLAP))
    pool.advance()
    paid = pool.submitted
    answered = [pool.suites.real(suite) for suite in paid]
    right = np.concatenate([labels == truth[tasks] for tasks, labels in answered])
    return PublishedRun(
        assignments=len(paid),
        reward=condition.reward * len(paid),
        participants=len(np.unique(pool.suites.person[paid])),
        minutes=float(pool.suites.end[paid].max()) / 60,
        looked=pool.people.looked(0.0, pool.clock),
        exam_sat=len(pool.exams),
        exam_right=pool.exam_right,
        banned=len(pool.bans),
        accuracy=float(right.mean()),
    )


def exam_pass_rates(runs: list[PublishedRun]) -> Floats:
    """Share [10] of all annotators at the exam, over all runs, who got each task right."""
    right = np.sum([run.exam_right for run in runs], axis=0)
    rates: Floats = right / sum(run.exam_sat for run in runs)
    return rates

"""What a study measured, as evidence for its learning curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hpo.answer.estimates.learning_curve import REFERENCE_TASKS, Evidence, Plans, reach
from hpo.trial.model.annotator_bootstrap import redrawn_share
from hpo.trial.outcome import Outcome
from hpo.trial.world import World
from labeling.types import Floats, LabelPlan

_REFERENCE_PRICE = 0.001  # dollars a task
_OWN_LUCK = 0.5  # weight of the variance between a plan's parts against all plans' together
_USUAL_LUCK = 14.0  # c where no bootstrap was computed (measured: 10 to 17)

VALIDATION, FINAL = "validation", "final"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A plan's model, measured once.

    Attributes:
        plan: the plan.
        accuracy: share of images classified right.
        images: images that its noise is as large as on, were they classified right or wrong.
        image_set: which images: VALIDATION or FINAL.
        luck: variance of the accuracy over redrawn annotators; None where it was not computed.
        purchase: the purchase whose annotators answered; nested plans share it.
        tasks: labelled tasks behind it.
        answers: answers behind them.
        draws: trainings averaged.
        parts: disjoint parts of the labels among them: the luck of one part averages out, too.
    """

    plan: LabelPlan
    accuracy: float
    images: float
    image_set: str
    luck: float | None
    purchase: str
    tasks: int
    answers: int
    draws: int = 1
    parts: int = 1


def measurement_of(outcome: Outcome, world: World) -> Measurement:
    """A plan that was evaluated on the validation images."""
    narrowed = outcome.view is not None  # then the labels are fewer than the plan's tasks
    plan = outcome.plan
    return Measurement(
        plan,
        outcome.accuracy,
        outcome.images or len(world.data.rows["validation"]),
        VALIDATION,
        outcome.luck,
        world.condition(plan).key,
        plan.tasks if narrowed else max(1, outcome.labels),
        plan.tasks * plan.overlap if narrowed else max(1, outcome.answers),
        outcome.draws,
    )


def measured_on_final(made: Measurement, score: Mapping[str, Any]) -> Measurement:
    """The measurement of the same model on the final images.

    Args:
        made: the plan's measurement on the validation images.
        score: of `final_score`.
    """
    return replace(
        made,
        accuracy=score["accuracy"],
        images=score.get("sure_as") or score["images"],
        image_set=FINAL,
        luck=score.get("luck"),
        draws=1,
    )


def with_parts(
    measured: Sequence[Measurement],
    plan: LabelPlan,
    rows: Sequence[Mapping[str, Any]],
    has_luck: bool,
) -> list[Measurement]:
    """Measurements, with parts of a plan's labels in place of its prefixes.

    Args:
        measured: measurements, one of them of the plan.
        plan: the plan.
        rows: its parts: "images", number of "parts", mean "accuracy", and "variance" between parts.
        has_luck: whether the market would give other answers to the same order. Where it would not,
            the choice of images is all the luck there is, and parts differ by it.
    """
    whole = next((m for m in measured if m.plan == plan and m.image_set == VALIDATION), None)
    if whole is None or not rows:
        return list(measured)

    def is_prefix(m: Measurement) -> bool:
        same = (m.purchase, m.image_set) == (whole.purchase, VALIDATION)
        return same and m.plan.overlap == plan.overlap and m.plan.tasks < plan.tasks

    kept = [m for m in measured if not is_prefix(m)]
    for row in rows:
        answers = max(1, round(whole.answers * row["images"] / whole.tasks))
        # Kept as a bootstrap tells luck, which redrawn purchases have a share of.
        luck = None if has_luck else row["variance"] / float(redrawn_share(np.array(answers)))
        part = replace(whole, tasks=row["images"], answers=answers, luck=luck)
        part = replace(part, plan=replace(plan, tasks=row["images"]), accuracy=row["accuracy"])
        kept.append(replace(part, draws=row["parts"], parts=row["parts"]))
    return kept


@dataclass(frozen=True)
class Coding:
    """How plans become the numbers that the curve knows.

    Attributes:
        condition_of: the key of a plan's condition.
        suite_size: tasks per suite.
        knows_price: whether answers depend on the price.
        codes: a number for each condition that was bought in.
        answered: answers a task got in conditions of dynamic overlap.
    """

    condition_of: Callable[[LabelPlan], str]
    suite_size: int
    knows_price: bool
    codes: dict[str, int] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)

    def plans(self, plans: Sequence[LabelPlan]) -> Plans:
        """Plans as the curve sees them, when every wanted answer comes."""
        overlap = [self._overlap(plan) for plan in plans]
        return self.coded(plans, [float(plan.tasks) for plan in plans], overlap)

    def coded(
        self, plans: Sequence[LabelPlan], tasks: Sequence[float], overlap: Sequence[float]
    ) -> Plans:
        """Plans with the tasks and the answers per task that they really got."""
        n = len(plans)
        features = np.array([self._features(plan) for plan in plans]).reshape(n, 4)
        codes = [self.codes.get(self.condition_of(plan), -1) for plan in plans]
        return Plans(
            np.log(np.asarray(tasks, dtype=np.float64) / REFERENCE_TASKS),
            np.log(np.asarray(overlap, dtype=np.float64)),
            features,
            np.array(codes, dtype=np.int64),
        )

    def _overlap(self, plan: LabelPlan) -> float:
        if plan.dynamic is None:
            return float(plan.overlap)
        return self.answered.get(self.condition_of(plan), float(plan.dynamic.least))

    def _features(self, plan: LabelPlan) -> list[float]:
        price = np.log(plan.price.dollars / _REFERENCE_PRICE) if self.knows_price else 0.0
        unchecked = float(not plan.controls and not plan.exam)
        knob = float(plan.exam or plan.prelabel)  # own annotators sit no exam: never both
        return [price, unchecked, (plan.controls / self.suite_size) ** 0.5, knob]


def coding_of(measured: Sequence[Measurement], world: World) -> Coding:
    """The coding of a study's plans, given what was measured."""

    def condition_of(plan: LabelPlan) -> str:
        return world.condition(plan).key

    coding = Coding(condition_of, world.config.suite_size, world.market.kind.knows_price)
    for m in measured:
        key = condition_of(m.plan)
        coding.codes.setdefault(key, len(coding.codes))
        if m.plan.dynamic is not None:
            coding.answered[key] = m.answers / m.tasks
    return coding


def evidence_of(
    measured: Sequence[Measurement], coding: Coding, chance: float, has_luck: bool
) -> Evidence:
    """Evidence for the curve.

    Args:
        measured: measurements.
        coding: of `coding_of` these or more.
        chance: the error of guessing.
        has_luck: whether the market would give other answers to the same order.
    """
    sets: dict[str, int] = {}
    purchases: dict[str, int] = {}
    answers = np.array([m.answers for m in measured], dtype=np.int64)
    return Evidence(
        coding.coded(
            [m.plan for m in measured],
            [m.tasks for m in measured],
            [max(1.0, m.answers / m.tasks) for m in measured],
        ),
        np.array([1 - m.accuracy for m in measured]),
        np.array([m.images for m in measured], dtype=np.float64),
        np.array([sets.setdefault(m.image_set, len(sets)) for m in measured], dtype=np.int64),
        _luck(measured, chance) if has_luck else np.zeros(len(measured)),
        np.array(
            [purchases.setdefault(m.purchase, len(purchases)) for m in measured], dtype=np.int64
        ),
        answers,
        np.array([m.draws for m in measured], dtype=np.int64),
        chance,
    )


def luck_rate(measured: Sequence[Measurement], chance: float) -> float:
    """The c of the variance c / answers between purchases that all bootstraps have together.

    It is a variance of the error's log odds against guessing: of few answers the error is large,
    but it cannot vary beyond guessing. There c is the same for few answers and for many, as redrawn
    purchases show; that of the bootstraps alone is not (benchmarks.luck). A plan's own bootstrap is
    noisy, and small where luck made its error small: it would count most where it is wrong.

    Args:
        measured: measurements.
        chance: the error of guessing.
    """
    told = [m for m in measured if m.luck is not None]
    if not told:
        return _USUAL_LUCK
    count = np.array([m.answers for m in told], dtype=np.float64)
    variance = np.array([m.luck for m in told], dtype=np.float64) * redrawn_share(count)
    moves = np.array([_reach_of(m, chance) for m in told])
    # Sums: the log odds of a plan that hardly beats guessing tell little of luck.
    return float((variance * count).sum() / (moves**2).sum())


def _reach_of(measured: Measurement, chance: float) -> float:
    return float(reach(np.array(1 - measured.accuracy), chance))


def _luck(measured: Sequence[Measurement], chance: float) -> Floats:
    """[n] variance of the log odds between purchases; of parts, half of it as they differ."""
    count = np.array([m.answers for m in measured], dtype=np.float64)
    pooled = luck_rate(measured, chance) / count
    own = np.array([np.nan if m.luck is None or m.parts < 2 else m.luck for m in measured])
    own *= redrawn_share(count) / [_reach_of(m, chance) ** 2 for m in measured]
    mixed = _OWN_LUCK * own + (1 - _OWN_LUCK) * pooled
    return np.asarray(np.where(np.isnan(own), pooled, mixed) / [m.parts for m in measured])

"""All labels owned, merged over conditions: the labels, the model they give, and its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hpo.trial.evaluate import (
    FOR_ESTIMATES,
    final_score,
    labels_of,
    rounded,
    score_on,
    times_of,
)
from hpo.trial.evaluation import evaluation
from hpo.trial.labels import facts_of, narrow, to_labels
from hpo.trial.subjective import is_subjective
from hpo.trial.versions.best import label_facts, train_delivered
from hpo.trial.versions.label_versions import condition_to_plain
from hpo.trial.versions.machine.choice import choose_use
from hpo.trial.versions.owned import bought_conditions, kept_answers, merge
from hpo.trial.world import World
from labeling import versions
from labeling.aggregation.best_labels import BestLabels
from labeling.aggregation.facts import AnswerFacts
from labeling.types import Answers, AnswerTimes, Floats, LabelPlan, LabelSet


def merged_labels(
    world: World, tasks: Sequence[int], study: str | None = None
) -> tuple[LabelSet, Answers, int] | None:
    """Labels from all usable answers owned, whichever condition they were bought in.

    Answers about new images of another purchase are left out: their rows are others there.

    Args:
        world: whose store is read.
        tasks: rows that labels are wanted for.
        study: content of the study's own images, where the world's pool is another.

    Returns:
        The labels, the answers behind them and the number of conditions; None without answers.
    """
    conditions = bought_conditions(world, study)
    if not conditions:
        return None
    answers = merge([part.where(kept) for part, kept in kept_answers(conditions, world)])
    return to_labels(answers, tasks, world), answers, len(conditions)


def merged_times(world: World, study: str | None = None) -> AnswerTimes:
    """When the answers of `merged_labels` came, row by row."""
    question, parts = world.market.question, []
    conditions = bought_conditions(world, study)
    for condition, (_, kept) in zip(conditions, kept_answers(conditions, world), strict=True):
        parts.append(world.store.times(condition, question).where(kept))
    return AnswerTimes(
        np.concatenate([times.submitted_s for times in parts]),
        np.concatenate([times.seconds for times in parts]),
    )


def labels_inside_view(world: World) -> tuple[LabelSet, Answers, int] | None:
    """Labels of the pool from all usable answers owned: those inside the study's view.

    Returns:
        The labels, the answers behind them and the number of conditions; None without answers.
    """
    owned = merged_labels(world, world.pool.tolist())
    if owned is None:
        return None
    labels, answers, conditions = owned
    labels, answers = narrow(labels, answers, world.pool, partial(merged_times, world), world)
    return labels, answers, conditions


def merged_today(plan: LabelPlan, world: World) -> dict[str, Any] | None:
    """The model of all usable answers owned, on the final images; None where shares are the truth.

    The confirmation's answers are among them. Called at the end, and decides nothing.

    Args:
        plan: the recommended plan, whose folds are dealt.
        world: the study's world.
    """
    owned = None if is_subjective(world) else labels_inside_view(world)
    if owned is None:
        return None
    labels, answers, conditions = owned
    made = train_delivered(plan, labels, answers, world)
    scores = score_on("final", made.trained, world)
    return {
        "conditions": conditions,
        "labelled_images": len(labels.task),
        "answers": int((~answers.control).sum()),
        **rounded(scores),
        "labels": None if made.best is None else label_facts(made.best),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Final:
    """The final labels and model.

    Attributes:
        model: content of the model's file.
        facts: what a report says of both.
    """

    model: bytes
    facts: dict[str, Any]


def make_final(plan: LabelPlan, world: World, study_pool: Sequence[int]) -> Final:
    """Merge all usable answers owned into labels, save their version, and train on them.

    Where the question is a matter of taste, the plan's own condition only: shares of people are
    not merged over conditions.

    Args:
        plan: the plan that was bought.
        world: whose store is read.
        study_pool: rows of the study's pool, labelled along with those bought now.
    """
    from training.encoder import encoder_of
    from training.saved import model_bytes

    tasks = list(dict.fromkeys([*study_pool, *world.pool.tolist()]))
    study = world.data.with_pool(study_pool).key("pool", "control")
    labels, answers, times, conditions = _labels(plan, world, tasks, study)
    inside, behind = narrow(labels, answers, tasks, times, world)
    choice = choose_use(plan, inside, behind, world)
    mixed = None if choice is None else choice.best.made
    if choice is not None and mixed is not None and choice.best.trained is not None:
        labels, trained, best = mixed.labels, choice.best.trained, None
    else:
        made = train_delivered(plan, inside, behind, world)
        best = made.best if len(inside.task) == len(labels.task) else None  # a view has no others
        trained = made.trained
    if best is not None and not answers.control.any():
        # Further answers went to the hardest images, where people agree least: by agreement alone
        # the crowd looks worse than it is.
        labels = to_labels(answers, labels.task, world, best.skill)
    combined = mixed.posterior if mixed is not None else None if best is None else best.posterior
    version = _save(plan, world, labels, answers, facts_of(answers, times(), world), best, combined)
    model = trained.model
    classes = world.market.asked.classes
    facts = {"backbone": world.features.name, "labels": version, "plan": plan.key}
    facts |= {"weights": world.features.weights_source, "study": world.config.study}
    view = {"view": world.config.view, "trained_on": len(inside.task)} if world.config.view else {}
    new = set(world.pool.tolist())
    told = {
        "labels": {
            "version": version,
            "images": len(labels.task),
            "images_wanted": len(tasks),
            "images_of_this_purchase": sum(int(task) in new for task in labels.task),
            "answers": int((~answers.control).sum()),
            "conditions": conditions,
            "quality": None if best is None else label_facts(best),
        },
        "model": {
            "target": model.target,
            "penalty": round(model.lam, 9),
            **({"temperature": round(model.temperature, 6)} if model.temperature else {}),
            "classes": list(classes),
            **view,
        },
        "final": {k: v for k, v in final_score(trained, world).items() if k not in FOR_ESTIMATES},
        "evaluation": evaluation(trained, world),
    }
    encoder = encoder_of(world.features, world.data.images)
    return Final(model_bytes(model, classes, facts, encoder), told)


def _labels(
    plan: LabelPlan, world: World, tasks: list[int], study: str
) -> tuple[LabelSet, Answers, Callable[[], AnswerTimes], int]:
    own = partial(times_of, plan, world)
    if is_subjective(world):
        return *labels_of(plan, world), own, 1
    owned = merged_labels(world, tasks, study)
    if owned is None:
        return *labels_of(plan, world), own, 0
    labels, answers, conditions = owned
    return labels, answers, partial(merged_times, world, study), conditions


def _save(
    plan: LabelPlan,
    world: World,
    labels: LabelSet,
    answers: Answers,
    facts: AnswerFacts,
    best: BestLabels | None,
    combined: Floats | None,
) -> str:
    manifest = {
        "schema": 1,
        "study": world.config.study,
        "purchase": plan.key,
        "condition": condition_to_plain(world.condition(plan)),
        "merged": not is_subjective(world),
        "images": world.data.key(),
        "classes": list(world.market.asked.classes),
        "question": world.market.asked.name,
        "aggregation": world.config.aggregation,
        **({} if best is None else {"label_quality": label_facts(best)}),
    }
    saved = versions.save(
        world.folder / "versions",
        manifest,
        labels,
        answers,
        names=world.data.images.names,
        classes=world.market.asked.classes,
        facts=facts,
        best=combined,
    )
    return saved.id

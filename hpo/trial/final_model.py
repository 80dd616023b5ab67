"""The end of it all: labels from every answer owned, and the model trained on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpo.trial.evaluate import Trained, labels_of, rounded, score_on, times_of, train_labels
from hpo.trial.label_versions import condition_to_plain
from hpo.trial.labels import facts_of, narrow
from hpo.trial.merged_labels import merged_labels, merged_times
from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling import versions
from labeling.aggregation.facts import AnswerFacts
from labeling.types import Answers, AnswerTimes, LabelPlan, LabelSet


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
    from training.saved import model_bytes

    tasks = list(dict.fromkeys([*study_pool, *world.pool.tolist()]))
    study = world.data.with_pool(study_pool).key("pool", "control")
    labels, answers, times, conditions = _labels(plan, world, tasks, study)
    version = _save(plan, world, labels, answers, facts_of(answers, times(), world))
    inside, behind = narrow(labels, answers, tasks, times, world)
    model, target = train_labels(plan, inside, world)
    classes = world.market.asked.classes
    facts = {"backbone": world.features.name, "labels": version, "plan": plan.key}
    facts |= {"weights": world.features.weights_source, "study": world.config.study}
    scores = score_on("final", Trained(plan, inside, behind, target, model), world)
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
        },
        "model": {
            "target": model.target,
            "penalty": round(model.lam, 9),
            "classes": list(classes),
            **view,
        },
        "final": {**rounded(scores), "images": scores.n},
    }
    return Final(model_bytes(model, classes, facts), told)


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
    plan: LabelPlan, world: World, labels: LabelSet, answers: Answers, facts: AnswerFacts
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
    }
    saved = versions.save(
        world.folder / "versions",
        manifest,
        labels,
        answers,
        names=world.data.images.names,
        classes=world.market.asked.classes,
        facts=facts,
    )
    return saved.id

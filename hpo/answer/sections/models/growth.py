"""How accuracy grows with labels: models of parts of them, for more images than the pool has.

The smaller plans of a condition are prefixes of its images: each is one draw of images, and one
draw blurs the slope that a forecast for five times the images hangs on. Disjoint parts of the same
labels give that slope again and again, and cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.plan_in_words import counted
from hpo.answer.sections.final import state_of
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import percent

if TYPE_CHECKING:
    from hpo.trial.model.trained import Trained
    from hpo.trial.world import World
    from labeling.types import Ints, LabelPlan

_SHARES = (2, 4, 8, 16)  # one part in so many
_FEWEST, _MOST_PARTS = 20, 8  # images of a part; parts of one size
_DIGITS = 6


def _largest(findings: Findings) -> LabelPlan | None:
    """The evaluated plan of the most tasks, by the fewest answers: more images continue it."""
    plans = [plan for plan in findings.advisor.evaluated if plan.dynamic is None]
    if findings.advisor.campaign is None or not plans:
        return None
    return min(plans, key=lambda plan: (-plan.tasks, plan.overlap, plan.key))


def _keys(findings: Findings) -> Sequence[str]:
    from hpo.trial.subjective import is_subjective

    plan = None if is_subjective(findings.own) else _largest(findings)
    return [] if plan is None or not findings.has_stopped else [state_of(plan, findings.own)]


def _measure(findings: Findings, key: str) -> Any:
    plan = _largest(findings)
    assert plan is not None  # noqa: S101 - else there is no key
    return parts_of(plan, findings.own)


def parts_of(plan: LabelPlan, world: World) -> list[dict[str, Any]]:
    """Accuracies of models of disjoint parts of a plan's labels, on the validation images.

    Args:
        plan: an owned plan.
        world: the study's world.

    Returns:
        A row for each size of a part: images, number of parts, mean accuracy, and the variance of
        the accuracy between parts.
    """
    import numpy as np

    from hpo.trial.evaluate import fit_plan
    from labeling.seeds import generator

    whole = fit_plan(plan, world)
    rng = generator(world.config.seed, "parts", plan.key)
    rows = []
    for share in _SHARES:
        size = len(whole.labels.task) // share
        if size < _FEWEST:
            break
        order = rng.permutation(len(whole.labels.task))
        parts = [order[at * size :][:size] for at in range(min(share, _MOST_PARTS))]
        right = [_accuracy(whole, part, world) for part in parts]
        rows.append(
            {
                "images": size,
                "parts": len(parts),
                "accuracy": round(float(np.mean(right)), _DIGITS),
                "variance": round(float(np.var(right, ddof=1)), 2 * _DIGITS),
            }
        )
    return rows


def _accuracy(whole: Trained, part: Ints, world: World) -> float:
    import numpy as np

    from hpo.trial.evaluate import score_on, train_calibrated

    labels = whole.labels.where(np.isin(np.arange(len(whole.labels.task)), part))
    answers = whole.answers.where(whole.answers.control | np.isin(whole.answers.task, labels.task))
    return score_on(
        "validation", train_calibrated(whole.plan, labels, answers, world), world, redraws=0
    ).accuracy


def _tell(findings: Findings, report: Report) -> Report:
    plan = _largest(findings) if findings.has_stopped else None
    rows = [] if plan is None else findings.kept(GROWTH.name).get(state_of(plan, findings.own), [])
    told = [{name: row[name] for name in ("images", "parts", "accuracy")} for row in rows]
    return {**report, "growth": told}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    rows = report.get("growth")  # reports of earlier versions have none
    if not rows:
        return []
    said = [
        f"{percent(r['accuracy'])} from {counted(r['images'], 'image')}" for r in reversed(rows)
    ]
    return [f"Models of parts of these labels give {', '.join(said)} (validation images)."]


GROWTH = Section(
    "growth",
    "training on parts of the labels, to see how accuracy grows",
    _keys,
    _measure,
    _tell,
    _sentences,
)

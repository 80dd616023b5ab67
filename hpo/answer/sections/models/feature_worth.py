"""What pretrained features are worth: the same labels, with features that need no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import percent

if TYPE_CHECKING:
    from hpo.trial.world import World
    from labeling.types import Floats, LabelPlan

_DIGITS = 6


def _keys(findings: Findings) -> Sequence[str]:
    """The labels owned, by the number of orders; nothing before the end."""
    from hpo.trial.subjective import is_subjective
    from training.features import WEAK

    world = findings.own
    is_due = findings.best is not None and findings.has_stopped and not is_subjective(world)
    has_weights = is_due and world.features.name not in WEAK and bool(world.features.image_size)
    return [_key(findings)] if has_weights else []


def _key(findings: Findings) -> str:
    return str(len(findings.own.store.all_orders()))


def _measure(findings: Findings, key: str) -> Any:
    assert findings.best is not None  # noqa: S101 - else there is no key
    return feature_worth(findings.best.plan, findings.own)


def feature_worth(plan: LabelPlan, world: World) -> dict[str, Any] | None:
    """Accuracy of one set of labels with the study's features and with features without weights.

    Both are measured on the final images.

    Args:
        plan: seeds the folds.
        world: the study's world, whose features come from a model with weights.

    Returns:
        Both accuracies and their difference with its paired interval; None without labels.
    """
    from hpo.settings.run_folder import runs_of
    from hpo.trial.truth.bought import measured_codes, measured_rows
    from hpo.trial.world import Computed, features_without_weights
    from labeling.seeds import generator
    from training.evaluate import paired_difference

    runs = runs_of(world.folder)
    weak = world.but(computed=Computed(lambda: features_without_weights(world.data, runs)))
    ours, theirs = _on_final(plan, world), _on_final(plan, weak)
    if ours is None or theirs is None:
        return None
    truth = measured_codes(measured_rows("final", world), world)
    rng = generator(world.config.seed, "feature worth", plan.key)
    gain, low, high = paired_difference(ours, theirs, truth, rng)
    right = [float((said.argmax(axis=1) == truth).mean()) for said in (ours, theirs)]
    return {
        **world.features.facts,
        "accuracy": round(right[0], _DIGITS),
        "instead_of": weak.features.name,
        "accuracy_instead": round(right[1], _DIGITS),
        "gain": round(gain, _DIGITS),
        "interval_95": [round(low, _DIGITS), round(high, _DIGITS)],
    }


def _on_final(plan: LabelPlan, world: World) -> Floats | None:
    """What the model of all labels owned predicts for the final images; None without labels."""
    from hpo.trial.truth.bought import measured_rows
    from hpo.trial.versions.best import train_delivered
    from hpo.trial.versions.merged_labels import labels_inside_view

    owned = labels_inside_view(world) if len(world.data.rows["final"]) else None
    if owned is None:
        return None
    rows = measured_rows("final", world)
    labels, answers, _ = owned
    made = train_delivered(plan, labels, answers, world)
    return made.trained.model.predict(world.features.values[rows])


def _tell(findings: Findings, report: Report) -> Report:
    kept = findings.kept(FEATURE_WORTH.name) if findings.has_stopped else {}
    return {**report, "features": kept.get(_key(findings))}


def worth_line(told: Mapping[str, Any]) -> str:
    """The gain in words."""
    low, high = (100 * bound for bound in told["interval_95"])
    return (
        f"What the features of {told['backbone']} are worth: the same labels give "
        f"{percent(told['accuracy'])}, and {percent(told['accuracy_instead'])} with "
        f"{told['instead_of']} features, {100 * told['gain']:+.1f} points (95 % interval "
        f"{low:+.1f} to {high:+.1f})."
    )


def _sentences(report: Mapping[str, Any]) -> list[str]:
    told = report.get("features")  # reports of earlier versions have none
    return [worth_line(told)] if told else []


FEATURE_WORTH = Section(
    "feature_worth",
    "training on features without weights",
    _keys,
    _measure,
    _tell,
    _sentences,
)

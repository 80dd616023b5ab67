"""What is behind a model's accuracy: which classes it confuses, and where it errs most."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpo.trial.labels import aggregator_fit
from hpo.trial.model.trained import Trained
from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling.types import Floats, Ints

WORST = 20
"""Images of each list of the worst."""
_DIGITS = 6


def evaluation(trained: Trained, world: World) -> dict[str, Any] | None:
    """A model on the final images with a known class, and the labels that it agrees least with.

    Called at the end, and decides nothing. True classes of the pool stand beside its labels where
    they are known.

    Args:
        trained: the model and its labels.
        world: the study's world.

    Returns:
        JSON types; None for a question of taste, or where no final image has a known class.
    """
    from training.evaluate import details

    rows = world.data.rows["final"]
    rows = rows[world.data.known[rows]]
    if is_subjective(world) or not len(rows):
        return None
    p = trained.model.predict(world.features.values[rows])
    truth = world.data.truth[rows]
    behind = details(p, truth)
    classes = world.market.asked.classes
    worst = _largest(behind.losses)
    return {
        "images": len(rows),
        "confusion": behind.confusion.tolist(),
        "per_class": [
            {
                "class": name,
                "images": int(row.sum()),
                "recall": _share(int(row[code]), int(row.sum())),
                "said": int(behind.confusion[:, code].sum()),
                "precision": _share(int(row[code]), int(behind.confusion[:, code].sum())),
            }
            for code, (name, row) in enumerate(zip(classes, behind.confusion, strict=True))
        ],
        "brier": round(behind.brier, _DIGITS),
        "reliability": [
            {
                "images": part.images,
                "confidence": round(part.confidence, _DIGITS),
                "accuracy": round(part.accuracy, _DIGITS),
            }
            for part in behind.reliability
        ],
        "worst_images": [
            {
                "image": world.data.images.names[rows[at]],
                "true": classes[truth[at]],
                "said": classes[int(p[at].argmax())],
                "probability": round(float(p[at].max()), _DIGITS),
                "loss": round(float(behind.losses[at]), _DIGITS),
            }
            for at in worst
        ],
        "worst_labels": _worst_labels(trained, world),
        **_aggregator(trained, world),
    }


def _aggregator(trained: Trained, world: World) -> dict[str, Any]:
    """Which aggregator the study chose for the labels, and why; nothing where it did not choose."""
    fit = aggregator_fit(trained.labels, trained.answers, world)
    if fit is None:
        return {}
    each = {name: round(value, _DIGITS) for name, value in fit.each.items()}
    return {"aggregator": {"chosen": fit.best, "answers": fit.answers, "fits": each}}


def _worst_labels(trained: Trained, world: World) -> list[dict[str, Any]]:
    """Labelled images whose bought label the model finds least probable."""
    labels, classes, truth = trained.labels, world.market.asked.classes, world.data.truth
    if not len(labels.task):
        return []
    bought = labels.posterior.argmax(axis=1)
    p = trained.model.predict(world.features.values[labels.task])
    losses = -np.log(np.maximum(p[np.arange(len(p)), bought], 1e-15))
    return [
        {
            "image": world.data.images.names[labels.task[at]],
            "bought": classes[bought[at]],
            "said": classes[int(p[at].argmax())],
            "probability": round(float(p[at].max()), _DIGITS),
            "true": classes[known] if (known := int(truth[labels.task[at]])) >= 0 else None,
            "loss": round(float(losses[at]), _DIGITS),
        }
        for at in _largest(losses)
    ]


def _largest(losses: Floats) -> Ints:
    """Rows of the largest losses; those that no report tells apart are in their order."""
    order: Ints = np.argsort(-np.round(losses, _DIGITS), kind="stable")
    return order[:WORST]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, _DIGITS) if whole else None

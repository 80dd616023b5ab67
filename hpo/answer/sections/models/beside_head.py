"""A network trained on the labels of a head, measured beside the head on the same images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo.trial.evaluate import rounded
from hpo.trial.model.trained import Trained
from hpo.trial.world import World
from labeling.seeds import derive
from labeling.types import Floats

if TYPE_CHECKING:
    from training.networks.finetuning import HeadStart, Say
    from training.networks.recipes import Recipe

FOLDER = "network"
"""Folder in a study's folder that holds the checkpoint of a network in training."""


def recipe_of(world: World) -> Recipe:
    """How a study's networks are trained: its backbone fine-tuned, or a small one from scratch."""
    from training.networks.recipes import FROM_SCRATCH, fine_tuned
    from training.weights.sources import find_weights

    features = world.features
    if not features.weights_hash:
        return FROM_SCRATCH
    file = world.config.backbone_file
    weights = find_weights(features.name, Path(file) if file else None)
    return fine_tuned(features.name, weights, features.image_size)


def start_of(trained: Trained, world: World) -> HeadStart | None:
    """The head that a pretrained network starts as; None where it trains from scratch."""
    from training.networks.finetuning import HeadStart

    if not world.features.weights_hash:
        return None
    return HeadStart(trained.model, world.features.values[trained.labels.task])


def network_beside_head(trained: Trained, world: World, say: Say | None = None) -> dict[str, Any]:
    """Train a network on a head's labels; both on the validation images.

    Args:
        trained: the head, and what it was trained on.
        world: the study's world.
        say: told (passes made, most passes) after each pass.

    Returns:
        The network's name, the number of labels, and each model's accuracy with its interval;
        "right" says which images a model gets right, as a text of 0 and 1.
    """
    from hpo.trial.truth.bought import measured_codes, measured_rows
    from training.evaluate import score
    from training.networks.finetuning import train_network

    recipe = recipe_of(world)
    rows = measured_rows("validation", world)
    folder = world.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    result = train_network(
        world.data.images,
        trained.labels.task,
        trained.target,
        trained.weights,
        rows,
        recipe,
        derive(world.config.seed, "network") % 2**32,
        start=start_of(trained, world),
        checkpoint=folder / "checkpoint.pt",
        say=say,
    )
    folder.rmdir()
    head = trained.model.predict(world.features.values[rows])
    truth = measured_codes(rows, world)
    return {
        "name": recipe.name,
        "labels": len(trained.labels.task),
        "head": {**rounded(score(head, truth)), "right": _right(head, truth)},
        "network": {
            **rounded(score(result.probabilities, truth)),
            "right": _right(result.probabilities, truth),
        },
    }


def _right(probabilities: Floats, truth: np.typing.NDArray[np.int64]) -> str:
    return "".join("1" if hit else "0" for hit in probabilities.argmax(axis=1) == truth)


def difference(more: str, less: str) -> dict[str, Any]:
    """Accuracy of one model minus another on the same images, in points, with its 95 % interval.

    Args:
        more: which images one model gets right, as a text of 0 and 1.
        less: which images the other gets right.
    """
    from hpo.answer.advice.advisor import gain_to_plain
    from hpo.answer.estimates.plan_estimates import Gain
    from training.evaluate import Z95

    gain = np.array([int(a) - int(b) for a, b in zip(more, less, strict=True)], dtype=np.float64)
    half = Z95 * float(gain.std(ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else 1.0
    mean = float(gain.mean())
    return gain_to_plain(Gain(mean, mean - half, mean + half))

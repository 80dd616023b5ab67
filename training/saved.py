"""A fitted classifier as one file, which works without the study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from budget.errors import InputError
from training.fit import Model


@dataclass(frozen=True, slots=True, eq=False)
class SavedModel:
    """A classifier, its class names and its facts.

    Attributes:
        model: predicts from features.
        classes: name of each class, in the order of the predictions.
        facts: texts stored in the file: backbone, label version, ...
    """

    model: Model
    classes: tuple[str, ...]
    facts: Mapping[str, str]


def model_bytes(model: Model, classes: Sequence[str], facts: Mapping[str, str]) -> bytes:
    """A model as the content of a .safetensors file; the same model gives the same bytes.

    Args:
        model: the fitted model.
        classes: name of each class.
        facts: further texts to store, such as the backbone of the features.
    """
    from safetensors.numpy import save

    plain = {name: getattr(model, name) for name in _PLAIN}
    text = json.dumps({"model": plain, "classes": list(classes), "facts": dict(facts)})
    tensors = {name: np.ascontiguousarray(getattr(model, name)) for name in _TENSORS}
    # safetensors writes several entries of metadata in no fixed order: one entry holds all.
    return bytes(save(tensors, {"labelworth": text}))


_TENSORS = ("weights", "mean", "scale")
_PLAIN = ("target", "lam", "floor", "rows", "temperature")


def load_model(path: Path) -> SavedModel:
    """Read a saved model.

    Raises:
        InputError: the file cannot be read, or holds no model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            said = json.loads(file.metadata()["labelworth"])
            tensors = {name: file.get_tensor(name) for name in _TENSORS}
        model = Model(**tensors, **said["model"], table=(), grad_norm=0.0, iterations=0)
        return SavedModel(model, tuple(said["classes"]), said["facts"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: no model saved by labelworth ({error})") from None

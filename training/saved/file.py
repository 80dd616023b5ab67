"""One safetensors file with everything that labels a new image, but a backbone's own weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from budget.files import regular
from budget.toml import parse_json
from training.encoder import Encoder
from training.fit import Model
from training.saved.model import SavedModel

FORMAT = 2
"""2 added the way from an image to its features."""
_TENSORS = ("weights", "mean", "scale")
_PLAIN = ("target", "lam", "floor", "rows", "temperature")
_FILTERS = "filters"
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")


def model_bytes(
    model: Model,
    classes: Sequence[str],
    facts: Mapping[str, str],
    encoder: Encoder | None = None,
) -> bytes:
    """A model as the content of a .safetensors file; the same model gives the same bytes.

    Args:
        model: the fitted model.
        classes: name of each class.
        facts: further texts to store, such as the label version.
        encoder: how images become the model's features; None where it gets features only.
    """
    from safetensors.numpy import save

    plain = {name: getattr(model, name) for name in _PLAIN}
    said: dict[str, Any] = {"format": FORMAT, "model": plain, "classes": list(classes)}
    said["encoder"] = None if encoder is None else encoder.to_plain()
    tensors = {name: np.ascontiguousarray(getattr(model, name)) for name in _TENSORS}
    if encoder is not None and encoder.filters is not None:
        tensors[_FILTERS] = np.ascontiguousarray(encoder.filters.packed())
    # safetensors writes several entries of metadata in no fixed order: one entry holds all.
    return bytes(save(tensors, {"labelworth": json.dumps({**said, "facts": dict(facts)})}))


def load_model(path: str | Path) -> SavedModel:
    """Read a saved model.

    Args:
        path: a file that a study, or `labelworth train`, wrote.

    Raises:
        InputError: the file cannot be read, runs code, or holds no model.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(path)
    if path.suffix.lower() in _PICKLES:
        raise InputError(
            f"{path}: files of this kind run code when they are read; give a .safetensors file "
            "that labelworth wrote"
        )
    try:
        content = regular(path).read_bytes()
        said = parse_json(_metadata(content)["labelworth"])
        model, filters = _model(said["model"], load(content))
        classes = tuple(str(name) for name in said["classes"])
        encoder = said.get("encoder")
        if len(classes) != model.weights.shape[1]:
            raise ValueError(f"{len(classes)} classes, but weights of {model.weights.shape[1]}")
        made = None if encoder is None else Encoder.from_plain(encoder, filters)
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        return SavedModel(model, classes, said["facts"], made, digest, path.name)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: no model saved by labelworth ({error})") from None


def _metadata(content: bytes) -> dict[str, str]:
    """The texts in a safetensors file: its first 8 bytes say how long the JSON before them is."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= len(content) - 8:
        raise ValueError("not a safetensors file")
    header = parse_json(content[8 : 8 + length])
    metadata: dict[str, str] = header["__metadata__"]
    return metadata


def _model(
    plain: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> tuple[Model, NDArray[np.float32] | None]:
    """The model and the packed filters, if the file holds some."""
    weights, mean, scale = (np.asarray(tensors[name], dtype=np.float64) for name in _TENSORS)
    fits = weights.ndim == 2 and mean.shape == scale.shape == (len(weights) - 1,)
    if not fits or not all(np.isfinite(tensor).all() for tensor in (weights, mean, scale)):
        raise ValueError("its tensors do not fit each other, or are not finite")
    given = {name: plain[name] for name in _PLAIN if name in plain}
    model = Model(weights, mean, scale, **given, table=(), grad_norm=0.0, iterations=0)
    filters = tensors.get(_FILTERS)
    return model, None if filters is None else np.asarray(filters, dtype=np.float32)

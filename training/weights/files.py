"""Files of weights: their hash, their tensors, and the facts that a converted file carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.toml import parse_json

State = dict[str, Any]
"""Tensors by name, in the order of the file."""

_PARTS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Names under which training scripts keep the tensors of a checkpoint, the better ones first."""
_FACTS = "labelworth weights"


@dataclass(frozen=True, slots=True)
class Made:
    """For which model a file of weights was made.

    Attributes:
        model: timm name.
        mean, std: [3] normalisation of pixels in 0..1.
        size: side of the pictures in pixels that the weights were made with.
        of: hex blake2b of the file that was converted; "" where none was.
    """

    model: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    of: str = ""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """Weights on disk.

    Attributes:
        path: the file.
        source: "file:NAME", "local-dir:NAME", "package:NAME VERSION" or "hub:REPOSITORY"; without
            folders, because reports show it.
        hash: hex blake2b of the file.
        made: for which model, where the file or its source says it.
        sha256: the file's only right content, where it is known in advance.
    """

    path: Path
    source: str
    hash: str
    made: Made | None = None
    sha256: str = ""


def file_hash(path: Path) -> str:
    """Hex blake2b of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def read_tensors(weights: WeightsFile) -> State:
    """The tensors of a file of weights.

    Raises:
        InputError: the file cannot be read, or is not the one that it should be.
    """
    if weights.path.suffix == ".safetensors":
        return _read_safe(weights.path)
    if weights.sha256:
        with weights.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != weights.sha256:
                raise InputError(f"{weights.source}: its file is damaged; install it again")
    return read_checkpoint(weights.path)


def read_checkpoint(path: Path) -> State:
    """The tensors of a PyTorch checkpoint or a safetensors file; nothing of it is run.

    Raises:
        InputError: the file cannot be read, or holds other things than tensors.
    """
    import pickle
    import warnings

    import torch

    if path.suffix == ".safetensors":
        return _read_safe(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other pickle protocols: they are read, or refused
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError):
        raise InputError(
            f"{path.name}: not a PyTorch checkpoint of plain tensors; a file that needs code to "
            "be read is refused"
        ) from None
    for part in _PARTS:
        if isinstance(content, Mapping) and isinstance(content.get(part), Mapping):
            content = content[part]
            break
    tensors = dict(content) if isinstance(content, Mapping) else {}
    others = [str(name) for name, value in tensors.items() if not torch.is_tensor(value)]
    if not tensors or others:
        what = f"its entry {others[0]} is no tensor" if others else "it holds no named tensors"
        raise InputError(f"{path.name}: not a checkpoint of one model: {what}")
    return tensors


def _read_safe(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path.name}: not a readable safetensors file ({error})") from None


def read_made(path: Path) -> Made | None:
    """What a converted file says of itself; None for a file from elsewhere."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            said = (file.metadata() or {}).get(_FACTS)
    except (SafetensorError, OSError, ValueError):
        return None  # reading its tensors tells what is wrong
    if said is None:
        return None
    try:
        facts = parse_json(said)
        mean, std = (tuple(float(v) for v in facts[name]) for name in ("mean", "std"))
        return Made(str(facts["model"]), mean, std, int(facts["size"]), str(facts["of"]))
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path.name}: what it says of its model is damaged") from None


def weights_bytes(state: State, made: Made) -> bytes:
    """Tensors as the content of a safetensors file; equal tensors give equal bytes."""
    from safetensors.torch import save

    facts = {
        "model": made.model,
        "mean": made.mean,
        "std": made.std,
        "size": made.size,
        "of": made.of,
    }
    tensors = {name: value.detach().contiguous() for name, value in state.items()}
    return bytes(save(tensors, {_FACTS: json.dumps(facts)}))

"""A frozen timm model as feature extractor, with a guard on its weights.

When the keys of a checkpoint do not match, timm only warns and leaves random weights, which are
worse than raw pixels. So this module reads the weights itself. The file is safetensors, holds every
weight of the model with equal shape, and holds nothing else except a classifier.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from training.images import ImageIndex, read_batch

WAYS_OUT = "give --backbone-file FILE.safetensors or take --backbone patch"
PROBE_SECONDS = 10.0  # limit for the hub's first answer
FETCH_SECONDS = 600.0  # limit for the download after that answer
BATCH = 64


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """Weights on disk.

    Attributes:
        path: the file.
        source: "file:NAME" or "hub:REPOSITORY"; without folders, because reports show it.
        hash: hex blake2b of the file.
    """

    path: Path
    source: str
    hash: str


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A model ready to embed.

    Attributes:
        model: the torch module in evaluation mode. device: the torch device that holds it.
        size: side of its input in pixels. mean, std: [3] normalisation of pixels in 0..1.
        dim: features per image, measured on a blank image.
    """

    model: Any
    device: str
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int


def find_weights(name: str, file: Path | None) -> WeightsFile:
    """Find a timm model's weights: the given file, else the Hugging Face cache, else the hub.

    Args:
        name: timm model name, such as "resnet18.a1_in1k".
        file: safetensors file, or None.

    Returns:
        The weights file, not yet opened.

    Raises:
        InputError: unknown model name, missing file, another format, or weights that are neither
            cached nor fetched.
    """
    if file is not None:
        if not file.is_file():
            raise InputError(f"--backbone-file {file}: no such file")
        if file.suffix != ".safetensors":
            raise InputError(
                f"--backbone-file {file}: only .safetensors is read: other formats run code"
            )
        return WeightsFile(file, f"file:{file.name}", _file_hash(file))
    repository = _hub_repository(name)
    path = _cached(repository) or _download(name, repository)
    return WeightsFile(path, f"hub:{repository}", _file_hash(path))


def load_backbone(name: str, weights: WeightsFile) -> Backbone:
    """Build the model and load its weights: all of them, or an error.

    Args:
        name: timm model name.
        weights: the result of `find_weights`.

    Returns:
        The model in evaluation mode, on the GPU if torch has CUDA.

    Raises:
        InputError: unknown model, or weights that do not fit it; the message names the first key.
    """
    import torch

    timm = _timm()
    _check_name(name)
    model = timm.create_model(name, pretrained=False, num_classes=0)
    _load_weights(model, weights.path, name)
    model.eval().requires_grad_(False)
    config = timm.data.resolve_model_data_config(model)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    size = int(config["input_size"][-1])
    with torch.inference_mode():
        dim = int(model(torch.zeros(1, 3, size, size, device=device)).shape[1])
    return Backbone(model, device, size, tuple(config["mean"]), tuple(config["std"]), dim)


def embed(backbone: Backbone, index: ImageIndex) -> NDArray[np.float32]:
    """Features of all images.

    Args:
        backbone: the model.
        index: n images; they are squashed to the model's square input.

    Returns:
        [n, backbone.dim].
    """
    import torch

    mean = torch.tensor(backbone.mean, device=backbone.device).view(3, 1, 1)
    std = torch.tensor(backbone.std, device=backbone.device).view(3, 1, 1)
    values = np.empty((len(index), backbone.dim), dtype=np.float32)
    with torch.inference_mode():
        for first in range(0, len(index), BATCH):
            rows = np.arange(first, min(first + BATCH, len(index)))
            pixels = torch.from_numpy(read_batch(index, rows, backbone.size))
            x = pixels.to(backbone.device).permute(0, 3, 1, 2).float() / 255
            values[rows] = backbone.model((x - mean) / std).float().cpu().numpy()
    if not np.isfinite(values).all():
        raise InputError("the backbone's features are not finite: its weights are damaged")
    return values


def _timm() -> Any:
    try:
        import timm
        import timm.data
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision without its operators
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"timm cannot be imported ({first}): install torch and torchvision of one release from "
            "one index, or take --backbone patch"
        ) from None
    return timm


def _check_name(name: str) -> None:
    """Refuse a name that timm does not know; the message lists the nearest names."""
    timm = _timm()
    architectures = timm.list_models()
    if name in architectures:
        return
    tagged = timm.list_models(pretrained=True)
    if name in tagged:
        return
    names = [*architectures, *tagged, "pixels", "patch", "auto"]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f": did you mean {', '.join(near)}?" if near else "; see timm.list_models()"
    raise InputError(f"unknown backbone {name!r}{hint}")


def _load_weights(model: Any, path: Path, name: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path.name}: not a readable safetensors file ({error})") from None
    wanted = model.state_dict()
    for key, value in wanted.items():
        if key.endswith("num_batches_tracked"):
            continue  # a counter of training steps that evaluation does not read
        if key not in state:
            raise InputError(f"{path.name} does not fit {name}: {key} is missing")
        if state[key].shape != value.shape:
            raise InputError(
                f"{path.name} does not fit {name}: {key} is {tuple(state[key].shape)}, "
                f"expected {tuple(value.shape)}"
            )
    classifiers = _classifiers(model)
    for key in state:
        if key not in wanted and not key.startswith(classifiers):
            raise InputError(f"{path.name} does not fit {name}: it also holds {key}")
    model.load_state_dict({k: state.get(k, v) for k, v in wanted.items()}, strict=True)


def _classifiers(model: Any) -> tuple[str, ...]:
    """Key prefixes of the layers that num_classes=0 leaves out of the model."""
    named = model.pretrained_cfg.get("classifier") or ()
    names: Iterable[str] = (named,) if isinstance(named, str) else named
    return tuple(f"{name}." for name in names)


def _hub_repository(name: str) -> str:
    timm = _timm()
    _check_name(name)
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise InputError(f"{name} has no weights on the hub: {WAYS_OUT}")
    hub = str(config.hf_hub_id)
    return f"{hub}{config.architecture}.{config.tag}" if hub.endswith("/") else hub


def _cached(repository: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, "model.safetensors")
    return Path(path) if isinstance(path, str) else None


def _download(name: str, repository: str) -> Path:
    """Fetch the weights, in one attempt.

    A process of its own has a time limit; the hub's client in this process retries for a minute.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise InputError(
            f"weights of {name} are not in the cache and HF_HUB_OFFLINE is set: {WAYS_OUT}"
        )
    probe = "import sys, huggingface_hub as h; h.HfApi().model_info(sys.argv[1])"
    fetch = "import sys, huggingface_hub as h; h.hf_hub_download(sys.argv[1], 'model.safetensors')"
    for code, seconds in ((probe, PROBE_SECONDS), (fetch, FETCH_SECONDS)):
        command = [sys.executable, "-c", code, repository]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=seconds)  # noqa: S603
        except (subprocess.SubprocessError, OSError):
            raise InputError(
                f"weights of {name} are not in the cache and the hub cannot be reached: {WAYS_OUT}"
            ) from None
    path = _cached(repository)
    if path is None:
        raise InputError(f"weights of {name} were fetched but are not in the cache: {WAYS_OUT}")
    return path


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

"""A frozen timm model as feature extractor."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from training.images import ImageIndex, read_batch
from training.threads import torch_threads, usable_cores
from training.weights.files import WeightsFile, read_tensors
from training.weights.fitting import exact, renamed
from training.weights.names import architecture_of, check_name, create, import_timm
from training.weights.sources import LOCAL_DIR, find_weights
from training.weights.variants import check_variant, named_variant

__all__ = ["Backbone", "WeightsFile", "embed", "find_weights", "input_side", "load_backbone"]

BATCHES = {"cpu": 16, "mps": 64, "cuda": 128}
"""Images at once. On processors larger batches leave the cache: an image of 64 takes half as
long again.

Numbers are float32 everywhere. bfloat16 is 1.4 times as fast on processors that have it, but gives
other features (cosine .998) and is slow on all others: a model would not know its images again."""
SMALL = 64
"""Longest side of photos that a model sees at `SMALL_SIDE`, and not at its own size."""
SMALL_SIDE = 128
"""EfficientNet-Lite0 on photos of 32 pixels, 1,000 labels of people: accuracy 57.0 % at 64 pixels,
64.3 % at 96, 66.1 % at 128 (benchmarks/results/features.txt)."""


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A model ready to embed.

    Attributes:
        model: the torch module in evaluation mode.
        device: the torch device that holds it.
        size: side of its input in pixels.
        mean, std: [3] normalisation of pixels in 0..1.
        dim: features per image, measured on a blank image.
    """

    model: Any
    device: str
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dim: int


def input_side(name: str, weights: WeightsFile, longest: int, wanted: int | None = None) -> int:
    """The side of a model's input in pixels, without loading the model.

    Args:
        name: timm model name.
        weights: the result of `find_weights`.
        longest: longest side of any image.
        wanted: the side that the user wants; None for the model's own, or a smaller one where the
            photos are small and the model takes any.
    """
    if wanted is not None:
        return wanted
    if weights.made is not None and weights.sha256:  # a package's model takes any size
        own, is_fixed = weights.made.size, False
    else:
        check_name(_model_name(name, weights))
        config = import_timm().get_pretrained_cfg(_model_name(name, weights))
        own = weights.made.size if weights.made else named_variant(name).size
        is_fixed = bool(config is None or config.fixed_input_size)
    return own if is_fixed or longest > SMALL else min(own, SMALL_SIDE)


def load_backbone(name: str, weights: WeightsFile, size: int | None = None) -> Backbone:
    """Build the model and load its weights: all of them, or an error.

    Args:
        name: timm model name, or "local-dir:FOLDER".
        weights: the result of `find_weights`.
        size: side of the input in pixels; None for the model's own.

    Returns:
        The model in evaluation mode, on CUDA if torch has it, else on Apple's GPU, else on the
        processor.

    Raises:
        InputError: unknown model, weights that do not fit it (the message names the first key) or
            are made for another variant of it, or a size that it does not take.
    """
    import torch

    model_name = _model_name(name, weights)
    check_name(model_name)
    model = create(architecture_of(model_name), num_classes=0)
    fit = renamed if weights.sha256 else exact  # the order in a package's file is settled
    state = fit(read_tensors(weights), model, weights.path.name, name)
    if weights.made is not None:
        mean, std, own = weights.made.mean, weights.made.std, weights.made.size
    else:
        is_named = weights.source.startswith("hub:")
        variant = named_variant(name)
        if not is_named:
            variant = check_variant(name, state, weights.path.name).variant
        mean, std, own = variant.mean, variant.std, variant.size
    model.load_state_dict(state, strict=True)
    model.eval().requires_grad_(False)
    side, device = size or own, pick_device()
    _resize(model, name, side, own)
    model.to(device, memory_format=torch.channels_last)
    dim = _dimension(model, name, side, device)
    return Backbone(model, device, side, mean, std, dim)


def pick_device() -> str:
    """The torch device to compute on: CUDA, else Apple's GPU, else the processor."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def embed(
    backbone: Backbone, index: ImageIndex, rows: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """Features of images.

    Each core takes a batch of its own, on one torch thread: the features do not depend on the
    number of cores, and other busy processes do not stall the pass.

    Args:
        backbone: the model.
        index: the images; they are squashed to the model's square input.
        rows: n rows of the index; None for all.

    Returns:
        [n, backbone.dim].

    Raises:
        InputError: the features are not finite, or an image changed since the scan.
    """
    wanted = np.arange(len(index)) if rows is None else np.asarray(rows, dtype=np.int64)
    batch = BATCHES[backbone.device]
    parts = [wanted[first : first + batch] for first in range(0, len(wanted), batch)]
    workers = usable_cores() if backbone.device == "cpu" else 1
    with torch_threads(1), ThreadPoolExecutor(workers) as pool:
        made = list(pool.map(lambda part: _embed_batch(backbone, index, part), parts))
    values = np.concatenate([np.empty((0, backbone.dim), dtype=np.float32), *made])
    if not np.isfinite(values).all():
        raise InputError("the backbone's features are not finite: its weights are damaged")
    return values


def _embed_batch(
    backbone: Backbone, index: ImageIndex, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    import torch

    mean, std = (
        torch.tensor(values, device=backbone.device).view(3, 1, 1)
        for values in (backbone.mean, backbone.std)
    )
    with torch.inference_mode():
        pixels = torch.from_numpy(read_batch(index, rows, backbone.size))
        # Images lie in memory as read, channels last: convolutions are faster so.
        x = pixels.to(backbone.device).permute(0, 3, 1, 2).float() / 255
        return np.asarray(backbone.model((x - mean) / std).float().cpu().numpy())


def _model_name(name: str, weights: WeightsFile) -> str:
    """The timm name of a backbone: a folder's export says its own."""
    is_folder = name.startswith(LOCAL_DIR)
    return weights.made.model if is_folder and weights.made is not None else name


def _resize(model: Any, name: str, side: int, own: int) -> None:
    """Let a model with a fixed input, such as a vision transformer, take another one."""
    if side == own or not hasattr(model, "set_input_size"):
        return
    try:
        model.set_input_size(img_size=side)
    except (AssertionError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(f"--image-size {side}: {name} does not take it ({error})") from None


def _dimension(model: Any, name: str, side: int, device: str) -> int:
    import torch

    with torch.inference_mode():
        try:
            return int(model(torch.zeros(1, 3, side, side, device=device)).shape[1])
        except (AssertionError, RuntimeError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise InputError(f"--image-size {side}: {name} does not take it ({first})") from None

"""Variants of a model: equal names and shapes, but another padding, epsilon or normalisation.

Weights load into each variant without an error and are good in one. timm's `tf_efficientnet_lite0`
and `efficientnet_lite0` are such a pair. A file does not say which it was made for, but its batch
normalisation does: the file keeps mean and variance of each layer's inputs as they were in
training. In the right variant photographs reproduce them best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from training.weights.files import State
from training.weights.names import architecture_of, create, import_timm, tags_of

CLEAR = 1.1
"""From this ratio of misfits on, two variants are told apart. Measured with EfficientNet-Lite0 on
the two photographs below: another padding gives 1.18, another normalisation 3.4 or more."""
_SIDE, _CROPS = 160, (240, 427)
_SOFTEN = 1e-3  # added to variances: channels that are always 0 say nothing

Channels = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A model as some weights want it.

    Attributes:
        model: timm name, the first listed of those that agree in everything here.
        mean, std: [3] normalisation of pixels in 0..1.
        size: side of the pictures in pixels that its weights were made with.
    """

    model: str
    mean: Channels
    std: Channels
    size: int

    def alike(self, other: Variant) -> bool:
        """Whether both read the same weights and pixels alike."""
        mine = (architecture_of(self.model), self.mean, self.std)
        return mine == (architecture_of(other.model), other.mean, other.std)

    @property
    def in_words(self) -> str:
        """Its name and normalisation."""
        numbers = (f"{', '.join(f'{v:g}' for v in part)}" for part in (self.mean, self.std))
        return "{} (mean {}, std {})".format(self.model, *numbers)


@dataclass(frozen=True, slots=True)
class Checked:
    """A variant that some weights were held against.

    Attributes:
        variant: as it was named.
        misfit: of the weights' own statistics in it; None where nothing had to be, or could be,
            measured.
        next_best: the variant that fits best of the others, with its misfit.
    """

    variant: Variant
    misfit: float | None = None
    next_best: tuple[Variant, float] | None = None

    @property
    def in_words(self) -> str:
        """What was found, in one line."""
        if self.misfit is None or self.next_best is None:
            return f"{self.variant.in_words}: no other variant has these shapes"
        other, misfit = self.next_best
        told = "" if misfit >= CLEAR * self.misfit else "; they cannot be told apart, yours is kept"
        return (
            f"{self.variant.in_words}: misfit of its statistics {self.misfit:.3f}, next "
            f"{other.in_words} {misfit:.3f}{told}"
        )


def named_variant(name: str) -> Variant:
    """The variant of a timm name; without a tag, that of the architecture's first weights."""
    config = import_timm().get_pretrained_cfg(name, allow_unregistered=True)
    if config is None:
        model = create(name, num_classes=0)
        config = type("Config", (), model.pretrained_cfg)
    size = int(tuple(config.input_size)[-1])
    return Variant(name, _channels(config.mean), _channels(config.std), size)


def _channels(values: Sequence[float]) -> Channels:
    return tuple(float(v) for v in values)


def variants_of(name: str) -> list[Variant]:
    """The named variant, and all others whose weights have its names and shapes."""
    mine = named_variant(name)
    found = [mine]
    for architecture in _relatives(architecture_of(name)):
        for tagged in tags_of(architecture) or [architecture]:
            other = named_variant(tagged)
            if not any(other.alike(known) for known in found):
                found.append(other)
    return found


def _relatives(architecture: str) -> list[str]:
    """An architecture, and its twin with TensorFlow's padding and epsilon, or without them."""
    known = import_timm().list_models()
    twin = architecture[3:] if architecture.startswith("tf_") else f"tf_{architecture}"
    if twin in known and _shapes(twin) == _shapes(architecture):
        return [architecture, twin]
    return [architecture]


def _shapes(name: str) -> dict[str, tuple[int, ...]]:
    import torch

    with torch.device("meta"):
        state = create(name, num_classes=0).state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}


def check_variant(name: str, state: State, file: str) -> Checked:
    """Hold weights against the variant that they are said to be made for.

    Args:
        name: timm name, with or without tag.
        state: all tensors of the model without classifier, under its names.
        file: the file's name, for errors.

    Raises:
        InputError: another variant fits clearly better, or which one is meant cannot be told.
    """
    variants = variants_of(name)
    mine = variants[0]
    if len(variants) == 1:
        return Checked(mine)
    misfits = [misfit(variant, state) for variant in variants]
    if None in misfits:
        if name == architecture_of(name):
            words = ", or ".join(v.in_words for v in variants if "." in v.model)
            raise InputError(f"{file}: weights of {name} differ in normalisation; name {words}")
        return Checked(mine)
    own, *others = [float(value or 0.0) for value in misfits]
    best = int(np.argmin(others))
    other = (variants[1 + best], others[best])
    if own >= CLEAR * others[best]:
        raise InputError(
            f"{file} is not made for {mine.in_words}: in {other[0].in_words} photographs reproduce "
            f"its statistics better (misfit {other[1]:.3f}, here {own:.3f}); name that model"
        )
    return Checked(mine, own, other)


def misfit(variant: Variant, state: State) -> float | None:
    """How far photographs are from the statistics that weights keep of their training.

    The mean over all channels of all batch normalisations of the Kullback-Leibler divergence
    between the inputs' normal distribution here and the one that is kept.

    Args:
        variant: the model and its normalisation.
        state: its tensors.

    Returns:
        The misfit, at least 0; None for a model without batch normalisation.
    """
    import torch

    model = create(architecture_of(variant.model), num_classes=0)
    model.load_state_dict(state)
    layers = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    if not layers:
        return None
    parts: list[float] = []

    def compare(layer: Any, inputs: Any) -> None:
        x = inputs[0]
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3)) + _SOFTEN
        kept = layer.running_var + _SOFTEN
        ratio = (var + (mean - layer.running_mean) ** 2) / kept
        parts.append(float((ratio - 1 - torch.log(var / kept)).mean()) / 2)

    handles = [layer.register_forward_pre_hook(compare) for layer in layers]
    model.to(memory_format=torch.channels_last)
    pixels = torch.from_numpy(sample_photographs()).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in (variant.mean, variant.std))
    with torch.inference_mode():
        model((pixels - mean) / std)
    for handle in handles:
        handle.remove()
    return float(np.mean(parts))


def sample_photographs() -> NDArray[np.uint8]:
    """[n, side, side, 3] crops of the two photographs that ship with scikit-learn."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    crops = []
    for picture in load_sample_images().images:
        height, width = picture.shape[:2]
        for side in _CROPS:
            for top in sorted({0, height - side}):
                for left in sorted({0, width - side}):
                    part = Image.fromarray(picture[top : top + side, left : left + side])
                    resized = part.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
                    crops.append(np.asarray(resized, dtype=np.uint8))
    return np.stack(crops)

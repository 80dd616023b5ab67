"""Networks as modules: a pretrained model below the head on its features, or a small network.

A last layer of random weights distorts good features before it has learned to read them, and the
network ends below the head (Kumar et al., "Fine-Tuning can Distort Pretrained Features and
Underperform Out-of-Distribution", ICLR 2022). So the last layer of a pretrained model starts as the
head that was fitted on the frozen features: before the first step, the network is that head.
Layers far below it learn slowly or not at all, and batch normalisation keeps its statistics: those
of small batches are others than those by which the network then predicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.fit import Model
from training.networks.recipes import Recipe

Floats = NDArray[np.float64]

_SIDE, _TINY_SIDE, _WIDTH = 32, 16, 32
_WEIGHT_DECAY = 0.02
_LAYER_DECAY = 0.75  # a layer's learning rate over that of the layer above it
_STILL = 0.05  # layers whose rate falls below this share of the largest stay as they are
_HEAD_RATE = 0.1  # the head is trained already: its rate over that of the layer below it


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A module and how it takes images.

    Attributes:
        module: pixels to logits. device: that holds it.
        size: side of its input in pixels. mean, std: [3, 1, 1] normalisation of pixels in 0..1.
        is_pretrained: whether its last layer is on a pretrained model.
    """

    module: Any
    device: str
    size: int
    mean: Any
    std: Any
    is_pretrained: bool

    def logits(self, pixels: NDArray[np.uint8]) -> Any:
        """[n, C] of pixels [n, size, size, 3]."""
        import torch

        x = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 255
        with torch.autocast(self.device, torch.bfloat16, enabled=_is_bf16_fast(self.device)):
            return self.module((x - self.mean) / self.std)

    def to_training(self) -> None:
        """Switch the module to training; a pretrained one keeps its batch statistics."""
        from torch.nn.modules.batchnorm import _BatchNorm

        self.module.train()
        if self.is_pretrained:
            for layer in self.module.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()

    def optimiser(self, rate: float) -> Any:
        """AdamW; each layer of a pretrained model has a learning rate of its own."""
        import timm.optim

        factory: Any = timm.optim
        if not self.is_pretrained:
            return factory.create_optimizer_v2(
                self.module, opt="adamw", lr=rate, weight_decay=_WEIGHT_DECAY
            )
        below, head = self.module
        groups = factory.param_groups_layer_decay(
            below, weight_decay=0.0, layer_decay=_LAYER_DECAY, no_opt_scale=_STILL
        )
        groups.append({"params": list(head.parameters()), "lr_scale": _HEAD_RATE})
        return factory.create_optimizer_v2(groups, opt="adamw", lr=rate, weight_decay=0.0)

    def copy(self) -> dict[str, Any]:
        """Its weights as they are now."""
        state = self.module.state_dict()
        return {name: value.detach().clone() for name, value in state.items()}


def build(recipe: Recipe, classes: int, side: int, head: Model | None) -> Network:
    """The network of a recipe, before its first step.

    Args:
        recipe: how to train.
        classes: number of classes.
        side: longest side of the images.
        head: on the frozen features of a pretrained model; None for the scratch network.
    """
    import torch
    from torch import nn

    from training.backbone import load_backbone, pick_device

    def channels(values: tuple[float, ...], device: str) -> Any:
        return torch.tensor(values, device=device).view(3, 1, 1)

    if recipe.weights is None or head is None:
        device = pick_device()
        size = _TINY_SIDE if side <= _TINY_SIDE else _SIDE
        small = _small_cnn(classes).to(device)
        mean, std = channels((0.5,) * 3, device), channels((0.25,) * 3, device)
        return Network(small, device, size, mean, std, False)
    backbone = load_backbone(recipe.name, recipe.weights, recipe.size)
    backbone.model.requires_grad_(True)
    device = backbone.device
    module = nn.Sequential(backbone.model, _last_layer(head).to(device))
    mean, std = channels(backbone.mean, device), channels(backbone.std, device)
    return Network(module, device, backbone.size, mean, std, True)


def _last_layer(head: Model) -> Any:
    """A head as a layer on features that are not standardised."""
    import torch
    from torch import nn

    slopes = head.weights[:-1] / head.scale[:, None]
    layer = nn.Linear(*slopes.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(slopes.T))
        layer.bias.copy_(torch.from_numpy(head.weights[-1] - head.mean @ slopes))
    return layer


def _small_cnn(classes: int) -> Any:
    """Three blocks of two convolutions."""
    from torch import nn

    layers: list[Any] = []
    before = 3
    for width in (_WIDTH, 2 * _WIDTH, 4 * _WIDTH):
        for inside in (before, width):
            layers += [nn.Conv2d(inside, width, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


def _is_bf16_fast(device: str) -> bool:
    """Whether training in bfloat16 is fast: on AVX-512 alone a step takes half as long again."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device == "cpu" and bool(torch.cpu._is_amx_tile_supported())

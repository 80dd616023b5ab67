"""A network trained end to end on bought labels: pretrained and fine-tuned, or small from scratch.

The study trains heads on frozen features, because a head takes milliseconds. People who train
networks may need more labels or fewer. So the plans that matter are trained once more, as a
network: AdamW, a cosine schedule, and the epoch whose loss on held-out bought labels is smallest.
Few labels cannot choose an epoch: then nothing is held out, and the last one counts.
A checkpoint after each epoch lets a killed run go on; it gives what an undisturbed run gives.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.files import write_whole
from training.images import ImageIndex, read_batch
from training.weights.files import WeightsFile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Say = Callable[[int, int], None]

SCRATCH = "small-cnn"
"""Name of the network that needs no weights."""
_SIDE, _TINY_SIDE, _WIDTH = 32, 16, 32
_HELD_OUT, _FEWEST_HELD_OUT, _MOST_HELD_OUT = 0.15, 60, 500
_IN_MEMORY = 512 * 2**20  # bytes of pixels that are kept between epochs
_SHIFT = 8  # images are moved by up to a side / 8: the only augmentation that keeps every class
_WEIGHT_DECAY = 0.02
_STEPS = 10  # the least steps of a pass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: a timm model's name, or `SCRATCH`.
        weights: the model's weights; None for the scratch network.
        size: side of the images in pixels; None for the scratch network's own.
        epochs: the most passes over the labels.
        patience: passes without a smaller held-out loss after which training stops.
        rate: largest learning rate.
        batch: images a step; fewer where there are few, so that a pass has steps enough.
    """

    name: str
    weights: WeightsFile | None
    size: int | None
    epochs: int
    patience: int
    rate: float
    batch: int = 32


FROM_SCRATCH = Recipe(SCRATCH, None, None, epochs=20, patience=8, rate=4e-3)


def fine_tuned(name: str, weights: WeightsFile, size: int) -> Recipe:
    """The recipe for a pretrained model."""
    return Recipe(name, weights, size, epochs=12, patience=4, rate=5e-4)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkResult:
    """What a trained network says.

    Attributes:
        probabilities: [m, C] of the images asked about.
        epochs: passes that were made. best: the pass that counts, from 1.
    """

    probabilities: Floats
    epochs: int
    best: int


def train_network(
    index: ImageIndex,
    rows: Ints,
    targets: Floats,
    weights: Floats,
    asked: Ints,
    recipe: Recipe,
    seed: int,
    *,
    checkpoint: Path | None = None,
    say: Say | None = None,
) -> NetworkResult:
    """Train a network on bought labels and let it look at further images.

    Args:
        index: all images.
        rows: [N] the labelled images.
        targets: [N, C] soft targets; rows sum to 1.
        weights: [N] weights of the rows.
        asked: [m] images to predict. They influence nothing.
        recipe: how to train.
        seed: of initial weights, order of images, shifts and the held-out labels.
        checkpoint: file by which a killed run goes on; it is deleted at the end.
        say: told (passes made, most passes) after each pass.
    """
    from training import threads

    with threads.torch_threads(threads.usable_cores()):
        run = _Run(index, rows, targets, weights, recipe, seed)
        first = run.resume(checkpoint)
        for epoch in range(first, recipe.epochs):
            if epoch - run.best >= recipe.patience:
                break
            run.epoch(epoch)
            if checkpoint is not None:
                write_whole(checkpoint, run.state(epoch + 1))
            if say is not None:
                say(epoch + 1, recipe.epochs)
        probabilities = run.predict(asked)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return NetworkResult(probabilities, run.passes, run.best + 1)


class _Run:
    """A network in training, with its optimiser and its best weights so far."""

    def __init__(
        self,
        index: ImageIndex,
        rows: Ints,
        targets: Floats,
        weights: Floats,
        recipe: Recipe,
        seed: int,
    ) -> None:
        import torch

        self.recipe, self.seed = recipe, seed
        self.passes, self.best, self.best_loss = 0, 0, float("inf")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.model, self.size, self.mean, self.std, self.device = _network(
                recipe, targets.shape[1], index.side
            )
        self.pixels = _Pixels(index, self.size)
        order = np.random.default_rng([seed, 0]).permutation(len(rows))
        held = _held_out(len(rows))
        self.held, self.kept = np.sort(order[:held]), np.sort(order[held:])
        self.rows = rows
        self.targets = torch.tensor(targets, dtype=torch.float32)
        self.weights = torch.tensor(weights / weights.mean(), dtype=torch.float32)
        self.optimiser, self.schedule = _optimiser(self.model, recipe)
        self.best_weights = _copy(self.model)
        self.key = _key(index, rows, targets, weights, recipe, seed)

    def epoch(self, number: int) -> None:
        """One pass over the labels that are not held out."""
        import torch

        rng = np.random.default_rng([self.seed, 1, number])
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**31)))  # of layers that drop units
            self.model.train()
            step = max(4, min(self.recipe.batch, len(self.kept) // _STEPS))
            for part in _batches(rng.permutation(self.kept), step):
                loss = self._loss(part, _moved(self.pixels.of(self.rows[part]), rng))
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                self.optimiser.step()
        self.schedule.step(number + 1)
        self.passes = number + 1
        loss = self._held_out_loss() if len(self.held) else -float(number)  # else the last counts
        if loss < self.best_loss:
            self.best, self.best_loss, self.best_weights = number, loss, _copy(self.model)

    def predict(self, rows: Ints) -> Floats:
        """[m, C] probabilities by the best weights."""
        import torch

        self.model.load_state_dict(self.best_weights)
        self.model.eval()
        found = np.zeros((len(rows), self.targets.shape[1]))
        with torch.inference_mode():
            for part in _batches(np.arange(len(rows)), 4 * self.recipe.batch):
                logits = self._logits(self.pixels.of(rows[part])).float()
                found[part] = torch.softmax(logits, dim=1).cpu().double().numpy()
        return found

    def state(self, epoch: int) -> bytes:
        """The run after an epoch, as the content of a checkpoint."""
        import torch

        content = io.BytesIO()
        state = {
            "key": self.key,
            "epoch": epoch,
            "best": self.best,
            "best_loss": self.best_loss,
            "best_weights": self.best_weights,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        torch.save(state, content)
        return content.getvalue()

    def resume(self, checkpoint: Path | None) -> int:
        """Go on from a checkpoint of the same run; the epoch to begin with."""
        import torch

        if checkpoint is None or not checkpoint.exists():
            return 0
        try:
            state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        except Exception:  # a damaged checkpoint costs time, not the answer
            return 0
        if state.get("key") != self.key:
            return 0
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.best_loss = state["best"], state["best_loss"]
        self.best_weights = state["best_weights"]
        self.passes = int(state["epoch"])
        self.schedule.step(self.passes)
        return self.passes

    def _held_out_loss(self) -> float:
        import torch

        self.model.eval()
        total = weight = 0.0
        with torch.inference_mode():
            for part in _batches(self.held, 4 * self.recipe.batch):
                share = float(self.weights[part].sum())
                total += share * float(self._loss(part, self.pixels.of(self.rows[part])))
                weight += share
        return total / weight

    def _loss(self, part: Ints, pixels: NDArray[np.uint8]) -> Any:
        import torch

        weight = self.weights[part].to(self.device)
        losses = torch.nn.functional.cross_entropy(
            self._logits(pixels).float(), self.targets[part].to(self.device), reduction="none"
        )
        return (losses * weight).sum() / weight.sum()

    def _logits(self, pixels: NDArray[np.uint8]) -> Any:
        import torch

        x = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 255
        with torch.autocast(self.device, torch.bfloat16, enabled=_is_bf16_fast(self.device)):
            return self.model((x - self.mean) / self.std)


class _Pixels:
    """Pixels of images, kept in memory while they are few."""

    def __init__(self, index: ImageIndex, size: int) -> None:
        self._index, self._size = index, size
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._most = _IN_MEMORY // (3 * size * size)

    def of(self, rows: Ints) -> NDArray[np.uint8]:
        """[n, size, size, 3]."""
        new = [int(row) for row in rows if int(row) not in self._kept]
        fresh = dict(zip(new, read_batch(self._index, new, self._size), strict=True)) if new else {}
        result = np.stack(
            [fresh[row] if row in fresh else self._kept[row] for row in map(int, rows)]
        )
        if len(self._kept) + len(fresh) <= self._most:
            self._kept.update(fresh)
        return result


def _network(recipe: Recipe, classes: int, side: int) -> tuple[Any, int, Any, Any, str]:
    """Module, input side, mean and std [3, 1, 1], and device; `side` is the images' longest."""
    import torch
    from torch import nn

    from training.backbone import load_backbone, pick_device

    if recipe.weights is None:
        device = pick_device()
        model: Any = _small_cnn(classes)
        size = _TINY_SIDE if side <= _TINY_SIDE else _SIDE
        mean: tuple[float, ...] = (0.5,) * 3
        std: tuple[float, ...] = (0.25,) * 3
    else:
        backbone = load_backbone(recipe.name, recipe.weights, recipe.size)
        size, mean, std, device = backbone.size, backbone.mean, backbone.std, backbone.device
        backbone.model.requires_grad_(True)
        model = nn.Sequential(backbone.model, nn.Linear(backbone.dim, classes))
    model.to(device)

    def channels(values: tuple[float, ...]) -> Any:
        return torch.tensor(values, device=device).view(3, 1, 1)

    return model, size, channels(mean), channels(std), device


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


def _optimiser(model: Any, recipe: Recipe) -> tuple[Any, Any]:
    import timm.optim
    from timm.scheduler.cosine_lr import CosineLRScheduler

    factory: Any = timm.optim
    optimiser = factory.create_optimizer_v2(
        model, opt="adamw", lr=recipe.rate, weight_decay=_WEIGHT_DECAY
    )
    schedule = CosineLRScheduler(
        optimiser, t_initial=recipe.epochs, warmup_t=1, warmup_lr_init=recipe.rate / 10
    )
    return optimiser, schedule


def _held_out(rows: int) -> int:
    """Labelled images that choose the epoch and are not trained on; 0 where they would be few."""
    held = min(round(_HELD_OUT * rows), _MOST_HELD_OUT)
    return held if held >= _FEWEST_HELD_OUT else 0


def _batches(rows: Ints, size: int) -> list[Ints]:
    """Parts of at most `size`; no part of one image, which batch normalisation cannot take."""
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [np.concatenate(parts[-2:])]
    return parts


def _moved(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Each image moved by a few pixels; its edge is repeated."""
    n, side = pixels.shape[:2]
    reach = max(1, side // _SHIFT)
    padded = np.pad(pixels, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    corners = rng.integers(0, 2 * reach + 1, size=(n, 2))
    return np.stack(
        [image[y : y + side, x : x + side] for image, (y, x) in zip(padded, corners, strict=True)]
    )


def _copy(model: Any) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _is_bf16_fast(device: str) -> bool:
    """Whether training in bfloat16 is fast: on AVX-512 alone a step takes half as long again."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device == "cpu" and bool(torch.cpu._is_amx_tile_supported())


def _key(
    index: ImageIndex, rows: Ints, targets: Floats, weights: Floats, recipe: Recipe, seed: int
) -> str:
    digest = hashlib.blake2b(
        repr((recipe.name, recipe.weights and recipe.weights.hash, recipe.size, seed)).encode(),
        digest_size=16,
    )
    for row in rows:
        digest.update(index.hashes[int(row)].encode())
    digest.update(np.ascontiguousarray(targets).tobytes())
    digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()

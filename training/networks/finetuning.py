"""A network trained end to end on bought labels: pretrained and fine-tuned, or small from scratch.

The study trains heads on frozen features, because a head takes milliseconds. People who train
networks may need more labels or fewer. So the plans that matter are trained once more, as a
network: AdamW, a cosine schedule, and the pass whose loss on held-out bought labels is smallest.
Probabilities are judged at their best temperature: a network that goes on learning noisy labels is
too sure of itself long before it errs more.

A pretrained network starts as the head (`architecture`), and pass 0, the head itself, may be the
best. Once the pass is chosen, the network is trained up to it again, on all labels. A small network
from scratch needs all it has: of few labels nothing is held out, and the last pass counts.

A checkpoint after each pass lets a killed run go on; it gives what an undisturbed run gives.
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
from training.backbone import BATCHES
from training.calibration import loss_at_best_temperature
from training.fit import Model, fit_again
from training.heads import softmax
from training.images import ImageIndex, read_batch
from training.networks.architecture import build
from training.networks.recipes import Recipe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Say = Callable[[int, int], None]

_HELD_OUT, _FEWEST_HELD_OUT, _MOST_HELD_OUT = 0.15, 60, 500
_IN_MEMORY = 512 * 2**20  # bytes of pixels that are kept between passes
_SHIFT = 8  # images are moved by up to a side / 8: the only augmentation that keeps every class
_STEPS = 10  # the least steps of a pass
_VERSION = 2  # raise it when checkpoints of earlier code no longer fit


@dataclass(frozen=True, slots=True, eq=False)
class HeadStart:
    """The head that a pretrained network starts as.

    Attributes:
        model: fitted on features of the labelled images.
        features: [N, D] those features, by the frozen network.
    """

    model: Model
    features: NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkResult:
    """What a trained network says.

    Attributes:
        probabilities: [m, C] of the images asked about.
        epochs: passes that were made to choose one.
        best: the pass that counts, from 1; 0 for the head that the network started as.
    """

    probabilities: Floats
    epochs: int
    best: int


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    """Labelled images: row, soft target [C] and weight of each, as in `train_network`."""

    rows: Ints
    targets: Floats
    weights: Floats


def train_network(
    index: ImageIndex,
    rows: Ints,
    targets: Floats,
    weights: Floats,
    asked: Ints,
    recipe: Recipe,
    seed: int,
    *,
    start: HeadStart | None = None,
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
        start: the head that a pretrained network starts as; None for a network from scratch.
        checkpoint: file by which a killed run goes on; it and its neighbour are deleted at the end.
        say: told (passes made, most passes) after each pass.
    """
    from training import threads

    labels, held = _Labels(rows, targets, weights), _held_out(len(rows), start is not None)
    order = np.random.default_rng([seed, 0]).permutation(len(rows))
    held_out, kept = np.sort(order[:held]), np.sort(order[held:])
    again = None if checkpoint is None else checkpoint.with_stem(f"{checkpoint.stem}-again")
    with threads.torch_threads(threads.usable_cores()):
        head = None if start is None else _without(start, labels, kept)
        run = _Run(index, labels, kept, held_out, recipe, seed, head)
        made = run.train(recipe.epochs, checkpoint, say, recipe.epochs if start else 0)
        best = run.best
        if start is not None:
            run = _Run(index, labels, np.arange(len(rows)), order[:0], recipe, seed, start.model)
            run.train(best, again, say and (lambda done, most: say(made + done, made + most)))
        probabilities = run.predict(asked)
    for file in (checkpoint, again):
        if file is not None:
            file.unlink(missing_ok=True)
    return NetworkResult(probabilities, made, best)


def _without(start: HeadStart, labels: _Labels, kept: Ints) -> Model:
    """The head as it is without the held-out labels."""
    features = start.features[kept]
    return fit_again(start.model, features, labels.targets[kept], labels.weights[kept])


class _Run:
    """A network in training, with its optimiser and its best weights so far."""

    def __init__(
        self,
        index: ImageIndex,
        labels: _Labels,
        kept: Ints,
        held: Ints,
        recipe: Recipe,
        seed: int,
        head: Model | None,
    ) -> None:
        import torch

        self.recipe, self.seed = recipe, seed
        self.passes, self.best, self.best_loss = 0, 0, float("inf")
        self.kept, self.held, self.labels = kept, held, labels
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = build(recipe, labels.targets.shape[1], index.side, head)
        self.pixels = _Pixels(index, self.network.size)
        self.targets = torch.tensor(labels.targets, dtype=torch.float32)
        self.weights = torch.tensor(labels.weights / labels.weights.mean(), dtype=torch.float32)
        self.optimiser = self.network.optimiser(recipe.rate)
        self.schedule = _schedule(self.optimiser, recipe)
        self.best_weights = self.network.copy()
        self.key = _key(index, labels, kept, recipe, seed, head)

    def train(self, most: int, checkpoint: Path | None, say: Say | None, more: int = 0) -> int:
        """At most so many passes; how many there were.

        Args:
            most: passes.
            checkpoint: as for `train_network`.
            say: as for `train_network`.
            more: passes that may follow these, of another run.
        """
        self.resume(checkpoint)
        if self.network.is_pretrained and not self.passes and len(self.held):
            self.best_loss = self._held_out_loss()  # of the head, which later passes have to beat
        while self.passes < most and self.passes - self.best < self.recipe.patience:
            self.epoch()
            if checkpoint is not None:
                write_whole(checkpoint, self.state())
            if say is not None:
                say(self.passes, most + more)
        return self.passes

    def epoch(self) -> None:
        """One pass over the labels that are not held out."""
        import torch

        rng = np.random.default_rng([self.seed, 1, self.passes])
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**31)))  # of layers that drop units
            self.network.to_training()
            step = max(4, min(self.recipe.batch, len(self.kept) // _STEPS))
            for part in _batches(rng.permutation(self.kept), step):
                loss = self._loss(part, _moved(self.pixels.of(self.labels.rows[part]), rng))
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                self.optimiser.step()
        self.passes += 1
        self.schedule.step(self.passes)
        loss = self._held_out_loss() if len(self.held) else -float(self.passes)  # the last counts
        if loss < self.best_loss:
            self.best, self.best_loss = self.passes, loss
            self.best_weights = self.network.copy()

    def predict(self, rows: Ints) -> Floats:
        """[m, C] probabilities by the best weights."""
        self.network.module.load_state_dict(self.best_weights)
        return softmax(self._logits(rows))

    def state(self) -> bytes:
        """The run as it is, as the content of a checkpoint."""
        import torch

        content = io.BytesIO()
        state = {
            "key": self.key,
            "passes": self.passes,
            "best": self.best,
            "best_loss": self.best_loss,
            "best_weights": self.best_weights,
            "model": self.network.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        torch.save(state, content)
        return content.getvalue()

    def resume(self, checkpoint: Path | None) -> None:
        """Go on from a checkpoint of the same run, where there is one."""
        import torch

        if checkpoint is None or not checkpoint.exists():
            return
        try:
            state = torch.load(checkpoint, map_location=self.network.device, weights_only=True)
        except Exception:  # a damaged checkpoint costs time, not the answer
            return
        if state.get("key") != self.key:
            return
        self.network.module.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.best_loss = state["best"], state["best_loss"]
        self.best_weights = state["best_weights"]
        self.passes = int(state["passes"])
        self.schedule.step(self.passes)

    def _held_out_loss(self) -> float:
        logits = self._logits(self.labels.rows[self.held])
        targets, weights = self.labels.targets[self.held], self.labels.weights[self.held]
        return loss_at_best_temperature(logits, targets, weights)

    def _logits(self, rows: Ints) -> Floats:
        """[n, C] of images, by the weights as they are."""
        import torch

        self.network.module.eval()
        found = np.zeros((len(rows), self.targets.shape[1]))
        with torch.inference_mode():
            for part in _batches(np.arange(len(rows)), BATCHES[self.network.device]):
                logits = self.network.logits(self.pixels.of(rows[part])).float()
                found[part] = logits.cpu().double().numpy()
        return found

    def _loss(self, part: Ints, pixels: NDArray[np.uint8]) -> Any:
        import torch

        device = self.network.device
        weight = self.weights[part].to(device)
        losses = torch.nn.functional.cross_entropy(
            self.network.logits(pixels).float(), self.targets[part].to(device), reduction="none"
        )
        return (losses * weight).sum() / weight.sum()


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


def _schedule(optimiser: Any, recipe: Recipe) -> Any:
    from timm.scheduler.cosine_lr import CosineLRScheduler

    return CosineLRScheduler(
        optimiser, t_initial=recipe.epochs, warmup_t=1, warmup_lr_init=recipe.rate / 10
    )


def _held_out(rows: int, is_trained_again: bool) -> int:
    """Labelled images that choose the pass.

    Where the network is trained again on all labels, they are lost to the choice alone: up to a
    third of few. Else there are none where they would be few.
    """
    held = min(round(_HELD_OUT * rows), _MOST_HELD_OUT)
    if is_trained_again:
        return min(max(held, _FEWEST_HELD_OUT), rows // 3)
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


def _key(
    index: ImageIndex, labels: _Labels, kept: Ints, recipe: Recipe, seed: int, head: Model | None
) -> str:
    file = recipe.weights and recipe.weights.hash
    made_by = (_VERSION, recipe.name, file, recipe.size, recipe.epochs, recipe.rate, seed)
    digest = hashlib.blake2b(repr(made_by).encode(), digest_size=16)
    for row in labels.rows:
        digest.update(index.hashes[int(row)].encode())
    start = () if head is None else (head.weights, head.mean, head.scale)
    for array in (labels.targets, labels.weights, kept, *start):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

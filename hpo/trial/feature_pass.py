"""The pass that turns images into features: how long it will take, and how long it took."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from hpo.data.dataset import Dataset
from hpo.settings.config import StudyConfig
from hpo.trial.world import features_of
from training.networks.feature_pass import watching

LARGE = 1_000
"""Images in files from which on the seconds of a pass are worth two samples."""

_WARM_UP, *_SAMPLES = 8, 32, 160


def pass_over(
    config: StudyConfig, data: Dataset, runs: Path, tell: Callable[[str], None] | None
) -> None:
    """Compute or load the features of all images.

    Args:
        config: names the backbone.
        data: the images.
        runs: folder of all studies, which share features.
        tell: told the backbone, the seconds expected of a long pass, and those it took.
    """
    if tell is not None and data.images.paths is not None and len(data.images) >= LARGE:
        name, seconds = expected_seconds(config, data)
        tell(
            f"Features: {name}; a first pass over {len(data.images)} images takes about "
            f"{max(1, round(seconds))} s of a processor"
        )
    start = time.perf_counter()
    features = features_of(config, data, runs)
    if tell is not None:
        tell(f"Features: {features.name}, ready after {time.perf_counter() - start:.1f} s")


def expected_seconds(config: StudyConfig, data: Dataset) -> tuple[str, float]:
    """The backbone in use, and the processor seconds of a pass over all images.

    Samples of two sizes tell what an image costs: what a pass costs at its start is in both. A
    processor's seconds do not grow where other programs share it.
    """
    _timed(config, data, _WARM_UP)  # the first pass of a process also loads code
    measured = [_timed(config, data, size) for size in _SAMPLES]
    (name, few), (_, more) = measured
    each = max(0.0, more - few) / (_SAMPLES[1] - _SAMPLES[0])
    return name, more + each * (len(data.images) - _SAMPLES[1])


def _timed(config: StudyConfig, data: Dataset, size: int) -> tuple[str, float]:
    rows = np.linspace(0, len(data.images) - 1, size).round().astype(int)
    index = data.images
    sample = replace(
        index,
        names=tuple(index.names[row] for row in rows),
        hashes=tuple(index.hashes[row] for row in rows),
        pixels=None if index.pixels is None else index.pixels[rows],
        paths=None if index.paths is None else tuple(index.paths[row] for row in rows),
    )
    with tempfile.TemporaryDirectory() as folder, watching(lambda done, of: None):
        start = time.process_time()
        features = features_of(config, replace(data, images=sample), Path(folder))
        return features.name, time.process_time() - start

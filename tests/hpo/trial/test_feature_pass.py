"""What a user reads of the pass over the images: its own seconds, and nothing of the samples."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from hpo.cli.progress import feature_bar
from hpo.data.dataset import Dataset
from hpo.trial import feature_pass
from hpo.trial.feature_pass import expected_seconds
from training.images import load_digits
from training.networks.feature_pass import in_parts


def _pass(n: int, folder: Path) -> None:
    in_parts(
        n,
        lambda rows: np.zeros((len(rows), 1), np.float32),
        folder,
        lambda path, rows: None,
        lambda path, values: None,
    )


def test_its_seconds_begin_with_it(tmp_path: Path) -> None:
    out = io.StringIO()
    with feature_bar(Console(file=out, width=200)):
        time.sleep(1.0)
        _pass(5, tmp_path / "parts")
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("features of 5 images: computing")
    assert float(lines[1].rsplit(" ", 2)[1]) < 1.0


def test_samples_that_tell_its_length_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def features_of(config: Any, data: Dataset, folder: Path) -> SimpleNamespace:
        seen.append(len(data.images))
        _pass(len(data.images), folder / "parts")
        return SimpleNamespace(name="patch")

    monkeypatch.setattr(feature_pass, "features_of", features_of)
    images, labels = load_digits()
    data = Dataset(images, tuple("0123456789"), {}, labels, 0, ())
    out = io.StringIO()
    with feature_bar(Console(file=out, width=200)):
        name, _ = expected_seconds(SimpleNamespace(), data)  # type: ignore[arg-type]
    assert (name, seen) == ("patch", [8, 32, 160])
    assert out.getvalue() == ""

"""`labelworth crowd`: a fit is written, and printed with how well it fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from labeling.crowd.fitting.imitate import blank, imitate
from labeling.crowd.scenario import load_scenario
from tests.conftest import Command


def recorded(folder: Path) -> Path:
    """900 answers of a simulated crowd in a file."""
    rng = np.random.default_rng(0)
    layers = [rng.permutation(300) % 15 + 15 * layer for layer in range(3)]
    empty = blank(rng.integers(3, size=300), 3, 3)
    design = replace(empty, annotator=np.concatenate(layers), seconds=np.ones(900))
    recording = imitate(replace(load_scenario("default"), careless=0.0), design, 0)
    assert recording.annotator is not None
    assert recording.seconds is not None
    columns = (recording.task, recording.annotator, recording.label, recording.seconds)
    lines = [",".join(map(str, row)) for row in zip(*(c.tolist() for c in columns), strict=True)]
    path = folder / "answers.csv"
    path.write_text("task,annotator,label,seconds\n" + "\n".join(lines), encoding="utf-8")
    return path


def test_the_command_prints_how_well_it_fits(tmp_path: Path, command: Command) -> None:
    path, out = recorded(tmp_path), tmp_path / "pilot.toml"
    code, printed, _ = command("crowd", "fit", str(path), "--out", str(out))
    assert code == 0
    assert "Fleiss kappa" in printed
    assert "without known truth" in printed
    assert "--scenario" in printed
    plain = json.loads(command("crowd", "fit", str(path), "--json")[1])
    assert plain["scenario"]["error_a"] == load_scenario(out).error_a
    assert {"statistic", "observed", "simulated", "spread", "beyond_noise"} == set(plain["fit"][0])
    assert plain["notes"] == []

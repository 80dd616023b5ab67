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


def test_classes_are_named_and_slips_go_on_by_choice(tmp_path: Path, command: Command) -> None:
    lines = ["task;performer;label"]
    lines += [f"im{n};w{w};{'cat' if (n + w) % 3 else 'Cat'}" for n in range(40) for w in range(6)]
    path = tmp_path / "pilot.csv"
    path.write_text("\n".join([*lines, "im1;w9;"]), encoding="utf-8")
    fit = ("crowd", "fit", str(path))
    for flags, said in (
        ((), "'Cat' (80 x) and 'cat' (160 x) differ by case"),
        (("--keep-classes",), "row 242: no label; leave such rows out, or add --skip-empty"),
        (("--classes", "cat,dog"), "'Cat' is not one of the 2 classes (cat, dog); write 'cat'"),
        (("--classes", "cat"), "--classes: 'cat': give two names or more, each once"),
    ):
        code, _, error = command(*fit, *flags)
        assert code == 2
        assert said in error
        assert error.count("\n") == 1
    code, printed, _ = command(*fit, "--keep-classes", "--skip-empty")
    assert code == 0
    assert "Note: pilot.csv: its cells are separated by semicolons\n" in printed
    assert "1 answers without a label are left out" in printed
    assert "each is a class (--keep-classes)" in printed
    code, printed, _ = command(*fit, "--classes", "Cat,cat,dog", "--skip-empty")
    assert code == 0
    assert "no answer is 'dog'" in printed
    assert "share of the rarest answer" in printed

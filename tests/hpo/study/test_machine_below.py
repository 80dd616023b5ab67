"""`below` in whole studies: people where a machine is unsure, and an audit that can stop it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from hpo.data.dataset import load
from hpo.settings.config import make_config
from hpo.settings.rows.machine import BELOW
from hpo.trial.trainer import CrossValidated
from hpo.trial.versions.merged_labels import merged_labels
from labeling.machine.mixing import AUDITED
from tests.conftest import Make

IMAGES, CLASSES = 1000, 3
SETTINGS = {
    "goal": "model",
    "budget": "2",
    "price": "0.005",
    "overlap": "1",
    "controls": "1",
    "exam": "off",
    "tasks": "10%,100%",
    "trials": 1,
    "roles": "50/12/22/16",
    "machine_cost": "0.0005",
    "machine_use": "off,below,all",
}


def blobs(folder: Path, images: int = IMAGES) -> str:
    """Points around three centres, as features of images."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(CLASSES, size=images)
    points = 1.6 * np.eye(CLASSES)[kinds] + rng.normal(0, 0.8, (images, CLASSES))
    path = folder / "points.npz"
    np.savez(path, features=points.astype(np.float32), labels=kinds.astype(str))
    return f"npz:{path}"


def people_of(folder: Path, data: str) -> dict[str, str]:
    """Settings of recorded people who are right in 90 % of the images and are never banned."""
    truth = load(make_config({"budget": "3", "data": data})).truth
    rng = np.random.default_rng(2)
    lines = ["task,annotator,label"]
    for row, true in enumerate(truth):
        for person in rng.permutation(4)[:2]:
            right = rng.random() < 0.9
            label = true if right else (true + rng.integers(1, CLASSES)) % CLASSES
            lines.append(f"{row},{person},{label}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    template = files("labeling.campaign").joinpath("classification.toml").read_text()
    rules = "[rules]\nwrong_controls = 1000\nfast_responses = 0\n"
    (folder / "campaign.toml").write_text(f"{template}\n{rules}")
    return {
        "market": f"replay:{folder / 'people.csv'}",
        "campaign": str(folder / "campaign.toml"),
    }


def machine_of(folder: Path, data: str, fails_on_pool: bool) -> str:
    """A machine that is right in 98 % of the images that it is sure of, and 30 % of the others.

    Args:
        folder: of its file.
        data: the images.
        fails_on_pool: whether it is right by chance on images of the pool, and as sure as before.
    """
    images = load(make_config({"budget": "3", "data": data, "roles": SETTINGS["roles"]}))
    rng = np.random.default_rng(1)
    is_sure = rng.random(IMAGES) < 0.6
    right = np.where(is_sure, 0.98, 0.3)
    if fails_on_pool:
        right[images.rows["pool"]] = 1 / CLASSES
    other = (images.truth + 1) % CLASSES
    said = np.where(rng.random(IMAGES) < right, images.truth, other)
    surety = np.where(is_sure, 0.97, 0.5)
    probabilities = np.repeat(((1 - surety) / (CLASSES - 1))[:, None], CLASSES, axis=1)
    probabilities[np.arange(IMAGES), said] = surety
    path = folder / f"machine-{fails_on_pool}.npz"
    np.savez(path, probabilities=probabilities)
    return f"file:{path}"


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_below_asks_people_and_the_audit_can_stop_it(
    small_study: Make, tmp_path: Path, fails: bool
) -> None:
    data = blobs(tmp_path)
    machine = machine_of(tmp_path, data, fails)
    settings = {**SETTINGS, **people_of(tmp_path, data)}
    study = small_study(data=data, machine=machine, trainer=CrossValidated(), **settings)
    report = study.run()
    told = report["machine"]
    refused = {row["use"]: row["refused"] for row in told["uses"]}
    off = next(row for row in told["uses"] if row["use"] == "off")
    assert off["accuracy"] is not None
    if fails:
        assert "people agree with" in refused[BELOW]
        assert told["audit"]["seen"] < told["audit"]["due"]
        assert told["used"] == "off"
    else:
        assert refused[BELOW] == ""
        assert told["used"] == BELOW
        assert told["audit"]["answers"] >= AUDITED
        assert 0 < told["labels"]["people"] < len(study.world.pool)
        people = merged_labels(study.world, study.world.pool.tolist())
        assert people is not None
        with np.load(machine.removeprefix("file:")) as said:
            is_sure = said["probabilities"].max(axis=1) > 0.9
        # .6 of the pool; those in the audit and the first answers at random are among them.
        assert is_sure[people[0].task].mean() < 0.5
        assert "another worker" not in report["delivery"]["ended"]


@pytest.mark.statistics
def test_a_simulated_crowd_does_not_stop_an_honest_machine(
    small_study: Make, tmp_path: Path
) -> None:
    """Its control tasks are clear and wrong ones ban: by them alone people seemed right in 97 %."""
    data = blobs(tmp_path)
    machine = machine_of(tmp_path, data, fails_on_pool=False)
    settings = {**SETTINGS, "budget": "4", "price": "0.01", "trainer": CrossValidated()}
    stopped = []
    for seed in range(4):
        study = small_study(
            study=f"crowd-{seed}", data=data, machine=machine, seed=seed, **settings
        )
        told = study.run()["machine"]
        refused = {row["use"]: row["refused"] for row in told["uses"]}
        stopped.append("people agree with" in refused[BELOW])
        study.close()
    assert sum(stopped) <= 1

"""Correction and calibration of a machine: on made machines, and on two recorded real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labeling.machine.calibration import (
    calibrate,
    class_shares,
    nats_of_coin,
    nats_told,
    prior_corrected,
    quality_of,
    worst_class,
)

CLASSES = 4


def made_machine(
    rng: np.random.Generator, truth: np.ndarray, sharp: float, offset: np.ndarray
) -> np.ndarray:
    """Probabilities that are true, then made `sharp` times as sure and moved by offsets."""
    scores = rng.normal(size=(len(truth), CLASSES))
    scores[np.arange(len(truth)), truth] += 1.5
    # The true posterior of this normal model is the softmax of 1.5 times the scores.
    logits = sharp * 1.5 * scores + offset
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def loss(p: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(p[np.arange(len(truth)), truth]).mean())


def test_class_shares_are_corrected_without_a_label() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, 4000)
    said = made_machine(rng, truth, 1.0, np.array([2.0, 0.0, 0.0, -2.0]))
    equal = np.full(CLASSES, 1 / CLASSES)
    better = prior_corrected(said, equal)
    assert np.abs(better.mean(axis=0) - equal).max() < 0.01
    before, after = ((p.argmax(axis=1) == truth).mean() for p in (said, better))
    assert after > before + 0.05


def test_known_shares_are_kept_where_classes_are_rare() -> None:
    rng = np.random.default_rng(1)
    truth = rng.choice(CLASSES, 3000, p=[0.7, 0.2, 0.05, 0.05])
    said = made_machine(rng, truth, 1.0, np.zeros(CLASSES))
    shares = class_shares(truth[:1000], CLASSES)
    better = prior_corrected(said, shares)
    assert np.abs(better.mean(axis=0) - shares).max() < 0.01
    assert shares[0] > 0.6


@pytest.mark.parametrize("sharp", [0.4, 3.0])
def test_calibration_finds_temperature_and_offsets(sharp: float) -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, CLASSES, 2400)
    offset = np.array([1.0, 0.0, 0.0, -1.0])
    said = made_machine(rng, truth, sharp, offset)
    equal = np.full(CLASSES, 1 / CLASSES)
    found = calibrate(said[:400], truth[:400], equal)
    assert found.temperature == pytest.approx(sharp, rel=0.35)
    assert loss(found.read(said[400:]), truth[400:]) < loss(said[400:], truth[400:]) - 0.02


def test_a_lapse_keeps_a_sure_machine_from_outweighing_everybody() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, CLASSES, 600)
    said = np.full((600, CLASSES), 0.001 / 3)
    named = np.where(rng.random(600) < 0.8, truth, rng.integers(0, CLASSES, 600))
    said[np.arange(600), named] = 0.999
    read = calibrate(said[:300], truth[:300], np.full(CLASSES, 0.25)).read(said[300:])
    assert read.max(axis=1).mean() == pytest.approx((named == truth)[300:].mean(), abs=0.06)


def test_quality_has_an_interval_and_a_worst_class() -> None:
    truth = np.repeat(np.arange(CLASSES), 25)
    said = np.eye(CLASSES)[np.where(truth == 2, 1, truth)]
    quality = quality_of(said, truth)
    assert quality.accuracy == 0.75
    assert quality.low < 0.75 < quality.high
    assert worst_class(quality, "abcd") == ("c", 0.0)


@pytest.mark.parametrize(
    ("machine", "accuracy", "right_after"), [("zeroshot", 0.448, 0.548), ("vendor", 0.754, 0.742)]
)
def test_real_machines_are_corrected_and_calibrated(
    data_folder: Path, machine: str, accuracy: float, right_after: float
) -> None:
    """As measured: the zero-shot machine gains ten points, and neither is sure without reason."""
    with np.load(data_folder / "crowd" / "cifar10n_6k_machines.npz") as arrays:
        said = arrays[machine].astype(np.float64)
    with np.load(data_folder / "crowd" / "cifar10n_6k.npz") as arrays:
        truth = arrays["clean"].astype(np.int64)
    assert (said.argmax(axis=1) == truth).mean() == pytest.approx(accuracy, abs=0.002)
    order = np.random.default_rng(0).permutation(len(truth))
    control, pool = order[:100], order[100:]
    shares = class_shares(truth[control], 10)
    better = prior_corrected(said, shares, said[pool])
    read = calibrate(better[control], truth[control], shares).read(better)[pool]
    right = read.argmax(axis=1) == truth[pool]
    assert right.mean() == pytest.approx(right_after, abs=0.03)
    assert read.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.1)  # it says .32 too much


def test_a_label_tells_nothing_by_chance_and_all_where_it_is_right() -> None:
    assert nats_of_coin(0.1, 10) == pytest.approx(0.0, abs=1e-9)
    assert nats_of_coin(0.05, 10) == pytest.approx(0.0, abs=1e-9)
    assert nats_of_coin(1.0, 10) == pytest.approx(np.log(10), abs=1e-3)
    assert nats_of_coin(0.6, 10) < nats_of_coin(0.8, 10)


@pytest.mark.parametrize(("right", "low", "high"), [(0.34, 0.0, 0.08), (0.95, 0.6, 1.0)])
def test_what_a_machine_tells_is_measured_on_images_that_did_not_calibrate_it(
    right: float, low: float, high: float
) -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(3, size=150)
    named = np.where(rng.random(150) < right, truth, (truth + rng.integers(1, 3, 150)) % 3)
    said = np.full((150, 3), 0.005)
    said[np.arange(150), named] = 0.99  # however right, it claims to be sure
    assert low <= nats_told(said, truth, np.full(3, 1 / 3), rng) <= high

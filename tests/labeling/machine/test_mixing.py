"""People and a machine together: what it gains, and what shows that it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labeling.machine.calibration import class_shares, prior_corrected, quality_of
from labeling.machine.mixing import (
    FEWEST_FOR_GAIN,
    ControlAnswers,
    agreement,
    mixed,
    mixing_gain,
)
from labeling.machine.people import people_of

CLASSES = 5


def answers_of(rng: np.random.Generator, truth: np.ndarray, skill: float) -> np.ndarray:
    wrong = (truth + rng.integers(1, CLASSES, len(truth))) % CLASSES
    return np.where(rng.random(len(truth)) < skill, truth, wrong)


def controls(
    rng: np.random.Generator, count: int, machine: float, *, honest: bool = True
) -> ControlAnswers:
    """Control tasks with a machine of some accuracy, whose confidence means something or not."""
    truth = rng.integers(0, CLASSES, count)
    named = answers_of(rng, truth, machine)
    sure = np.where(named == truth, 0.9, 0.5) if honest else rng.uniform(0.4, 0.95, count)
    said = np.repeat(((1 - sure) / (CLASSES - 1))[:, None], CLASSES, axis=1)
    said[np.arange(count), named] = sure
    shares = np.full(CLASSES, 1 / CLASSES)
    return ControlAnswers(said, truth, np.arange(count), answers_of(rng, truth, 0.8), shares)


@pytest.mark.slow
def test_a_good_machine_is_taken_and_a_useless_one_is_not() -> None:
    def taken(machine: float, honest: bool) -> int:
        streams = [np.random.default_rng(seed) for seed in range(20)]
        gains = [mixing_gain(controls(r, 300, machine, honest=honest), r) for r in streams]
        return sum(gain.is_sure for gain in gains)

    assert taken(0.8, True) >= 18
    assert taken(0.3, False) <= 3


def test_too_few_controls_decide_nothing() -> None:
    rng = np.random.default_rng(0)
    gain = mixing_gain(controls(rng, FEWEST_FOR_GAIN - 1, 0.95), rng)
    assert gain.gain > 1.64 * gain.error
    assert not gain.is_sure
    assert mixing_gain(controls(rng, 50, 0.95), rng).gain == 0


def test_mistakes_of_people_are_shrunk_to_one_coin() -> None:
    truth = np.zeros(10, dtype=np.int64)
    label = np.array([0] * 7 + [1] * 3)
    people = people_of(label, truth, CLASSES)
    assert people.mistakes.sum(axis=1) == pytest.approx(np.ones(CLASSES))
    assert 1 / (CLASSES - 1) < people.mistakes[0, 1] < 0.7
    assert people.mistakes[1:][~np.eye(CLASSES, dtype=bool)[1:]] == pytest.approx(0.25)


def test_a_sure_machine_outvotes_an_answer_and_an_unsure_one_does_not() -> None:
    people = people_of(np.zeros(0, np.int64), np.zeros(0, np.int64), CLASSES)
    row, label = np.array([0, 1]), np.array([1, 1])
    scores = people.scores(row, label, np.array([0.8, 0.8]), 2)
    machine = np.array([[0.98, 0.005, 0.005, 0.005, 0.005], [0.4, 0.15, 0.15, 0.15, 0.15]])
    assert mixed(scores, machine).argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("pasters", [0.0, 0.35])
def test_people_who_paste_a_machines_answers_are_noticed(data_folder: Path, pasters: float) -> None:
    """Real answers of honest people pass; the same with pasters among them do not."""
    with np.load(data_folder / "crowd" / "cifar10n_6k.npz") as arrays:
        truth, label = arrays["clean"].astype(np.int64), arrays["label"].astype(np.int64)
    with np.load(data_folder / "crowd" / "cifar10n_6k_machines.npz") as arrays:
        machine = arrays["vendor"].astype(np.float64)
    warned = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(truth))
        control, pool = order[:200], order[200:3200]
        shares = class_shares(truth[control], 10)
        said = prior_corrected(machine, shares, machine[pool])
        who = np.arange(len(truth)) // 20
        pastes = (rng.random(who.max() + 1) < pasters)[who]
        given = np.where(pastes, said.argmax(axis=1), label[:, 0])
        people = people_of(given[control], truth[control], 10)
        quality = quality_of(said[control], truth[control])
        told = agreement(said[pool].argmax(axis=1), given[pool], who[pool], quality, people)
        warned += told.is_too_high
    assert warned >= 9 if pasters else warned <= 1  # of ten: one in twenty is due

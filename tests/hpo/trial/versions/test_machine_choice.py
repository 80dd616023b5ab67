"""Which way to use a machine is taken, of models that are compared on validation images."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hpo.settings.rows.machine import ALL, BELOW, OFF, VOTE
from hpo.trial.versions.machine.choice import MachineArm, best_arm

IMAGES, CLASSES = 400, 2


def arm(use: str, accuracy: float, differs: int) -> MachineArm:
    """An arm whose model names class 1 for the first images, and class 0 for the others."""
    said = np.eye(CLASSES)[(np.arange(IMAGES) < differs).astype(int)]
    trained: Any = SimpleNamespace(model=SimpleNamespace(predict=lambda values: said))
    return MachineArm(use, accuracy, trained=trained)


def taken(
    vote: float, below: float, differs: int = 40, off: float = 0.5, adds: bool = False
) -> str:
    """The way that is taken, where the models of off, vote and below differ in some images."""
    arms = [
        arm(OFF, off, differs),
        arm(VOTE, vote, differs),
        arm(BELOW, below, 0),
        arm(ALL, 0.55, 0),
    ]
    world: Any = SimpleNamespace(
        features=SimpleNamespace(values=np.zeros((IMAGES, 1))),
        data=SimpleNamespace(rows={"validation": np.arange(IMAGES)}),
    )
    return best_arm(arms, world, adds).use


@pytest.mark.parametrize(
    ("vote", "below", "expected"),
    [
        (0.610, 0.600, BELOW),  # 40 of 400 images differ: 1.6 points are noise
        (0.620, 0.600, VOTE),
        (0.600, 0.620, BELOW),
        (0.560, 0.545, ALL),  # the vote's lead is noise, and of the others `all` is best
    ],
)
def test_a_vote_is_taken_only_where_it_beats_below_beyond_noise(
    vote: float, below: float, expected: str
) -> None:
    assert taken(vote, below) == expected


def test_without_below_the_best_is_taken() -> None:
    world: Any = SimpleNamespace()
    for adds in (False, True):
        assert best_arm([arm(OFF, 0.5, 0), arm(VOTE, 0.51, 9)], world, adds).use == VOTE
        assert best_arm([arm(OFF, 0.5, 0), arm(ALL, 0.5, 9)], world, adds).use == OFF


@pytest.mark.parametrize(
    ("off", "adds", "expected"),
    [
        (0.610, True, BELOW),  # 40 of 400 images differ: 1.6 points are noise
        (0.620, True, OFF),
        (0.610, False, OFF),  # the machine is expected to add nothing: no doubt speaks for it
        (0.600, False, OFF),
        (0.600, True, BELOW),
        (0.590, False, BELOW),
    ],
)
def test_off_is_left_within_noise_only_where_the_machine_is_expected_to_add(
    off: float, adds: bool, expected: str
) -> None:
    assert taken(0.5, 0.600, off=off, adds=adds) == expected
    assert taken(0.605, 0.600, off=off, adds=adds) == expected  # with a vote in noise

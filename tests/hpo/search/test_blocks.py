"""Solving by blocks changes no number, and a decision solves what is new alone."""

from __future__ import annotations

import numpy as np
import pytest

from hpo.search import surrogate as module
from hpo.search.blocks import BLOCK
from hpo.search.surrogate import Memory, Surrogate, encode
from hpo.settings.config import make_config
from hpo.settings.search_space import SearchSpace
from labeling.types import Floats

ITEMS = 367
SPACE = SearchSpace.of(make_config({"budget": "20"}), 980)
THETA = module._THETA
ALL = encode(SPACE.plans[::7], 10)
COUNT = 2 * BLOCK + 50


@pytest.fixture(scope="module")
def evaluated() -> tuple[module.Inputs, Floats]:
    """Plans at random, and what was measured of them."""
    rng = np.random.default_rng(5)
    places = rng.choice(len(SPACE.plans), COUNT, replace=False)
    inputs = encode([SPACE.plans[i] for i in places], 10)
    return inputs, inputs.basis @ module._MEAN + 0.2 * rng.standard_normal(COUNT)


def posterior(
    evaluated: tuple[module.Inputs, Floats], count: int, memory: Memory | None = None
) -> Surrogate:
    inputs, z = evaluated
    return Surrogate(inputs.at(range(count)), z[:count], ITEMS, THETA, memory)


def test_blocks_give_the_posterior_of_the_whole_matrix(evaluated) -> None:
    """Against the formulas of the posterior, written down without blocks."""
    inputs, z = evaluated
    signal = module._signal(inputs, inputs, THETA)
    purchase = module._purchase(inputs, inputs, THETA)
    matrix = signal + purchase + np.diag(module._noise(z, ITEMS, THETA))
    cross = module._signal(inputs, ALL, THETA)
    both = cross + module._purchase(inputs, ALL, THETA)
    mean = ALL.basis @ module._MEAN + cross.T @ np.linalg.solve(
        matrix, z - inputs.basis @ module._MEAN
    )
    prior = module._signal_variance(ALL, THETA)
    variance = prior - (cross * np.linalg.solve(matrix, cross)).sum(axis=0)
    fresh = prior + ALL.variance + module._noise(mean, ITEMS, THETA)
    of_next = fresh - (both * np.linalg.solve(matrix, both)).sum(axis=0)
    shared = prior - (cross * np.linalg.solve(matrix, both)).sum(axis=0)
    told = posterior(evaluated, COUNT).predict(ALL)
    for got, expected in zip(told, (mean, variance**0.5, shared / of_next**0.5), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_a_search_that_goes_on_computes_what_one_that_starts_there_does(evaluated) -> None:
    memory = Memory(ALL)
    for count in range(BLOCK - 3, COUNT, 17):
        kept = posterior(evaluated, count, memory).predict(ALL)
        fresh = posterior(evaluated, count).predict(ALL)
        assert all(np.array_equal(a, b) for a, b in zip(kept, fresh, strict=True))


def test_an_evaluation_measured_again_is_learned(evaluated) -> None:
    memory, (inputs, z) = Memory(ALL), evaluated
    posterior(evaluated, COUNT, memory).predict(ALL)
    again = z.copy()
    again[BLOCK + 1] += 0.5
    changed = Surrogate(inputs, again, ITEMS, THETA, memory).predict(ALL)
    fresh = Surrogate(inputs, again, ITEMS, THETA).predict(ALL)
    assert all(np.array_equal(a, b) for a, b in zip(changed, fresh, strict=True))
    other = Surrogate(inputs, again, ITEMS, THETA + 0.1, memory).predict(ALL)
    assert not np.allclose(other[0], fresh[0])


def test_a_decision_factors_the_last_block_alone(
    evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, grown = Memory(ALL), []

    def note(*words):
        grown.append(len(words[2]))
        return grow(*words)

    grow = module.grow
    monkeypatch.setattr(module, "grow", note)
    posterior(evaluated, COUNT - 5, memory).predict(ALL)
    assert grown == [BLOCK, BLOCK, 45]
    for count in range(COUNT - 4, COUNT):
        grown.clear()
        posterior(evaluated, count, memory).predict(ALL)
        assert grown == [count - 2 * BLOCK]

"""The trainer of a study's heads: it gets arrays and gives models, and knows no labels.

A study's own trainer is `CrossValidated`. Tests of money, kills and stops hold another one, whose
heads take no time: what such a study buys, writes and says is made by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from labeling.types import Floats

if TYPE_CHECKING:
    from training.fit import Model

Features = NDArray[np.floating]


class Trainer(Protocol):
    """Fits heads to labels. Shapes and meanings are those of `training.fit`."""

    def train(
        self,
        X: Features,
        targets: Mapping[str, Floats],
        judge: Floats,
        confidence: Floats,
        rng: np.random.Generator,
        *,
        scale: Features | None = None,
    ) -> Model:
        """Choose a kind of target and fit a head to it, as `training.fit.train`."""

    def bootstrap(
        self,
        model: Model,
        X: Features,
        target: Floats,
        confidence: Floats,
        X_eval: Features,
        draws: int,
        rng: np.random.Generator,
    ) -> Floats:
        """[draws, n, C] probabilities of heads on redrawn rows, as `training.fit.bootstrap`."""

    def refit(
        self, model: Model, X: Features, targets: Floats, weights: Floats, X_eval: Features
    ) -> Floats:
        """[draws, n, C] probabilities of heads on other targets, as `training.fit.refit`."""


class CrossValidated:
    """The trainer of every study: heads whose penalty and target are cross-validated."""

    def train(
        self,
        X: Features,
        targets: Mapping[str, Floats],
        judge: Floats,
        confidence: Floats,
        rng: np.random.Generator,
        *,
        scale: Features | None = None,
    ) -> Model:
        """As `Trainer.train`."""
        from training import fit

        return fit.train(X, targets, judge, confidence, rng, scale=scale)

    def bootstrap(
        self,
        model: Model,
        X: Features,
        target: Floats,
        confidence: Floats,
        X_eval: Features,
        draws: int,
        rng: np.random.Generator,
    ) -> Floats:
        """As `Trainer.bootstrap`."""
        from training import fit

        return fit.bootstrap(model, X, target, confidence, X_eval, draws, rng)

    def refit(
        self, model: Model, X: Features, targets: Floats, weights: Floats, X_eval: Features
    ) -> Floats:
        """As `Trainer.refit`."""
        from training import fit

        return fit.refit(model, X, targets, weights, X_eval)

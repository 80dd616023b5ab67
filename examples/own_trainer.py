"""A trainer of your own: heads of the program, trained on the images of clear labels alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hpo import Answer, Study
from labeling.types import Floats
from training import fit


class ClearLabels:
    """Leaves out labels that people disagree on; `training.fit` does the rest."""

    def train(
        self,
        X: Any,
        targets: Mapping[str, Floats],
        judge: Floats,
        confidence: Floats,
        rng: np.random.Generator,
        *,
        scale: Any = None,
    ) -> fit.Model:
        """Choose a kind of target, and fit a head to it."""
        clear = np.where(judge.max(axis=1) > 0.6, confidence, 0.01 * confidence)
        return fit.train(X, targets, judge, clear, rng, scale=scale)

    def refit(
        self, model: fit.Model, X: Any, targets: Floats, weights: Floats, X_eval: Any
    ) -> Floats:
        """[draws, n, C] probabilities of heads on other targets."""
        return fit.refit(model, X, targets, weights, X_eval)


def main(runs: str = "runs") -> Answer:
    """A study whose models it trains."""
    study = Study(budget="0.6", study="clear", goal="plan", runs=runs, trainer=ClearLabels())
    answer = study.run()
    study.close()
    return answer


if __name__ == "__main__":
    print(main().summary)

"""An aggregator of your own: votes to the power of two, so that a majority counts for more."""

import numpy as np

from hpo import Answer, Study, add_aggregator
from labeling.aggregation.votes import Votes
from labeling.types import Floats


def squared(votes: Votes) -> tuple[Floats, Floats]:
    """Shares of the votes, and a posterior: [images, classes] each, rows sum to 1."""
    shares = votes.counts / votes.counts.sum(axis=1, keepdims=True)
    smooth = np.square(votes.counts + 0.5)
    return shares, smooth / smooth.sum(axis=1, keepdims=True)


add_aggregator("squared", squared)


def main(runs: str = "runs") -> Answer:
    """A study whose labels come from it."""
    study = Study(budget="0.6", study="squared", aggregation="squared", goal="plan", runs=runs)
    answer = study.run()
    study.close()
    return answer


if __name__ == "__main__":
    print(main().summary)

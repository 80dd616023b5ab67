"""Where in the pool a condition's plans begin: where labels are missing.

The plans of one condition are nested: they take the pool's images in one order, from one place on.
In a study that searches with its whole budget, and whose budget is short for its pool, each new
condition begins where the fewest answers have been asked for, so that conditions label different
images. The first order of a condition holds the place: its first task. Nothing else has to be
remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from budget.tariff import expected_cost
from hpo.settings.config import StudyConfig
from labeling.types import Condition, Ints, Order

FEWEST = 500
"""Images of a pool from which conditions begin at different places.

In smaller pools the choice of images adds more luck to a comparison than further images are worth:
on 310 images with noisy annotators the recommended plan lost up to two points.
"""


ANSWERS = 2
"""Answers an image that the budget could pay, from which all conditions begin at the first image.

Then most images get labels anyway, and conditions are compared best on the same images. With 4
answers an image the recommended plan lost .8 points (standard error .3, six studies); with 1.6 it
lost none.
"""


def moves(config: StudyConfig, pool: Ints) -> bool:
    """Whether the conditions of a study begin at places of their own."""
    return not config.delivers and len(pool) >= FEWEST


def is_short(config: StudyConfig, pool: Ints) -> bool:
    """Whether a budget pays few answers an image, at the lowest price and without extras."""
    suites = -(-ANSWERS * len(pool) // config.suite_size)
    return config.budget < expected_cost(config.tariff, suites, config.rate(min(config.price)))


def beginning(condition: Condition, pool: Ints, orders: Iterable[Order], short: bool) -> int:
    """The place in the pool at which a condition's plans begin.

    Args:
        condition: the condition.
        pool: [n] the pool's rows in the study's order.
        orders: all orders of the study, in the sequence of their creation.
        short: whether the study's budget is short for the pool.
    """
    place = {int(row): at for at, row in enumerate(pool)}
    asked = np.zeros(len(pool), dtype=np.int64)
    for order in orders:
        if order.condition.key == condition.key:
            return place.get(order.wanted[0][0], 0)
        _count(asked, order.wanted, place)
    return int(asked.argmin()) if short else 0


def _count(asked: Ints, wanted: Sequence[tuple[int, int]], place: dict[int, int]) -> None:
    for task, count in wanted:
        if task in place:
            asked[place[task]] += count

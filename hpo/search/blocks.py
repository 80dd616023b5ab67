"""A growing system of equations, solved by blocks of rows: an added row leaves the others alone.

The Cholesky factor of a matrix that grows keeps its rows (Golub and Van Loan 2013, "Matrix
Computations", section 4.2.9). So a full block of evaluations is factored and solved once, and a
decision works on the last block alone. Blocks have fixed places: a process that starts in the
middle of a study computes the same numbers as one that has kept them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from labeling.types import Floats

BLOCK = 128  # rows

Made = TypeVar("Made")
Kept = list[tuple[bytes, Made]]
"""Results of full blocks by place, each with a hash of all that it was made from."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A block of k rows of a lower triangular factor.

    Attributes:
        left: the columns of each earlier block, [k, BLOCK].
        own: [k, k] the block's own columns.
    """

    left: tuple[Floats, ...]
    own: Floats

    def solve(self, right: Floats, earlier: Sequence[Floats]) -> Floats:
        """These rows of the solution of factor @ solution = right.

        Args:
            right: [k, m] or [k] these rows of the right side.
            earlier: the solution's rows of each earlier block.
        """
        from scipy.linalg import solve_triangular

        for part, known in zip(self.left, earlier, strict=True):
            right = right - part @ known
        return np.asarray(solve_triangular(self.own, right, lower=True, check_finite=False))


def grow(blocks: Sequence[Rows], cross: Sequence[Floats], within: Floats) -> Rows:
    """The next block of the Cholesky factor of a matrix.

    Args:
        blocks: the factor so far.
        cross: the matrix's new rows in the columns of each earlier block, [k, BLOCK].
        within: [k, k] the same in the new columns.
    """
    turned: list[Floats] = []
    for block, part in zip(blocks, cross, strict=True):
        turned.append(block.solve(part.T, turned))
    for part in turned:
        within = within - part.T @ part
    return Rows(tuple(part.T for part in turned), np.asarray(np.linalg.cholesky(within)))


def recall(kept: Kept[Made], place: int, key: bytes, rows: int, make: Callable[[], Made]) -> Made:
    """The result of a block; made, and kept where the block is full, unless it is there.

    Args:
        kept: results of earlier calls.
        place: the block's.
        key: hash of all that the result is made from.
        rows: the block's.
        make: makes the result.
    """
    if place < len(kept) and kept[place][0] == key:
        return kept[place][1]
    made = make()
    if rows == BLOCK:
        kept[place:] = [(key, made)]
    return made

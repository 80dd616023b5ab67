"""The answers of a plan, selected from all answers owned. Pure functions of answers and seeds.

Random choices are ranks of a seeded hash, not draws from a stream. An answer's hash does not depend
on the other answers owned, so a smaller plan's answers are a subset of a larger plan's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labeling.types import Answers, Bools, Floats, Ints


def task_order(
    rows: int | Sequence[int] | Ints, seed: int, strata: NDArray[np.integer] | None = None
) -> Ints:
    """The seeded order of a pool; its prefixes are the nested task sets of plans.

    Args:
        rows: the pool's rows in the image index, or their number n for 0 to n-1.
        seed: seed of the study.
        strata: [N] a group code per row; every prefix then holds the groups nearly in
            proportion: of m rows, group g of n_g gets n_g * m / N, give or take
            1 + n_g * groups / N.

    Returns:
        [N] the rows, permuted.
    """
    pool = np.arange(rows) if isinstance(rows, int) else np.asarray(rows, dtype=np.int64)
    draw = _uniform(seed, "task order", pool)
    if strata is None:
        return pool[np.argsort(draw, kind="stable")]
    _, group, sizes = np.unique(np.asarray(strata), return_inverse=True, return_counts=True)
    offset = _uniform(seed, "stratum", np.arange(len(sizes)))
    place = (_rank_within(group, draw) + offset[group]) / sizes[group]
    return pool[np.lexsort((draw, place))]


def select(answers: Answers, tasks: Sequence[int] | Ints, overlap: int, seed: int) -> Answers:
    """A plan's answers out of all answers of its condition: the rows of `selection`."""
    return answers.where(selection(answers, tasks, overlap, seed))


def selection(answers: Answers, tasks: Sequence[int] | Ints, overlap: int, seed: int) -> Bools:
    """The answers of a plan, out of all answers of its condition.

    A plan keeps at most `overlap` usable answers to each of its tasks. It keeps the same share of
    an annotator's control answers as of the annotator's usable answers to real tasks, rounded up or
    down at random in proportion: all at share 1, none at share 0. So a small plan knows its
    annotators no better than if the plan had been bought alone.

    Control answers are evidence on an annotator, not labels. They count whether or not they are
    usable, if the annotator has kept answers: a later order may ban an annotator for failed control
    tasks, while the annotator's earlier answers stay. The plan leaves out annotators without any
    usable answer.

    Args:
        answers: all answers of the condition.
        tasks: the plan's tasks.
        overlap: most usable answers per task.
        seed: seed of the study.

    Returns:
        A mask over the answers. A plan with fewer tasks or less overlap keeps a subset.
    """
    real = answers.usable & ~answers.control
    own = real & np.isin(answers.task, np.asarray(tasks, dtype=np.int64))
    draw = _uniform(seed, "thinning", answers.task, answers.annotator)
    kept = _lowest(own, answers.task, draw, np.full(len(answers), overlap))

    people = int(answers.annotator.max(initial=-1)) + 1
    owned_by = np.bincount(answers.annotator[real], minlength=people)
    kept_by = np.bincount(answers.annotator[kept], minlength=people)
    controls_by = np.bincount(answers.annotator[answers.control], minlength=people)
    rounding = _uniform(seed, "control share", np.arange(people))
    quota = np.floor(controls_by * kept_by / np.maximum(owned_by, 1) + rounding).astype(np.int64)
    thinned = _lowest(answers.control, answers.annotator, draw, quota[answers.annotator])
    return kept | thinned


def _lowest(mask: Bools, group: Ints, draw: Floats, most: Ints) -> Bools:
    """The rows of the mask whose draw is among the `most` lowest of their group."""
    rows = np.flatnonzero(mask)
    chosen = np.zeros(len(mask), dtype=np.bool_)
    chosen[rows] = _rank_within(group[rows], draw[rows]) < most[rows]
    return chosen


def _rank_within(group: Ints, draw: Floats) -> Ints:
    """Rank of each row by its draw among the rows of its group, from 0; ties by position."""
    order = np.lexsort((draw, group))
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)])
    sizes = np.diff(np.r_[starts, len(ordered)])
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(ordered)) - np.repeat(starts, sizes)
    return rank


def _uniform(seed: int, purpose: str, *columns: Ints) -> Floats:
    """Uniform numbers in [0, 1), each a hash of (seed, purpose, row of the columns)."""
    key = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    state = np.full(len(columns[0]), int.from_bytes(key, "little"), dtype=np.uint64)
    for column in columns:
        state = _mix(state ^ _mix(column.astype(np.uint64)))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's step and finalizer (Steele, Lea and Flood 2014), modulo 2^64."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))

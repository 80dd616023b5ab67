"""Recompletion: what a ban took away is asked again, round by round, within an order's limit.

Pure arithmetic on arrays, for any client that raises the overlap of tasks: it looks when no
assignment is active any more, counts what is missing, and asks for as much of it as the
assignments left can carry.
"""

from __future__ import annotations

import numpy as np

from labeling.types import Bools, Ints, Order


def wanted_arrays(order: Order) -> tuple[Ints, Ints]:
    """An order's tasks and the answers wanted on each, both [n], in the order's sequence."""
    pairs = np.array(order.wanted, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def missing_answers(tasks: Ints, wanted: Ints, answered: Ints, usable: Bools) -> Ints:
    """Usable answers still missing on each task.

    Args:
        tasks: [n] rows of the tasks, all different.
        wanted: [n] usable answers wanted on each.
        answered: [A] row of the task of each answer given; answers to other rows do not count.
        usable: [A] whether the answer's annotator is not banned.

    Returns:
        [n] at least 0.
    """
    rows = 1 + max(int(tasks.max(initial=-1)), int(answered.max(initial=-1)))
    got = np.bincount(answered[usable], minlength=rows)
    lacking: Ints = np.maximum(wanted - got[tasks], 0)
    return lacking


def assignments_left(limit: int, submitted: int, active: int) -> int:
    """Assignments that may still be issued: each active one may yet be submitted."""
    return max(0, limit - submitted - active)


def next_round(missing: Ints, real_per_suite: int, left: int) -> Ints:
    """By how much to raise each task's overlap for the next round.

    All that is missing or, where the assignments left cannot carry it, as much of it as they can,
    the first tasks first.

    Args:
        missing: [n] usable answers missing on each task.
        real_per_suite: tasks of a suite that are not control tasks.
        left: assignments that may still be issued.

    Returns:
        [n] further answers to ask for; all 0 if nothing is missing or no assignment is left.
    """
    before = np.cumsum(missing) - missing
    raised: Ints = np.clip(left * real_per_suite - before, 0, missing)
    return raised

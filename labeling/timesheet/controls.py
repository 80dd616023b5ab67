"""Control tasks of a condition whose annotators submit one task at a time.

Each person meets each control task once at most. So the share of control tasks in a person's work
decides how many of them a condition uses: one more whenever the real tasks have grown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from labeling.seeds import stream
from labeling.types import Condition


def controls_for(
    condition: Condition, answers: int, people: int, rows: Sequence[int], seed: int
) -> list[int]:
    """Rows of the control tasks that a condition uses.

    Args:
        condition: gives the share of control tasks.
        answers: answers to real tasks that its orders have asked for, in all.
        people: who share the work.
        rows: of all control tasks.
        seed: the study's seed.

    Returns:
        A prefix of one order of the rows: a condition that grows keeps those that it had.
    """
    if not condition.controls:
        return []
    share = Fraction(condition.controls, condition.real_per_suite)
    wanted = math.ceil(share * answers / max(1, people))
    shuffled = stream(seed, "control tasks").permutation(sorted(rows))
    return [int(row) for row in shuffled[:wanted]]

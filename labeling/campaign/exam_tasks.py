"""Which control tasks make up the exam: the same whoever runs it, a simulated crowd or a market."""

from __future__ import annotations

import numpy as np

from budget.errors import InputError
from labeling.campaign.campaign import Exam
from labeling.types import Ints


def set_apart(
    exam: Exam | None, shuffled: Ints, truth: Ints, classes: tuple[str, ...]
) -> tuple[Ints, Ints]:
    """Split control tasks into the exam's and those that are mixed into suites.

    Args:
        exam: the exam, or None where there is none.
        shuffled: [G] rows of all control tasks, in the order in which they are taken.
        truth: [G] class code of each of them.
        classes: names of the classes, by code.

    Returns:
        The exam's rows, in its composition's order, and the other rows, as they were shuffled.

    Raises:
        InputError: there are fewer control tasks, of a class or in all, than the exam asks for.
    """
    if exam is None:
        return shuffled[:0], shuffled
    if exam.tasks > len(shuffled):
        raise InputError(
            f"exam: {exam.tasks} exam tasks, but there are {len(shuffled)} control tasks; "
            "give more control tasks or ask fewer"
        )
    if not exam.composition:
        return shuffled[: exam.tasks], shuffled[exam.tasks :]
    places: list[int] = []
    for name, count in exam.composition:
        found = np.flatnonzero(truth == classes.index(name))
        if count > len(found):
            raise InputError(
                f"exam: {count} exam tasks of class {name!r}, but {len(found)} control tasks have "
                "it; give more control tasks of this class"
            )
        places += found[:count].tolist()
    return shuffled[places], np.delete(shuffled, places)

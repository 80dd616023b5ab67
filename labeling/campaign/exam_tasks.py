"""The control tasks that make up the exam: a simulated crowd and a platform take the same."""

from __future__ import annotations

import numpy as np

from budget.errors import InputError
from labeling.campaign.campaign import Exam
from labeling.types import Ints


def set_apart(
    exam: Exam | None, shuffled: Ints, truth: Ints, classes: tuple[str, ...]
) -> tuple[Ints, Ints]:
    """Split control tasks into exam tasks and tasks that are mixed into suites.

    Args:
        exam: the exam, or None.
        shuffled: [G] rows of all control tasks; the exam takes the first ones.
        truth: [G] class code of each control task.
        classes: names of the classes, by code.

    Returns:
        The exam's rows, in the order of its composition, and the other rows, in their given order.

    Raises:
        InputError: fewer control tasks, of a class or in all, than the exam needs.
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
        rows = np.flatnonzero(truth == classes.index(name))
        if count > len(rows):
            raise InputError(
                f"exam: {count} exam tasks of class {name!r}, but {len(rows)} control tasks have "
                "it; give more control tasks of this class"
            )
        places += rows[:count].tolist()
    return shuffled[places], np.delete(shuffled, places)

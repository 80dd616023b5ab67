"""Exams of a stated composition: so many tasks of each class, the rest stays for the suites."""

from __future__ import annotations

import numpy as np
import pytest

from budget.errors import InputError
from labeling.campaign.campaign import Exam
from labeling.campaign.exam_tasks import set_apart

CLASSES = ("solid", "liquid", "other")
SHUFFLED = np.arange(100, 150)[::-1].copy()
TRUTH = SHUFFLED % 3


def test_the_composition_is_kept_in_its_order_and_nothing_is_used_twice() -> None:
    exam = Exam(10, 10, (("other", 1), ("solid", 5), ("liquid", 4)))
    sat, rest = set_apart(exam, SHUFFLED, TRUTH, CLASSES)
    assert (sat % 3).tolist() == [2] + [0] * 5 + [1] * 4
    assert sorted([*sat, *rest]) == sorted(SHUFFLED)
    assert rest.tolist() == [row for row in SHUFFLED if row not in sat]  # order as shuffled


def test_without_a_composition_the_first_are_taken_and_without_an_exam_none() -> None:
    sat, rest = set_apart(Exam(10), SHUFFLED, TRUTH, CLASSES)
    assert sat.tolist() == SHUFFLED[:10].tolist()
    assert rest.tolist() == SHUFFLED[10:].tolist()
    assert len(set_apart(None, SHUFFLED, TRUTH, CLASSES)[0]) == 0


@pytest.mark.parametrize(
    ("exam", "said"),
    [
        (Exam(51), "51 exam tasks, but there are 50 control tasks"),
        (Exam(18, 18, (("solid", 18),)), "18 exam tasks of class 'solid', but 16 control tasks"),
    ],
)
def test_too_few_control_tasks_are_named(exam: Exam, said: str) -> None:
    with pytest.raises(InputError, match=said):
        set_apart(exam, SHUFFLED, TRUTH, CLASSES)

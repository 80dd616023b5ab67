"""Contained plans: what a smaller plan sees of a larger purchase."""

from __future__ import annotations

import numpy as np

from labeling.aggregation.selection import select, task_order
from labeling.types import Answers


def made(rows: list[tuple[int, int, int, bool, bool]]) -> Answers:
    """Answers from (task, annotator, label, control, usable)."""
    columns = list(zip(*rows, strict=True))
    return Answers(
        *(np.array(column, dtype=np.int64) for column in columns[:3]),
        *(np.array(column, dtype=np.bool_) for column in columns[3:]),
    )


def crowd(tasks: int, overlap: int, people: int, seed: int = 0) -> Answers:
    """A condition's answers: overlap per task, and a control answer after every 9th."""
    rng = np.random.default_rng(seed)
    rows = []
    for task in range(tasks):
        for annotator in rng.permutation(people)[:overlap]:
            rows.append((task, int(annotator), int(rng.integers(3)), False, True))
            if len(rows) % 10 == 9:
                rows.append((1000 + len(rows) % 50, int(annotator), 1, True, True))
    return made(rows)


def test_the_order_of_a_pool_is_a_permutation_of_its_rows() -> None:
    rows = np.array([7, 3, 11, 20, 4])
    assert sorted(task_order(rows, 1)) == sorted(rows)
    assert sorted(task_order(6, 1)) == list(range(6))
    assert task_order(0, 1).tolist() == []


def test_the_order_depends_on_the_seed_alone() -> None:
    assert task_order(100, 1).tolist() == task_order(100, 1).tolist()
    assert task_order(100, 1).tolist() != task_order(100, 2).tolist()
    # written down once: the same on every machine and with every version of numpy
    assert task_order(8, 20).tolist() == [2, 3, 5, 4, 0, 1, 7, 6]


def test_every_place_of_the_order_is_equally_likely() -> None:
    seeds, n = 2000, 10
    first = np.bincount([task_order(n, seed)[0] for seed in range(seeds)], minlength=n)
    # binomial standard error of each count: sqrt(2000 * .1 * .9) = 13.4; 5 of them
    assert np.abs(first - seeds / n).max() < 67


def test_every_prefix_holds_the_strata_in_proportion() -> None:
    strata = np.repeat([4, 9, 2], [500, 60, 7])
    order = task_order(len(strata), 3, strata)
    for group, size in ((4, 500), (9, 60), (2, 7)):
        seen = np.cumsum(strata[order] == group)
        expected = np.arange(1, len(strata) + 1) * size / len(strata)
        assert np.abs(seen - expected).max() <= 1 + size * 3 / len(strata)


def test_a_plan_that_needs_all_sees_all() -> None:
    owned = crowd(60, 3, 12)
    found = select(owned, list(range(60)), 3, seed=1)
    assert len(found) == len(owned)
    assert found.task.tolist() == owned.task.tolist()


def test_a_plan_sees_its_tasks_only_and_at_most_its_overlap() -> None:
    found = select(crowd(60, 5, 12), list(range(20)), 2, seed=1)
    real = found.where(~found.control)
    assert np.bincount(real.task, minlength=60).tolist() == [2] * 20 + [0] * 40


def test_control_answers_are_thinned_in_proportion_for_each_annotator() -> None:
    owned = crowd(400, 5, 8)
    found = select(owned, list(range(200)), 2, seed=1)
    for person in range(8):
        mine, kept = owned.where(owned.annotator == person), found.where(found.annotator == person)
        share = (~kept.control).sum() / (~mine.control).sum()
        assert abs(kept.control.sum() - share * mine.control.sum()) < 1


def test_thinned_control_answers_are_unbiased_where_there_are_few() -> None:
    # 40 annotators with one control answer each and a fifth of their answers kept
    rows = []
    for person in range(40):
        rows += [(task, person, 0, False, True) for task in range(5 * person, 5 * person + 5)]
        rows.append((1000, person, 1, True, True))
    owned = made(rows)
    kept = [select(owned, list(range(0, 200, 5)), 1, seed).control.sum() for seed in range(200)]
    # mean 40 / 5 = 8; standard error sqrt(40 * .2 * .8 / 200) = .18; 5 of them
    assert abs(np.mean(kept) - 8) < 0.9


def test_unusable_answers_are_not_seen() -> None:
    owned = made(
        [
            (0, 0, 1, False, True),
            (0, 1, 2, False, False),  # banned: neither the vote nor the control answer counts
            (100, 1, 2, True, False),
            (100, 0, 1, True, True),
        ]
    )
    found = select(owned, [0], 3, seed=1)
    assert found.annotator.tolist() == [0, 0]


def test_failures_of_a_later_order_count_against_earlier_answers_that_stay() -> None:
    owned = made(
        [
            (0, 0, 1, False, True),
            (100, 0, 1, True, True),
            (1, 0, 1, False, False),  # a later order, in which annotator 0 was banned
            (101, 0, 2, True, False),
        ]
    )
    found = select(owned, [0, 1], 1, seed=1)
    assert found.task.tolist() == [0, 100, 101]


def test_more_answers_in_the_condition_leave_the_ranks_of_the_old_ones() -> None:
    grown = crowd(60, 5, 12)
    early = grown.where((grown.annotator < 9) | grown.control)
    kept = select(grown, list(range(60)), 1, seed=1)
    old = select(early, list(range(60)), 1, seed=1)
    pairs = set(zip(old.task.tolist(), old.annotator.tolist(), strict=True))
    kept_real = kept.where(~kept.control & (kept.annotator < 9))
    assert set(zip(kept_real.task.tolist(), kept_real.annotator.tolist(), strict=True)) <= pairs


def test_nothing_owned_gives_nothing() -> None:
    empty = crowd(1, 1, 1).where(np.zeros(1, dtype=np.bool_))
    assert len(select(empty, [0], 1, seed=1)) == 0

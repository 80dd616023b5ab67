"""Statistics of agreement: of answers with the truth, and of answers with each other."""

from __future__ import annotations

import numpy as np

from labeling.recorded.recording import Recording
from labeling.types import Floats, Ints

_DRAWS = (5, 20)  # smallest and largest number of random choices of k answers per task
_DRAWN = 20_000  # tasks drawn in all, within these bounds
_FEWEST_TASKS = 30  # fewest tasks for a point of a curve
_FEWEST_ANSWERS = 10  # fewest answers of an annotator for a quantile of accuracy
_FEWEST_PEOPLE = 20  # fewest annotators for the accuracy of the busiest of them


def counts_of(recording: Recording) -> Ints:
    """Number [N, C] of answers per task and class."""
    return _counts(recording.task, recording.label, len(recording.tasks), len(recording.classes))


def majority_curve(recording: Recording, most: int, rng: np.random.Generator) -> Floats:
    """Accuracy of the majority of k answers drawn without replacement, for k = 1 to `most`.

    A tie counts in part, as a random choice among the leading classes. Each k is measured on the
    tasks of known truth with at least k answers; NaN for fewer than 30 tasks.

    Returns:
        [most] shares between 0 and 1.
    """
    curve, draws = np.zeros(most), _draws(recording)
    for _ in range(draws):
        rank = shuffled_rank(recording.task, rng)
        for k in range(1, most + 1):
            tasks = (recording.answers_per_task >= k) & (recording.gold >= 0)
            first = recording.where(rank < k)
            credit = _credit(counts_of(first)[tasks], recording.gold[tasks])
            curve[k - 1] += credit.mean() if len(credit) >= _FEWEST_TASKS else np.nan
    return curve / draws


def prediction_curve(recording: Recording, most: int, rng: np.random.Generator) -> Floats:
    """Share of tasks on which the majority of k answers equals a further answer; needs no truth.

    Returns:
        [most] shares between 0 and 1; NaN if fewer than 30 tasks have k + 1 answers.
    """
    curve, draws = np.zeros(most), _draws(recording)
    for _ in range(draws):
        rank = shuffled_rank(recording.task, rng)
        for k in range(1, most + 1):
            next_label = np.full(len(recording.tasks), -1, dtype=np.int64)
            next_label[recording.task[rank == k]] = recording.label[rank == k]
            tasks = next_label >= 0
            credit = _credit(counts_of(recording.where(rank < k))[tasks], next_label[tasks])
            curve[k - 1] += credit.mean() if len(credit) >= _FEWEST_TASKS else np.nan
    return curve / draws


def pairwise_agreement(recording: Recording) -> float:
    """Share of pairs of answers to the same task that agree."""
    counts = counts_of(recording)
    total = counts.sum(axis=1)
    pairs = float((total * (total - 1)).sum())
    return float((counts * (counts - 1)).sum()) / pairs if pairs else float("nan")


def fleiss_kappa(recording: Recording) -> float:
    """Agreement beyond that of random answers with the classes' shares (Fleiss 1971).

    (P - P_e) / (1 - P_e), with P over all pairs, so that tasks may differ in number of answers.
    """
    shares = np.bincount(recording.label) / len(recording)
    by_chance = float((shares**2).sum())
    return (pairwise_agreement(recording) - by_chance) / max(1 - by_chance, 1e-12)


def unanimous_share(recording: Recording) -> float:
    """Share of tasks whose answers all agree, among the tasks with two or more answers."""
    counts = counts_of(recording)
    counts = counts[counts.sum(axis=1) >= 2]
    return float((counts.max(axis=1) == counts.sum(axis=1)).mean()) if len(counts) else float("nan")


def accuracy(recording: Recording) -> float:
    """Share of right answers among the answers to tasks of known truth."""
    true = recording.gold[recording.task]
    return float((recording.label == true)[true >= 0].mean()) if (true >= 0).any() else float("nan")


def wrong_answers_agree(recording: Recording) -> float:
    """Share of pairs of wrong answers to the same task of known truth that agree; NaN for none."""
    rows = np.flatnonzero(recording.gold >= 0)
    wrong = counts_of(recording)[rows]
    wrong[np.arange(len(rows)), recording.gold[rows]] = 0
    total = wrong.sum(axis=1)
    pairs = float((total * (total - 1)).sum())
    return float((wrong * (wrong - 1)).sum()) / pairs if pairs else float("nan")


def activity(seen: Ints | Floats) -> Floats:
    """Log number of each annotator's answers, less its mean over all answers.

    Args:
        seen: [J] answers of each annotator; annotators without answers get 0.
    """
    log = np.log(np.maximum(seen, 1))
    return np.where(seen > 0, log - np.average(log, weights=np.maximum(seen, 1e-12)), 0.0)


def busiest_accuracy(recording: Recording, share: float) -> float:
    """Accuracy of all answers of the busiest annotators; NaN without ids or with few people.

    Args:
        recording: the answers.
        share: share of the annotators with answers of known truth who count as the busiest.
    """
    if recording.annotator is None:
        return float("nan")
    right, seen = right_by_annotator(recording)
    order = np.argsort(-seen, kind="stable")[: round(share * int((seen > 0).sum()))]
    if (seen > 0).sum() < _FEWEST_PEOPLE:
        return float("nan")
    return float(right[order].sum() / seen[order].sum())


def annotator_accuracy(recording: Recording, quantiles: Floats) -> Floats:
    """Quantiles of the annotators' accuracies, over those with ten answers of known truth.

    Returns:
        One number per quantile; NaN without annotator ids or with fewer than five annotators.
    """
    if recording.annotator is None:
        return np.full(len(quantiles), np.nan)
    right, seen = right_by_annotator(recording)
    enough = seen >= _FEWEST_ANSWERS
    if enough.sum() < 5:
        return np.full(len(quantiles), np.nan)
    return np.asarray(np.quantile(right[enough] / seen[enough], quantiles), dtype=np.float64)


def right_by_annotator(recording: Recording) -> tuple[Ints, Ints]:
    """Right answers [J], and answers [J] to tasks of known truth, by annotator code."""
    assert recording.annotator is not None  # noqa: S101 - callers have looked
    true = recording.gold[recording.task]
    people = int(recording.annotator.max()) + 1
    right = np.bincount(recording.annotator[recording.label == true], minlength=people)
    seen = np.bincount(recording.annotator[true >= 0], minlength=people)
    return right.astype(np.int64), seen.astype(np.int64)


def right_cells(recording: Recording, answers: int) -> Floats:
    """Shares of tasks with 0, 1, ... right answers, among the tasks with exactly `answers`."""
    counts = counts_of(recording)
    rows = np.flatnonzero((counts.sum(axis=1) == answers) & (recording.gold >= 0))
    right = counts[rows, recording.gold[rows]]
    return np.bincount(right, minlength=answers + 1) / max(len(rows), 1)


def shuffled_rank(group: Ints, rng: np.random.Generator) -> Ints:
    """Each row's rank [A], from 0, in a random order of the rows of its group."""
    order = np.lexsort((rng.random(len(group)), group))
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)])
    sizes = np.diff(np.r_[starts, len(ordered)])
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(ordered)) - np.repeat(starts, sizes)
    return rank


def _draws(recording: Recording) -> int:
    fewest, most = _DRAWS
    return min(max(_DRAWN // max(len(recording.tasks), 1), fewest), most)


def _counts(task: Ints, label: Ints, tasks: int, classes: int) -> Ints:
    flat = np.bincount(task * classes + label, minlength=tasks * classes)
    return flat.reshape(tasks, classes).astype(np.int64)


def _credit(counts: Ints, label: Ints) -> Floats:
    """Credit [n] for naming a label: 1 if it alone leads, 1/m if m classes lead, else 0."""
    front = counts == counts.max(axis=1, keepdims=True)
    return np.asarray(front[np.arange(len(label)), label] / front.sum(axis=1), dtype=np.float64)

"""Fit: from recorded answers to a scenario, with the goodness of the fit.

The fit estimates the parameters that answers can tell: difficulty of items (Beta), spread of skill
and its change with the number of answers, share of spammers, share of wrong answers on the item's
own distractor, class confusion, and seconds per task. All other parameters, above all the effects
of the price, stay the base scenario's: the answers do not depend on them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from budget.errors import InputError
from labeling.crowd.fitting import agreement as agree
from labeling.crowd.fitting.degenerate import degenerate
from labeling.crowd.fitting.goodness import GoodnessRow, goodness
from labeling.crowd.fitting.likelihood import (
    FittedCrowd,
    Tallies,
    answer_chances,
    maximise,
    spam_odds,
)
from labeling.crowd.scenario import Scenario, load_scenario, scenario_text
from labeling.recorded.recording import Recording
from labeling.types import Floats, Ints

_FEWEST_TASKS = 30  # fewest tasks with two answers for a fit
_FEWEST_GOLD = 50  # fewest tasks of known truth; below, the truth counts as unknown
_FEWEST_PEOPLE = 5
_ACTIVE = (20, 0.2)  # fewest annotators, and least spread of their activity, to tell its effect
_CAMPS = 6  # largest number of an item's classes that are counted singly without known truth
_FEWEST_WRONG = 100  # fewest wrong answers per true class for the confusion table
_FEWEST_PAIRS = 100  # fewest pairs of wrong answers to the same item for the distractor share


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted scenario, its goodness of fit, and its caveats."""

    scenario: Scenario
    table: tuple[GoodnessRow, ...]
    caveats: tuple[str, ...]


def fit_scenario(
    recording: Recording, base: Scenario | None = None, name: str = "fitted", seed: int = 0
) -> Fit:
    """Estimate a scenario and compare imitations of the recording with it.

    Raises:
        InputError: too few tasks have two answers.
    """
    scenario, caveats = estimate(recording, base, name)
    return Fit(scenario, goodness(recording, scenario, seed), (*caveats, *degenerate(recording)))


def estimate(
    recording: Recording, base: Scenario | None = None, name: str = "fitted"
) -> tuple[Scenario, tuple[str, ...]]:
    """The fitted scenario and the caveats, without the goodness of fit.

    Raises:
        InputError: too few tasks have two answers.
    """
    base = base or load_scenario("default")
    _check(recording)
    caveats: list[str] = []
    with_gold = _knows_truth(recording, caveats)
    tallies = _tally(recording, base.spam_same, with_gold)
    free = _free(tallies, recording, with_gold, caveats)
    spam = 0.1 if "spam" in free else 0.0
    start = FittedCrowd(
        base.error_a, base.error_b, max(base.skill_sd, 0.1), spam, base.distractor_share
    )
    crowd = maximise(tallies, start, free)
    # The items alone decide difficulty, in a second fit: the worth of overlap depends on them.
    if "spam" in free:
        crowd = maximise(replace(tallies, by_right=np.empty(0)), crowd, ("a", "b"))
    fitted: dict[str, Any] = {
        "error_a": crowd.a,
        "error_b": crowd.b,
        "skill_sd": crowd.skill_sd,
        "skill_by_activity": crowd.activity,
        "spammers": crowd.spam,
    }
    if with_gold:
        fitted["confusion"] = _confusion(recording, crowd.spam, base, caveats)
        both = _both_tried(crowd, tallies)
        share = _distractor(recording, both, fitted["confusion"], caveats)
    else:
        # The likelihood's share counts all wrong answers, the scenario's only those of annotators
        # who tried: pairs of wrong answers agree as often under both.
        share = min(0.99, crowd.distractor / math.sqrt(_both_tried(crowd, tallies)))
    # Of two classes only one is wrong: the share means nothing.
    if share is not None and tallies.classes > 2:
        fitted["distractor_share"] = share
    fitted |= _times(recording, spam_odds(crowd, tallies), base, caveats)
    about = f"fitted to {len(recording)} answers to {len(recording.tasks)} tasks"
    fixed = dict.fromkeys(("careless", "skill_mean", "learning", "fatigue"), 0.0)
    changes: dict[str, Any] = {
        **fixed,
        "error_scale": 1.0,
        "name": name,
        "about": f"{about} of {recording.source}",
        **{key: _rounded(value) for key, value in fitted.items()},
    }
    return replace(base, **changes), tuple(caveats)


def _check(recording: Recording) -> None:
    enough = int((recording.answers_per_task >= 2).sum())
    if enough < _FEWEST_TASKS:
        raise InputError(
            f"{recording.source}: fewer than two answers per task: {enough} tasks have two, and a "
            f"fit needs at least {_FEWEST_TASKS}; collect a second answer to more tasks"
        )


def _knows_truth(recording: Recording, caveats: list[str]) -> bool:
    with_truth = int((recording.gold >= 0).sum())
    if with_truth >= _FEWEST_GOLD:
        if with_truth < len(recording.tasks):
            caveats.append(f"accuracy is measured on the {with_truth} tasks of known truth only")
        return True
    caveats.append(
        "without known truth, difficulty and skill are read from agreement: an error that most "
        "annotators share looks like the truth, so accuracy is rather too high"
    )
    return False


def _free(
    tallies: Tallies, recording: Recording, with_gold: bool, caveats: list[str]
) -> tuple[str, ...]:
    free: tuple[str, ...] = ("a", "b")
    people = 0 if recording.annotator is None else len(np.unique(recording.annotator))
    if people >= _FEWEST_PEOPLE:
        free += ("skill_sd", "spam")
        if people >= _ACTIVE[0] and tallies.spread >= _ACTIVE[1]:
            free += ("activity",)
    else:
        caveats.append(
            "without annotator ids (of at least five people), skill spread stays the base's and "
            "nobody is taken for a spammer: all errors count as difficulty"
        )
    return free if with_gold else (*free, "distractor")


# --- observed counts ---


def _tally(recording: Recording, same: float, with_gold: bool) -> Tallies:
    counts = agree.counts_of(recording)
    classes, none = len(recording.classes), np.empty(0, dtype=np.int64)
    if with_gold:
        rows = np.flatnonzero((recording.gold >= 0) & (counts.sum(axis=1) > 0))
        pairs = np.c_[counts[rows, recording.gold[rows]], counts[rows].sum(axis=1)]
        unique, items = np.unique(pairs, axis=0, return_counts=True)
        shares = np.bincount(recording.gold[rows], minlength=classes) / len(rows)
        right, answers, splits = unique[:, 0], unique[:, 1], none.reshape(0, 0)
    else:
        camps = -np.sort(-counts[counts.sum(axis=1) >= 2], axis=1)
        total = camps.sum(axis=1)
        unique, items = np.unique(np.c_[total, camps[:, :_CAMPS]], axis=0, return_counts=True)
        right, answers, splits = none, unique[:, 0], unique[:, 1:]
        shares = np.bincount(recording.label, minlength=classes) / len(recording)
    by_right, by_answers = _by_annotator(recording, counts, with_gold)
    spread = 0.0
    busy = by_answers[:0]
    if recording.annotator is not None:
        given = np.bincount(recording.annotator, minlength=len(by_answers))
        busy = agree.activity(given)
        spread = float(np.sqrt(np.average(busy**2, weights=given)))
    return Tallies(
        classes, shares, same, right, answers, items, splits, by_right, by_answers, busy, spread
    )


def _by_annotator(recording: Recording, counts: Ints, with_gold: bool) -> tuple[Floats, Floats]:
    """Right answers (or agreements with the task's other answers) and answers, by annotator."""
    if recording.annotator is None:
        return np.empty(0), np.empty(0)
    if with_gold:
        right, seen = agree.right_by_annotator(recording)
        return right.astype(np.float64), seen.astype(np.float64)
    others = counts.sum(axis=1)[recording.task] - 1
    rows = np.flatnonzero(others > 0)
    same = counts[recording.task, recording.label] - 1
    agreed = same[rows] / others[rows]
    # A share of agreeing answers varies less than one agreement: it counts as several of these.
    worth = agreed.mean() * (1 - agreed.mean()) / max(float(agreed.var()), 1e-9)
    who, people = recording.annotator[rows], int(recording.annotator.max()) + 1
    by_right = np.bincount(who, weights=agreed, minlength=people) * worth
    return by_right, np.bincount(who, minlength=people) * worth


# --- wrong answers ---


def _confusion(
    recording: Recording, spam: float, base: Scenario, caveats: list[str]
) -> tuple[tuple[float, ...], ...]:
    """Weights of the wrong classes; the base's weights if a true class has few wrong answers.

    Spammers' answers fall on all classes alike and are subtracted; one is added to each weight.
    """
    classes = len(recording.classes)
    true = recording.gold[recording.task]
    table = np.zeros((classes, classes))
    has_truth = true >= 0
    np.add.at(table, (true[has_truth], recording.label[has_truth]), 1)
    wrong = table.sum(axis=1) - np.diag(table)
    if classes == 2 or wrong.min() < _FEWEST_WRONG:
        if classes > 2:
            caveats.append(
                f"a class has fewer than {_FEWEST_WRONG} wrong answers: class confusion is left "
                f"{'equal' if len(base.confusion) != classes else 'as in the base'}"
            )
        return base.confusion if len(base.confusion) == classes else ()
    table = np.maximum(table - spam * table.sum(axis=1, keepdims=True) / classes, 0) + 1
    np.fill_diagonal(table, 0)
    table /= table.sum(axis=1, keepdims=True)
    return tuple(tuple(row) for row in np.round(table, 4).tolist())


def _distractor(
    recording: Recording,
    both_tried: float,
    confusion: tuple[tuple[float, ...], ...],
    caveats: list[str],
) -> float | None:
    """Distractor share from the agreement of wrong answers to an item; None if unknown.

    Two wrong answers agree with probability s^2 + (1 - s^2) h, where h is their agreement under
    class confusion alone. A spammer's answer agrees with another answer by chance, 1 / (C - 1).
    """
    classes = len(recording.classes)
    if classes == 2:
        return None
    counts = agree.counts_of(recording)
    observed = agree.wrong_answers_agree(recording)
    rows = np.flatnonzero(recording.gold >= 0)
    wrong, true = counts[rows], recording.gold[rows]
    wrong[np.arange(len(rows)), true] = 0
    pairs = wrong.sum(axis=1) * (wrong.sum(axis=1) - 1)
    if pairs.sum() < 2 * _FEWEST_PAIRS:
        caveats.append("too few pairs of wrong answers: the distractor share stays the base's")
        return None
    weights = np.array(confusion) if confusion else np.ones((classes, classes)) - np.eye(classes)
    weights = weights / weights.sum(axis=1, keepdims=True)
    by_class = np.bincount(true, weights=pairs, minlength=classes) / pairs.sum()
    by_chance = float(by_class @ (weights**2).sum(axis=1))
    honest = (observed - (1 - both_tried) / (classes - 1)) / both_tried
    squared = (honest - by_chance) / (1 - by_chance)
    return float(np.sqrt(np.clip(squared, 0.0, 0.98)))


def _both_tried(crowd: FittedCrowd, tallies: Tallies) -> float:
    """Share of pairs of wrong answers to an item whose annotators both tried."""
    chances = answer_chances(crowd, tallies.classes, tallies.spread)
    tried = (1 - crowd.spam) * (1 - chances.honest)
    return float(chances.items @ tried**2 / (chances.items @ (1 - chances.right) ** 2))


# --- times ---


def _times(
    recording: Recording, spam: Floats, base: Scenario, caveats: list[str]
) -> dict[str, float]:
    """Pace and its spread: one-way analysis of variance of log seconds, by annotator.

    Equal times of one annotator count once: they are a suite's time, divided over its tasks.
    """
    if recording.seconds is None:
        caveats.append("no times were recorded: they stay the base's")
        return {}
    timed = np.isfinite(recording.seconds)
    who = np.zeros(len(recording), dtype=np.int64)
    if recording.annotator is not None:
        who = recording.annotator
    pairs = np.unique(np.c_[who[timed], np.log(recording.seconds[timed])], axis=0)
    code, log = pairs[:, 0].astype(np.int64), pairs[:, 1]
    bad = spam[code] > 0.5 if len(spam) else np.zeros(len(code), dtype=np.bool_)
    pace, between, within = _spreads(code[~bad], log[~bad])
    times = {"task_seconds": pace, "careless_seconds": pace * base.careless_seconds}
    times["careless_seconds"] /= base.task_seconds
    times["spam_seconds"] = pace * base.spam_seconds / base.task_seconds
    if len(np.unique(code[bad])) >= _FEWEST_PEOPLE:
        times["spam_seconds"] = _spreads(code[bad], log[bad])[0]
    if recording.annotator is not None:
        times |= {"seconds_between": between, "seconds_within": within}
    return times


def _spreads(code: Ints, log: Floats) -> tuple[float, float, float]:
    """Median seconds, sd of log seconds between annotators, and sd within an annotator."""
    people, row, seen = np.unique(code, return_inverse=True, return_counts=True)
    mean = np.bincount(row, weights=log) / seen
    freedom = max(len(log) - len(people), 1)
    within = float(((log - mean[row]) ** 2).sum() / freedom)
    typical = float(np.mean(mean))
    between = 0.0
    if len(people) > 1:
        # Means of few times vary more: their sampling variance is no difference of annotators.
        between = float(np.var(mean, ddof=1) - within * np.mean(1 / seen))
    return float(np.exp(typical)), float(np.sqrt(max(between, 0.0))), float(np.sqrt(within))


def _rounded(value: Any) -> Any:
    """A number with four digits: the fit knows no more, and the file is easier to read."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


# --- files ---


def write_scenario(fit: Fit, path: Path) -> None:
    """Write differences from the default scenario as TOML that `load_scenario` reads back.

    Raises:
        InputError: the file cannot be written, or its name does not end in .toml.
    """
    if path.suffix != ".toml":
        raise InputError(f"{path}: a scenario's file ends in .toml; name it {path.stem}.toml")
    notes = [fit.scenario.about, *(f"Note: {caveat}" for caveat in fit.caveats)]
    lines = [f"# {' '.join(note.split())}." for note in notes]
    try:
        path.write_text("\n".join(lines) + "\n" + scenario_text(fit.scenario), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None

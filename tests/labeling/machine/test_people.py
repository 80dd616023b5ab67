"""How people answer, where bans choose whose answers count; and the audit that stands on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from labeling.machine.calibration import calibrate
from labeling.machine.mixing import audit
from labeling.machine.people import NOBODY, PeopleModel, people_of, skills_of, tally_of

CLASSES, SHARES = 5, np.full(5, 0.2)
SUITE = 9  # tasks beside one control task


@dataclass(frozen=True)
class Crowd:
    """Answers of a crowd in which a wrong control answer bans, with all answers before it."""

    people: PeopleModel
    task: np.ndarray
    label: np.ndarray
    annotator: np.ndarray
    skill: float


def answered(rng: np.random.Generator, truth: np.ndarray, skill: np.ndarray | float) -> np.ndarray:
    """Answers that are right with some skill."""
    wrong = (truth + rng.integers(1, CLASSES, len(truth))) % CLASSES
    return np.where(rng.random(len(truth)) < skill, truth, wrong)


def crowd(rng: np.random.Generator, truth: np.ndarray) -> Crowd:
    """Forty annotators; one of eight guesses, and the others differ."""
    count = 40
    skill = np.where(rng.random(count) < 1 / 8, 1 / CLASSES, rng.beta(8, 2, count))
    suites = rng.integers(1, 5, count)
    control = np.repeat(np.arange(count), suites)
    true = rng.integers(0, CLASSES, len(control))
    said = answered(rng, true, skill[control])
    banned = np.isin(np.arange(count), control[said != true])
    who = np.repeat(np.arange(count), suites * SUITE)
    who = who[~banned[who]]
    task = rng.permutation(len(truth))[: len(who)]
    given = np.bincount(who, minlength=count).astype(float)
    left = ~banned[control]
    own = tally_of((said == true)[left], control[left], count)
    lost = tally_of((said == true)[~left], control[~left], count)
    skills = skills_of(own, lost, given)
    people = people_of(said[left], true[left], CLASSES, skills)
    label = answered(rng, truth[task], skill[who])
    return Crowd(people, task, label, who, float(skill[who].mean()))


@pytest.mark.statistics
def test_bans_do_not_make_those_who_are_left_look_better() -> None:
    off, errors = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        made = crowd(rng, rng.integers(0, CLASSES, 1500))
        off.append(made.people.skill - made.skill)
        errors.append(made.people.error)
    assert abs(np.mean(off)) < 0.03  # by their own controls alone, all of them right: .16
    assert np.mean(np.abs(off) < 1.96 * np.array(errors)) > 0.85


@pytest.mark.statistics
@pytest.mark.parametrize(("accuracy", "least", "most"), [(None, 0.0, 0.05), (0.45, 0.9, 1.0)])
def test_an_audit_stops_an_honest_machine_in_a_twentieth_of_cases_at_most(
    accuracy: float | None, least: float, most: float
) -> None:
    """Also with few annotators, few control tasks, and bans; another it stops nearly always.

    Args:
        accuracy: of the machine where it is sure, on the pool; None for as on control tasks.
        least, most: share of audits that find too little agreement.
    """
    stopped, audits = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(1000 + seed)
        truth = rng.integers(0, CLASSES, 1700)
        sure = np.where(rng.random(len(truth)) < 0.5, 0.93, 0.5)
        right = sure.copy()
        if accuracy is not None:
            right[:1500][sure[:1500] > 0.9] = accuracy
        named = answered(rng, truth, right)
        said = np.repeat(((1 - sure) / (CLASSES - 1))[:, None], CLASSES, axis=1)
        said[np.arange(len(truth)), named] = sure
        control = np.arange(1500, 1700)
        read = calibrate(said[control], truth[control], SHARES).read(said)
        made = crowd(rng, truth[:1500])
        top = read.max(axis=1)
        bar = made.people.skill
        mine = top[made.task] >= bar
        if mine.sum() < 50:
            continue
        task = made.task[mine]
        told = audit(
            top[task],
            read[task].argmax(axis=1),
            made.label[mine],
            made.annotator[mine],
            made.people,
            int((top[control] >= bar).sum()),
        )
        audits += 1
        stopped += told.is_too_low
    assert audits > 100
    assert least <= stopped / audits <= most


def test_right_controls_of_those_who_are_left_prove_little_where_many_were_banned() -> None:
    count = 20
    kept = tally_of(np.ones(2 * count, np.bool_), np.repeat(np.arange(count), 2), count)
    lost = tally_of(np.zeros(count, np.bool_), np.arange(count), count)
    given = np.ones(count)
    trusted, doubted = skills_of(kept, NOBODY, given), skills_of(kept, lost, given)
    assert trusted.mean > 0.95
    assert doubted.mean < 0.92
    assert doubted.error > trusted.error


def test_without_any_control_answer_people_are_as_usual_crowds() -> None:
    none = np.zeros(0, np.int64)
    skills = skills_of(NOBODY, NOBODY, np.zeros(0))
    people = people_of(none, none, CLASSES, skills)
    assert people.skill == pytest.approx(0.8, abs=0.05)
    assert people.error > 0.1


def test_an_annotator_is_as_good_as_the_own_controls_and_the_crowd_say() -> None:
    right = np.array([True] * 10 + [True] * 5 + [False] * 5)
    own = tally_of(right, np.repeat([0, 1], 10), 3)
    each = skills_of(own, NOBODY, np.ones(3)).each
    assert each[0] > each[2] > each[1] > 0.45


def test_skills_follow_a_mean_that_is_known_to_be_lower_and_no_higher_one() -> None:
    own = tally_of(np.ones(20, np.bool_), np.repeat([0, 1], [15, 5]), 2)
    skills = skills_of(own, NOBODY, np.ones(2))
    lower = skills.at_most(skills.mean - 0.1)
    assert lower.mean == pytest.approx(float(lower.each.mean()))
    assert lower.each[0] > lower.each[1]
    assert skills.at_most(0.999) is skills

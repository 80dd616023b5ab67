"""Imitations: a recording's tasks, answered by a scenario's annotators on a scenario's items.

An imitation uses the simulated platform's annotators and answer model, without its clock, control
tasks, exam and rules, because a recording does not contain these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from budget.money import Money
from labeling.crowd.fitting.agreement import activity, shuffled_rank
from labeling.crowd.people.answers import CHANCES, answer_model
from labeling.crowd.people.items import make_items
from labeling.crowd.people.people import People, Traits
from labeling.crowd.scenario import Scenario
from labeling.recorded.recording import Recording
from labeling.seeds import stream
from labeling.types import Floats, Ints

_SUITE = 10  # consecutive answers of one person


def blank(truth: Ints, overlap: int, classes: int) -> Recording:
    """A recording whose answers are still empty: `overlap` answers to each task, without ids."""
    tasks = len(truth)
    task = np.tile(np.arange(tasks), overlap)
    names = tuple(map(str, range(classes)))
    label = np.zeros(len(task), dtype=np.int64)
    return Recording(
        "simulated", names, tuple(map(str, range(tasks))), task, label, None, None, truth
    )


def imitate(scenario: Scenario, like: Recording, seed: int) -> Recording:
    """Answer the tasks of a recording again, with simulated annotators.

    Each recorded annotator becomes one person with the same tasks; without ids, a person answers
    ten tasks in a row. A task of unknown truth gets a truth drawn from the shares of the answers;
    the result still has it as unknown. The price does not select annotators here: `selection` is 0.
    """
    classes = len(like.classes)
    rng = stream(seed, "imitation", "order")
    truth = like.gold.copy()
    unknown = np.flatnonzero(truth < 0)
    truth[unknown] = rng.choice(like.label, len(unknown))
    items = make_items(scenario, truth, classes, seed)
    model = answer_model(scenario, items, classes, seed, "imitation")
    person = _persons(like, rng)
    people = int(person.max()) + 1
    # The recording says how active each person is: the scenario's own draw of it does not count.
    traits = _people(replace(scenario, skill_by_activity=0.0), people, seed)
    busy = activity(np.bincount(person, minlength=people))
    skills = traits.skill[:people] + scenario.skill_by_activity * busy
    chance = stream(seed, "imitation", "answers").random((len(like), CHANCES))
    normal = stream(seed, "imitation", "time").standard_normal(len(like))
    label = np.empty(len(like), dtype=np.int64)
    seconds: Floats | None = None if like.seconds is None else np.empty(len(like))
    for who, done, rows in _suites(person, rng):
        kind, skill = int(traits.kind[who]), model.skill_now(float(skills[who]), done)
        tasks = like.task[rows]
        label[rows] = model.labels(kind, skill, float(traits.favourite[who]), tasks, chance[rows])
        if seconds is not None:
            pace, draw = float(traits.pace[who]), float(normal[rows[0]])
            seconds[rows] = model.seconds(kind, pace, tasks, done, draw) / len(rows)
    return replace(like, source=f"imitation of {like.source}", label=label, seconds=seconds)


def _persons(like: Recording, rng: np.random.Generator) -> Ints:
    """The person [A] behind each answer; without ids, ten answers in a row in a random order."""
    if like.annotator is not None:
        return like.annotator
    # Sorted by rank first, answers to a task lie far apart: hardly any person gets a task twice.
    order = np.lexsort((rng.random(len(like)), shuffled_rank(like.task, rng)))
    person = np.empty(len(like), dtype=np.int64)
    person[order] = np.arange(len(like)) // _SUITE
    return person


def _people(scenario: Scenario, count: int, seed: int) -> Traits:
    everyone = replace(scenario, selection=0.0, population=10**8)
    people = People(everyone, Money(2_000), stream(seed, "imitation", "people"))
    # The call draws the row of people up to the last one needed.
    people.next_joining(count)
    return people.traits


def _suites(person: Ints, rng: np.random.Generator) -> Iterator[tuple[int, int, Ints]]:
    """Each person's answers, ten at a time: person, suites done before, rows."""
    order = np.lexsort((rng.random(len(person)), person))
    starts = np.flatnonzero(np.r_[True, np.diff(person[order]) > 0])
    for rows in np.split(order, starts[1:]):
        for first in range(0, len(rows), _SUITE):
            yield int(person[rows[0]]), first // _SUITE, rows[first : first + _SUITE]

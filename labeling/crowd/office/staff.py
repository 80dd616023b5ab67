"""The people of an office: who they are, and what each answers to a task, in how many seconds.

An answer depends on the person, the task and how much the person has worked, on nothing else. So
it is the same whether the engine in process asks, or a script behind a real server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from budget.money import Money
from budget.tariffs.staff import Group
from labeling.crowd.people.answers import CHANCES, answer_model
from labeling.crowd.people.further_questions import FurtherQuestions
from labeling.crowd.people.items import Items
from labeling.crowd.people.opinions import Opinions
from labeling.crowd.people.people import People
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream

_A_DOLLAR = Money(1_000_000)  # a wage changes nothing of who works in an office


@dataclass(frozen=True, slots=True)
class Worked:
    """How much a person has worked.

    Attributes:
        before: answers in the condition before this one.
        today: those of them on the same day.
    """

    before: int = 0
    today: int = 0


@dataclass(frozen=True, slots=True)
class StaffAnswer:
    """A person's answer to a task: a class for each question, and the working time."""

    labels: tuple[int, ...]
    seconds: float


def staff_names(people: int) -> tuple[str, ...]:
    """What the people of an office are called, on every market."""
    return tuple(f"annotator{at + 1}@office.example" for at in range(people))


class OfficeStaff:
    """The people of an office at work in one condition. They are the same in all conditions.

    Args:
        scenario: how able and how fast they are.
        items: truth, difficulty and distractor of every row, for the judged question.
        classes: number of classes of each question, the judged one first.
        further: items or opinions of the other questions.
        judged: the judged question's place among the answers; None if there is none.
        suite_size: answers that the scenario's rates per suite are about.
        seed: the study's seed.
        key: the condition's key.
        shown: class that is shown with each task; None where none is.
        group: the people who answer; None for all.
    """

    def __init__(
        self,
        scenario: Scenario,
        items: Items,
        classes: tuple[int, ...],
        further: tuple[Items | Opinions, ...],
        judged: int | None,
        suite_size: int,
        seed: int,
        key: str,
        shown: Mapping[int, int] | None = None,
        group: Group | None = None,
    ) -> None:
        everybody = staff_names(scenario.office_people)
        self.names = tuple(n for n in everybody if group is None or n in group.members)
        self._places = {name: at for at, name in enumerate(everybody)}
        self._scenario = scenario
        self._traits = People(scenario, _A_DOLLAR, stream(seed, "office")).traits
        self._model = answer_model(scenario, items, classes[0], seed, key)
        self._others = further, classes[1:]
        self._judged = judged
        self._suite = suite_size
        self._seed = seed
        self._key = key
        self._shown = shown

    def answer(self, name: str, task: int, worked: Worked) -> StaffAnswer:
        """What a person answers to a task."""
        person, traits, scenario = self._places[name], self._traits, self._scenario
        rng = stream(self._seed, self._key, name, str(task))
        chance, normal = rng.random((1, CHANCES)), float(rng.standard_normal())
        kind, pace = int(traits.kind[person]), float(traits.pace[person])
        favourite, row = float(traits.favourite[person]), np.array([task])
        skill = float(traits.skill[person])
        skill -= scenario.learning * 0.5 ** (worked.before / self._suite)
        skill -= min(1.0, scenario.fatigue * worked.today / self._suite)
        labels = [int(self._model.labels(kind, skill, favourite, row, chance)[0])]
        is_anchored = self._shown is not None and float(rng.random()) < scenario.anchoring
        if self._shown is not None and is_anchored:
            labels = [self._shown[task]]
        questions, classes = self._others
        if questions:
            words = f"{self._key}/{name}/{task}"
            models = FurtherQuestions(scenario, questions, classes, self._seed, words)
            labels += [int(x) for x in models.labels(person, kind, skill, favourite, row)[0]]
        if self._judged is None:
            labels = labels[1:]
        else:
            labels.insert(self._judged, labels.pop(0))
        seconds = self._model.seconds(kind, pace, row, worked.before // self._suite, normal)
        seconds *= 1.0 if self._shown is None else scenario.prelabel_time
        seconds *= 1 + scenario.question_time * max(0, len(labels) - 1)
        return StaffAnswer(tuple(labels), round(seconds, 3))

"""Further questions on the same page: each has its own model of answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labeling.crowd.people.answers import CHANCES, AnswerModel
from labeling.crowd.people.items import Items
from labeling.crowd.people.opinions import OpinionModel, Opinions
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.types import Floats, Ints


class FurtherQuestions:
    """Answers to all questions except the one that control tasks check.

    Args:
        scenario: the crowd.
        questions: items of each objective question, opinions of each subjective one.
        classes: number of answers of each question.
        seed: the study's seed.
        key: the pool's key.
    """

    def __init__(
        self,
        scenario: Scenario,
        questions: Sequence[Items | Opinions],
        classes: Sequence[int],
        seed: int,
        key: str,
    ) -> None:
        ring = stream(seed, key, "further rings")
        self._models = [
            OpinionModel(scenario, seen, ring)
            if isinstance(seen, Opinions)
            else AnswerModel(scenario, seen, count, ring, stream(seed, "machine", str(at)))
            for at, (seen, count) in enumerate(zip(questions, classes, strict=True))
        ]
        self._rng = stream(seed, key, "further answers")
        self._taste_rng = stream(seed, key, "tastes")
        self._tastes: dict[int, list[Floats]] = {}

    def extend(self, questions: Sequence[Items | Opinions]) -> None:
        """Append rows to every question."""
        for model, seen in zip(self._models, questions, strict=True):
            _extend(model, seen)

    def __len__(self) -> int:
        return len(self._models)

    def labels(self, person: int, kind: int, skill: float, favourite: float, tasks: Ints) -> Ints:
        """An annotator's answers [n, Q] to a suite; arguments as for `AnswerModel.labels`."""
        given = np.empty((len(tasks), len(self)), dtype=np.int64)
        chances = self._rng.random((len(self), len(tasks), CHANCES))
        for at, (model, taste) in enumerate(zip(self._models, self._taste(person), strict=True)):
            if isinstance(model, OpinionModel):
                given[:, at] = model.labels(kind, taste, favourite, tasks, chances[at])
            else:
                given[:, at] = model.labels(kind, skill, favourite, tasks, chances[at])
        return given

    def _taste(self, person: int) -> list[Floats]:
        """An annotator's tastes, drawn at the first suite."""
        if person not in self._tastes:
            self._tastes[person] = [
                model.taste(self._taste_rng) if isinstance(model, OpinionModel) else np.zeros(0)
                for model in self._models
            ]
        return self._tastes[person]


def _extend(model: AnswerModel | OpinionModel, seen: Items | Opinions) -> None:
    if isinstance(model, AnswerModel) and isinstance(seen, Items):
        model.extend(seen)
        return
    if not isinstance(model, OpinionModel) or not isinstance(seen, Opinions):
        raise TypeError("a question with a truth takes items, one of taste takes opinions")
    model.extend(seen)

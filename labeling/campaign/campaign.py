"""A campaign as plain data: the questions to annotators and the quality rules."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from budget.errors import InputError
from budget.money import Money

OBJECTIVE, SUBJECTIVE = "objective", "subjective"


def score_name(kind: str) -> str:
    """What sentences call the score of a model that learns a question, by the question's kind.

    A question of taste has no right answer that a model could be accurate on: its score is 1 minus
    the mean absolute error of the predicted shares, against those of a panel of annotators.
    """
    return "accuracy" if kind == OBJECTIVE else "agreement with the panel"


@dataclass(frozen=True, slots=True)
class Question:
    """One closed question about an image.

    Attributes:
        kind: "objective" if each image has a true answer; "subjective" if annotators may differ:
            then the label is the share of each answer, and no control task can check an answer.
    """

    name: str
    text: str
    classes: tuple[str, ...]
    kind: str = OBJECTIVE

    def __post_init__(self) -> None:
        if self.kind not in (OBJECTIVE, SUBJECTIVE):
            raise InputError(
                f"question {self.name!r}: kind is {self.kind!r}; it must be objective or subjective"
            )


@dataclass(frozen=True, slots=True)
class Exam:
    """An unpaid admission test before the paid pool.

    Attributes:
        tasks: number of exam tasks, taken from the control tasks.
        pass_correct: right answers needed to be admitted.
        composition: (class, number of exam tasks of this class), in the exam's order; empty for
            exam tasks of any class.
    """

    tasks: int = 10
    pass_correct: int = 9
    composition: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        named = sum(count for _, count in self.composition)
        if self.composition and named != self.tasks:
            raise InputError(
                f"exam: its composition names {named} tasks, but it has {self.tasks}; "
                "make the two agree"
            )


WRONG_CONTROLS = "wrong answers to control tasks"
FAST_RESPONSES = "fast responses"
"""Reasons of a ban by a campaign's rules, on every market."""


@dataclass(frozen=True, slots=True)
class QualityRules:
    """Rules by which the platform removes annotators from the pool (a ban).

    Attributes:
        wrong_controls: banned at this many wrong control answers.
        fast_seconds: an assignment submitted in fewer seconds is a fast response.
        fast_responses: banned at this many fast responses; 0 switches the rule off.
    """

    wrong_controls: int = 1
    fast_seconds: float = 13.0
    fast_responses: int = 1


@dataclass(frozen=True, slots=True)
class AdvisedPlan:
    """The plan that a campaign's author advises; a study searches the knobs all the same.

    Attributes:
        price: dollars per task.
        overlap: answers per task.
        controls: control tasks per suite.
        exam: whether the exam must be passed.
    """

    price: Money
    overlap: int
    controls: int
    exam: bool


@dataclass(frozen=True, slots=True)
class Campaign:
    """Questions, instructions and rules for annotators, without price and control tasks.

    Attributes:
        questions: the questions about every image; an annotator answers each once.
        suite_size: tasks in one suite, control tasks included.
        language: language that annotators must read.
        assignment_seconds: an assignment not submitted in this time expires unpaid.
        language_test: only annotators who passed the platform's test of the language see the pool.
        advised: the plan that the campaign advises, or None; it changes nothing for annotators.
    """

    name: str
    questions: tuple[Question, ...]
    instructions: str
    suite_size: int = 10
    exam: Exam = field(default_factory=Exam)
    rules: QualityRules = field(default_factory=QualityRules)
    language: str = "EN"
    assignment_seconds: int = 300
    language_test: bool = False
    advised: AdvisedPlan | None = None

    def __post_init__(self) -> None:
        names = [question.name for question in self.questions]
        if not names or len(set(names)) < len(names):
            raise InputError(
                f"campaign {self.name!r}: questions are {', '.join(names) or 'missing'}; "
                "give at least one, each under a name of its own"
            )
        judged_classes = self.questions[self.judged].classes if self.judged is not None else ()
        for name, _ in self.exam.composition:
            if name not in judged_classes:
                raise InputError(
                    f"campaign {self.name!r}: exam: there is no class {name!r} to take exam tasks "
                    f"of; valid are {', '.join(judged_classes) or 'none, as no answer is right'}"
                )

    def question(self, name: str) -> int:
        """Index of a question, by its name.

        Raises:
            InputError: no question has this name.
        """
        names = [question.name for question in self.questions]
        if name not in names:
            raise InputError(
                f"question {name!r}: the campaign {self.name!r} asks {', '.join(names)}"
            )
        return names.index(name)

    @property
    def judged(self) -> int | None:
        """Index of the question that control tasks and the exam check.

        It is the first objective question; None if all questions are subjective.
        """
        kinds = [question.kind for question in self.questions]
        return kinds.index(OBJECTIVE) if OBJECTIVE in kinds else None

    @property
    def key(self) -> str:
        """Content hash: campaigns with the same key have the same questions and rules."""
        plain = asdict(self)
        plain["questions"] = [_without(asdict(q), ("kind",), q) for q in self.questions]
        plain["exam"] = _without(asdict(self.exam), ("composition",), self.exam)
        plain = _without(plain, ("language_test",), self)
        del plain["advised"]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _without(plain: dict[str, Any], names: tuple[str, ...], owner: Any) -> dict[str, Any]:
    """A mapping without the named fields at their default: a new option changes no old key."""
    defaults = {f.name: f.default for f in fields(owner) if f.default is not MISSING}
    return {k: v for k, v in plain.items() if k not in names or v != defaults[k]}

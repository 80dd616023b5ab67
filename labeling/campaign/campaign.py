"""A campaign: what annotators are asked, and under which rules, as plain data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from budget.errors import InputError
from budget.money import Money

OBJECTIVE, SUBJECTIVE = "objective", "subjective"


@dataclass(frozen=True, slots=True)
class Question:
    """One closed question about an image.

    Attributes:
        kind: "objective" where each image has a true answer; "subjective" where people may differ
            and the label is the share of each answer: no control task can check it.
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
        composition: (class, number of exam tasks of it), in the order in which the exam holds
            them; empty for exam tasks of whatever class.
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
"""Why an annotator is banned by a campaign's rules, on every market."""


@dataclass(frozen=True, slots=True)
class QualityRules:
    """Rules by which the platform removes annotators from the pool (a ban).

    Attributes:
        wrong_controls: banned at this many wrong control answers.
        fast_seconds: an assignment submitted in less time than this is a fast response.
        fast_responses: banned at this many fast responses; 0 switches the rule off.
    """

    wrong_controls: int = 1
    fast_seconds: float = 13.0
    fast_responses: int = 1


@dataclass(frozen=True, slots=True)
class Advised:
    """The plan that a campaign was meant for; a study searches the knobs all the same.

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
    """Everything annotators see and are held to, apart from price and control tasks.

    Attributes:
        questions: asked about every image; one answer to each.
        suite_size: tasks in one suite, control tasks included.
        language: what annotators must read.
        assignment_seconds: an assignment not submitted in this time expires unpaid.
        language_test: only annotators who passed the platform's test of the language see the pool.
        advised: the plan it was meant for, if it names one; no part of what it asks.
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
    advised: Advised | None = None

    def __post_init__(self) -> None:
        names = [question.name for question in self.questions]
        if not names or len(set(names)) < len(names):
            raise InputError(
                f"campaign {self.name!r}: questions are {', '.join(names) or 'missing'}; "
                "give at least one, each under a name of its own"
            )
        known = self.questions[self.judged].classes if self.judged is not None else ()
        for name, _ in self.exam.composition:
            if name not in known:
                raise InputError(
                    f"campaign {self.name!r}: exam: there is no class {name!r} to take exam tasks "
                    f"of; valid are {', '.join(known) or 'none, as no answer is right'}"
                )

    def question(self, name: str) -> int:
        """The place of a question, by its name.

        Raises:
            InputError: there is no such question.
        """
        names = [question.name for question in self.questions]
        if name not in names:
            raise InputError(
                f"question {name!r}: the campaign {self.name!r} asks {', '.join(names)}"
            )
        return names.index(name)

    @property
    def judged(self) -> int | None:
        """The question that control tasks and the exam check: the first objective one, if any."""
        kinds = [question.kind for question in self.questions]
        return kinds.index(OBJECTIVE) if OBJECTIVE in kinds else None

    @property
    def key(self) -> str:
        """Content hash: two campaigns with the same key ask the same under the same rules."""
        plain = asdict(self)
        plain["questions"] = [_without(asdict(q), ("kind",), q) for q in self.questions]
        plain["exam"] = _without(asdict(self.exam), ("composition",), self.exam)
        plain = _without(plain, ("language_test",), self)
        del plain["advised"]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _without(plain: dict[str, Any], names: tuple[str, ...], owner: Any) -> dict[str, Any]:
    """A mapping without those fields that are at their default: keys outlive new options."""
    defaults = {f.name: f.default for f in fields(owner) if f.default is not MISSING}
    return {k: v for k, v in plain.items() if k not in names or v != defaults[k]}

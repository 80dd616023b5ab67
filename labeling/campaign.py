"""A campaign: what annotators are asked, and under which rules, as plain data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from budget.errors import InputError

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
    """

    tasks: int = 10
    pass_correct: int = 9


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
class Campaign:
    """Everything annotators see and are held to, apart from price and control tasks.

    Attributes:
        questions: asked about every image; one answer to each.
        suite_size: tasks in one suite, control tasks included.
        language: what annotators must read.
        assignment_seconds: an assignment not submitted in this time expires unpaid.
        language_test: only annotators who passed the platform's test of the language see the pool.
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

    def __post_init__(self) -> None:
        names = [question.name for question in self.questions]
        if not names or len(set(names)) < len(names):
            raise InputError(
                f"campaign {self.name!r}: questions are {', '.join(names) or 'missing'}; "
                "give at least one, each under a name of its own"
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
        plain = _without(plain, ("language_test",), self)
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _without(plain: dict[str, Any], names: tuple[str, ...], owner: Any) -> dict[str, Any]:
    """A mapping without those fields that are at their default: keys outlive new options."""
    defaults = {f.name: f.default for f in fields(owner) if f.default is not MISSING}
    return {k: v for k, v in plain.items() if k not in names or v != defaults[k]}

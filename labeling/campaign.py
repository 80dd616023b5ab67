"""A campaign: what annotators are asked, and under which rules, as plain data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Question:
    """One closed question about an image."""

    name: str
    text: str
    classes: tuple[str, ...]


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
        suite_size: tasks in one suite, control tasks included.
        assignment_seconds: an assignment not submitted in this time expires unpaid.
    """

    name: str
    questions: tuple[Question, ...]
    instructions: str
    suite_size: int = 10
    exam: Exam = field(default_factory=Exam)
    rules: QualityRules = field(default_factory=QualityRules)
    language: str = "EN"
    assignment_seconds: int = 300

    @property
    def key(self) -> str:
        """Content hash: two campaigns with the same key ask the same under the same rules."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

"""A plan in words. Its key stands beside them only where a command needs it.

Nothing heavy is imported here: a stored answer is printed without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labeling.types import Condition, LabelPlan


def plan_in_words(plan: LabelPlan, suite_size: int | None = None) -> str:
    """A plan in words.

    "686 images, 1 answer each, $0.001 a task, with exam, 1 control task in 10"

    Args:
        plan: the plan.
        suite_size: tasks on a page, control tasks included; None where it is not known.
    """
    rule = plan.dynamic
    answers = _answers(plan.overlap)
    if rule is not None:
        answers = _dynamic(rule.least, rule.most, rule.confidence)
    price, controls = pay_in_words(plan), _controls(plan.controls, suite_size)
    words = _words(plan.tasks, answers, price, plan.exam, controls)
    return f"{words}{_asked(plan.prelabel, plan.group)}"


def pay_in_words(plan: LabelPlan) -> str:
    """What a plan pays: "$0.001 a task", "$18.00 an hour", or "the group's wages"."""
    return _pay(plan.price.exact(), plan.wage, plan.group)


def told_pay_in_words(plan: Mapping[str, Any]) -> str:
    """What a report's plan pays, in the same words."""
    return _pay(plan["price_per_task"]["usd"], plan.get("wage", False), plan.get("group", ""))


def _pay(price: str, is_wage: bool, group: str) -> str:
    if is_wage and group:
        return "the group's wages"
    return f"${price} {'an hour' if is_wage else 'a task'}"


def told_plan_in_words(plan: Mapping[str, Any], suite_size: int | None = None) -> str:
    """A plan of a report in the same words.

    Args:
        plan: as reports hold it.
        suite_size: as for `plan_in_words`.
    """
    answers = _answers(plan["overlap"])
    if "dynamic" in plan:
        answers = _dynamic(*_rule(plan))
    price, controls = told_pay_in_words(plan), _controls(plan["controls"], suite_size)
    words = _words(plan["tasks"], answers, price, plan["exam"], controls)
    return f"{words}{people_in_words(plan)}"


def people_in_words(plan: Mapping[str, Any]) -> str:
    """How and by whom a report's plan is answered: ", predictions shown, answered by seniors"."""
    return _asked(plan.get("prelabel", False), plan.get("group", ""))


def exam_and_people_in_words(plan: Mapping[str, Any]) -> str:
    """The same behind its exam: ", with exam, predictions shown, answered by seniors"."""
    return f"{', with exam' if plan['exam'] else ''}{people_in_words(plan)}"


def condition_people_in_words(condition: Condition) -> str:
    """How and by whom a condition's tasks are answered, in the words of its plans."""
    return _asked(bool(condition.prelabels), condition.group.name if condition.group else "")


def _asked(is_shown: bool, group: str) -> str:
    return f"{', predictions shown' if is_shown else ''}{by_in_words(group)}"


def by_in_words(group: str) -> str:
    """Who answers: ", answered by seniors"; "" for everybody."""
    return f", answered by {group}" if group else ""


def few_answers(plan: Mapping[str, Any]) -> str:
    """The answers to each image of a report's plan, in few words: "2 to 5 answers each"."""
    if "dynamic" not in plan:
        return _answers(plan["overlap"])
    least, most, _ = _rule(plan)
    return _answers(most) if least == most else f"{least} to {counted(most, 'answer')} each"


def controls_in_words(plan: Mapping[str, Any], suite_size: int | None = None) -> str:
    """The control tasks of a report's plan: "1 control task in 10".

    Args:
        plan: as reports hold it.
        suite_size: as for `plan_in_words`.
    """
    return _controls(plan["controls"], suite_size)


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A number with its noun: "1 image", "2,345 images".

    Args:
        count: the number.
        noun: for 1.
        nouns: for more; with an s by default.
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def _words(tasks: int, answers: str, price: str, exam: bool, controls: str) -> str:
    return f"{counted(tasks, 'image')}, {answers}, {price}, {_exam(exam)}, {controls}"


def _rule(plan: Mapping[str, Any]) -> tuple[int, int, float]:
    least, most, sure = plan["dynamic"].removeprefix("dynamic(").removesuffix(")").split(",")
    return int(least), int(most), float(sure)


def _exam(exam: bool) -> str:
    return "with exam" if exam else "without exam"


def _answers(overlap: int) -> str:
    return f"{counted(overlap, 'answer')} each"


def _dynamic(least: int, most: int, confidence: float) -> str:
    if least == most:
        return _answers(most)
    return f"{least} to {counted(most, 'answer')} each until {100 * confidence:.4g} % sure"


def _controls(controls: int, suite_size: int | None) -> str:
    if not controls:
        return "no control tasks"
    share = "a page" if suite_size is None else f"in {suite_size}"
    return f"{counted(controls, 'control task')} {share}"

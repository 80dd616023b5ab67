"""Campaigns as TOML: named templates, and the user's files."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from budget.errors import InputError
from budget.files import regular
from budget.money import ZERO, Money
from budget.toml import parse_toml
from labeling.campaign.campaign import (
    OBJECTIVE,
    AdvisedPlan,
    Campaign,
    Exam,
    QualityRules,
    Question,
)

_T = TypeVar("_T", AdvisedPlan, Campaign, Exam, QualityRules, Question)
_TABLES = {"exam": Exam, "rules": QualityRules, "plan": AdvisedPlan}


def template_names() -> tuple[str, ...]:
    """Names of the campaigns that come with the program."""
    folder = resources.files("labeling.campaign")
    files = (Path(file.name) for file in folder.iterdir())
    return tuple(sorted(file.stem for file in files if file.suffix == ".toml"))


def load_campaign(name_or_path: str, classes: Sequence[str]) -> Campaign:
    """A template by name, or a campaign from a TOML file.

    Args:
        name_or_path: a name of `template_names`, or a file ending in .toml.
        classes: the data's classes; an objective question without classes of its own takes these.

    Raises:
        InputError: unknown template, unreadable file, unknown key or invalid value.
    """
    raw, origin = _raw(name_or_path)
    return _campaign(raw, origin, tuple(classes))


def advised_plan(name_or_path: str) -> AdvisedPlan | None:
    """The plan that a campaign advises, or None; needs no data.

    Raises:
        InputError: unknown template, unreadable file, or an invalid plan.
    """
    raw, origin = _raw(name_or_path)
    if "plan" not in raw:
        return None
    return _make(AdvisedPlan, _plain(raw["plan"], origin), f"{origin}: plan")


def _raw(name_or_path: str) -> tuple[dict[str, Any], str]:
    """A campaign's TOML, and its name for error messages."""
    if name_or_path.endswith(".toml"):
        origin, text = name_or_path, _read(Path(name_or_path))
    elif name_or_path in template_names():
        origin = f"campaign {name_or_path}"
        file = resources.files("labeling.campaign") / f"{name_or_path}.toml"
        text = file.read_text(encoding="utf-8")
    else:
        raise InputError(f"campaign {name_or_path!r} is not known; {_nearest(name_or_path)}")
    return parse_toml(text, origin), origin


def _read(path: Path) -> str:
    try:
        return regular(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such campaign file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, template_names(), n=1, cutoff=0.5)
    valid = f"valid are {', '.join(template_names())} or a .toml file"
    return f"did you mean {close[0]!r}?" if close else valid


def _campaign(raw: Mapping[str, Any], origin: str, classes: tuple[str, ...]) -> Campaign:
    values = dict(raw)
    if "advised" in values:
        raise InputError(f"{origin}: advised: no such setting; did you mean the table [plan]?")
    listed = values.pop("questions", None)
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{origin}: questions: give at least one table [[questions]]")
    questions = [
        _make(Question, {"classes": classes, **_plain(item, origin)}, f"{origin}: questions")
        for item in listed
    ]
    questions = [_like_data(question, classes, origin) for question in questions]
    for name, kind in _TABLES.items():
        if name in values:
            values[name] = _make(kind, _plain(values[name], origin), f"{origin}: {name}")
    if "plan" in values:
        values["advised"] = values.pop("plan")
    values.setdefault("instructions", "")
    campaign = _make(Campaign, {**values, "questions": tuple(questions)}, origin)
    _check(campaign, origin)
    return campaign


def _like_data(question: Question, classes: tuple[str, ...], origin: str) -> Question:
    """An objective question with its classes in the data's order; a subjective one unchanged.

    If none of the question's classes is a class of the data, they stand for the data's classes in
    their order: so a study can be rehearsed on other images. A mixture is refused as a mistake.
    """
    if question.kind != OBJECTIVE:
        return question
    where = f"{origin}: question {question.name!r}"
    if len(question.classes) != len(classes):
        raise InputError(
            f"{where} has {len(question.classes)} classes, the data {len(classes)}; leave its "
            "classes out to ask for the data's"
        )
    if set(question.classes) == set(classes):
        return replace(question, classes=classes)
    if set(question.classes) & set(classes):
        raise InputError(
            f"{where}: its classes are {', '.join(question.classes)}, the data's "
            f"{', '.join(classes)}; name them alike, or leave them out to ask for the data's"
        )
    return question


def stands_for(campaign: Campaign, classes: Sequence[str]) -> str | None:
    """A note if the campaign's classes stand for other classes of the data, else None."""
    for question in campaign.questions:
        if question.kind == OBJECTIVE and question.classes != tuple(classes):
            return (
                f"The answers {', '.join(question.classes)} stand for the data's classes "
                f"{', '.join(classes)}, in this order."
            )
    return None


def _check(campaign: Campaign, origin: str) -> None:
    """Refuse numbers that would keep every annotator out."""
    if not campaign.name or not campaign.suite_size or not campaign.assignment_seconds:
        raise InputError(f"{origin}: name, suite_size and assignment_seconds cannot be empty or 0")
    if campaign.exam.pass_correct > campaign.exam.tasks:
        raise InputError(
            f"{origin}: exam: pass_correct = {campaign.exam.pass_correct} of "
            f"{campaign.exam.tasks} tasks: nobody could pass; give at most {campaign.exam.tasks}"
        )
    for question in campaign.questions:
        if len(set(question.classes)) < max(2, len(question.classes)):
            raise InputError(
                f"{origin}: question {question.name!r}: classes: give at least two, all different"
            )
    if campaign.advised is not None and campaign.advised.controls >= campaign.suite_size:
        raise InputError(
            f"{origin}: plan: {campaign.advised.controls} control tasks leave no room in a suite "
            f"of {campaign.suite_size}"
        )


def _plain(table: object, origin: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise InputError(f"{origin}: {table!r} should be a table")
    return {k: _frozen(v) for k, v in table.items()}


def _frozen(value: object) -> object:
    if isinstance(value, dict):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value


def _make(kind: type[_T], values: Mapping[str, Any], origin: str) -> _T:
    by_name = {field.name: field for field in fields(kind)}
    values = dict(values)
    for key, value in values.items():
        if key not in by_name:
            close = difflib.get_close_matches(key, by_name, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(by_name)}"
            raise InputError(f"{origin}: {key}: no such setting; {hint}")
        values[key] = _typed(value, str(by_name[key].type), f"{origin}: {key}")
    missing = [f.name for f in fields(kind) if f.name not in values and _needed(f)]
    if missing:
        raise InputError(f"{origin}: {missing[0]} is missing")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"{origin}: {error}") from None


def _needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "tuple[str, ...]": (tuple,),
}
_COUNTS = "tuple[tuple[str, int], ...]"


def _typed(value: object, name: str, origin: str) -> object:
    """A TOML value as the type of a campaign's field.

    Raises:
        InputError: another type, or a negative number.
    """
    if name == "Money":
        amount = Money.parse(str(value), origin)
        if amount <= ZERO:
            raise InputError(f"{origin}: {value} is not a positive amount of dollars")
        return amount
    if name == _COUNTS:
        return _counts(value, origin)
    wanted = _TYPES.get(name)
    if wanted is None:
        return value
    wrong_bool = isinstance(value, bool) and bool not in wanted
    if wrong_bool or not isinstance(value, wanted):
        raise InputError(f"{origin}: {value!r} is not of type {name}")
    if isinstance(value, tuple) and not all(isinstance(item, str) for item in value):
        raise InputError(f"{origin}: {value!r} should be a list of texts")
    if isinstance(value, int | float) and not 0 <= value < math.inf:
        raise InputError(f"{origin}: {value} is negative" if value < 0 else f"{origin}: {value}")
    return value


def _counts(value: object, origin: str) -> object:
    pairs = value if isinstance(value, tuple) else ()
    whole = all(isinstance(p, tuple) and type(p[1]) is int and p[1] > 0 for p in pairs)
    if not pairs or not whole:
        raise InputError(f"{origin}: should be a table of numbers above 0, such as {{cat = 5}}")
    return pairs


def sized(campaign: Campaign, suite_size: int) -> Campaign:
    """The campaign with another number of tasks per suite."""
    return replace(campaign, suite_size=suite_size)

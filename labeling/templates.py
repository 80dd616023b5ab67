"""Campaigns as TOML: named templates, and files of one's own."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from budget.errors import InputError
from labeling.campaign import OBJECTIVE, Campaign, Exam, QualityRules, Question

_T = TypeVar("_T", Campaign, Exam, QualityRules, Question)
_TABLES = {"exam": Exam, "rules": QualityRules}


def template_names() -> tuple[str, ...]:
    """Campaigns that come with the program."""
    folder = resources.files("labeling") / "campaigns"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir()))


def load_campaign(name_or_path: str, classes: Sequence[str]) -> Campaign:
    """A template by name, or a campaign from a TOML file.

    Args:
        name_or_path: a name of `template_names`, or a file ending in .toml.
        classes: the data's classes: an objective question that names none asks for these.

    Raises:
        InputError: unknown template, unreadable file, unknown key or a value that cannot be.
    """
    if name_or_path.endswith(".toml"):
        origin, text = name_or_path, _read(Path(name_or_path))
    elif name_or_path in template_names():
        origin = f"campaign {name_or_path}"
        file = resources.files("labeling") / "campaigns" / f"{name_or_path}.toml"
        text = file.read_text(encoding="utf-8")
    else:
        raise InputError(f"campaign {name_or_path!r} is not known; {_nearest(name_or_path)}")
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{origin}: not valid TOML: {error}") from None
    return _campaign(raw, origin, tuple(classes))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such campaign file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, template_names(), n=1, cutoff=0.5)
    known = f"valid are {', '.join(template_names())} or a .toml file"
    return f"did you mean {close[0]!r}?" if close else known


def _campaign(raw: Mapping[str, Any], origin: str, classes: tuple[str, ...]) -> Campaign:
    values = dict(raw)
    listed = values.pop("questions", None)
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{origin}: questions: give at least one table [[questions]]")
    questions = [
        _make(Question, {"classes": classes, **_plain(item, origin)}, f"{origin}: questions")
        for item in listed
    ]
    for question in questions:
        if question.kind == OBJECTIVE and len(question.classes) != len(classes):
            raise InputError(
                f"{origin}: question {question.name!r} has {len(question.classes)} classes, the "
                f"data {len(classes)}; leave its classes out to ask for the data's"
            )
    for name, kind in _TABLES.items():
        if name in values:
            values[name] = _make(kind, _plain(values[name], origin), f"{origin}: {name}")
    values.setdefault("instructions", "")
    return _make(Campaign, {**values, "questions": tuple(questions)}, origin)


def _plain(table: object, origin: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise InputError(f"{origin}: {table!r} should be a table")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}


def _make(kind: type[_T], values: Mapping[str, Any], origin: str) -> _T:
    known = {field.name: field for field in fields(kind)}
    for key, value in values.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(known)}"
            raise InputError(f"{origin}: {key}: no such setting; {hint}")
        _check_type(value, str(known[key].type), f"{origin}: {key}")
    try:
        return kind(**values)
    except TypeError as error:
        raise InputError(f"{origin}: {error}") from None


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "tuple[str, ...]": (tuple,),
}


def _check_type(value: object, name: str, origin: str) -> None:
    wanted = _TYPES.get(name)
    if wanted is None:
        return
    wrong_bool = isinstance(value, bool) and bool not in wanted
    if wrong_bool or not isinstance(value, wanted):
        raise InputError(f"{origin}: {value!r} is not of type {name}")
    if isinstance(value, tuple) and not all(isinstance(item, str) for item in value):
        raise InputError(f"{origin}: {value!r} should be a list of texts")
    if isinstance(value, int | float) and value < 0:
        raise InputError(f"{origin}: {value} is negative")


def sized(campaign: Campaign, suite_size: int) -> Campaign:
    """The campaign with another number of tasks per suite."""
    return replace(campaign, suite_size=suite_size)

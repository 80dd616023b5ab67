"""Shapes: checks of JSON values that say what is wrong and where.

A shape takes a value and its place in the body, and returns the value in its plain form: optional
fields that are null are left out, and numeric ids are text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from budget.errors import InputError
from budget.money import ZERO
from labeling.toloka.server.model.clock import from_iso
from labeling.toloka.server.model.errors import ApiError, invalid
from labeling.toloka.server.model.records import Doc, money
from labeling.toloka.server.model.world import PlatformState

_DEEPEST = 50
_MOST_TEXT = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a request body, such as "quality_control.configs.0.rules"."""

    world: PlatformState | None = None
    path: str = ""

    def inside(self, name: object) -> Place:
        """The place of a field or item in the value at this place."""
        return replace(self, path=f"{self.path}.{name}" if self.path else str(name))

    def wrong(self, code: str, message: str) -> ApiError:
        """The error for the value at this place."""
        return invalid(self.path or "body", code, message)


Shape = Callable[[Any, Place], Any]


def check(shape: Shape, body: Any, world: PlatformState | None) -> Any:
    """A request body in its plain form.

    Raises:
        ApiError: the body has another shape.
    """
    place = Place(world)
    _check_sound(body, place, 0)
    return shape(body, place)


def _check_sound(value: Any, place: Place, depth: int) -> None:
    """Refuse JSON that no answer can repeat: half characters, no numbers, endless nesting."""
    if depth > _DEEPEST:
        raise place.wrong("INVALID_VALUE", f"at most {_DEEPEST} levels of nesting are allowed")
    if isinstance(value, dict):
        for name, item in value.items():
            _check_sound(name, place, depth)
            _check_sound(item, place, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_sound(item, place, depth + 1)
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise place.wrong("INVALID_VALUE", "a text holds half a character") from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise place.wrong("INVALID_VALUE", "NaN and Infinity are no numbers")


# --- single values ---


def anything(value: Any, place: Place) -> Any:
    """Any JSON value."""
    return value


def flag(value: Any, place: Place) -> bool:
    """A truth value."""
    if not isinstance(value, bool):
        raise place.wrong("INVALID_TYPE", "true or false is expected")
    return value


def text(least: int = 0, most: int = _MOST_TEXT) -> Shape:
    """Text of a length."""

    def shape(value: Any, place: Place) -> str:
        if not isinstance(value, str):
            raise place.wrong("INVALID_TYPE", "text is expected")
        if not least <= len(value) <= most:
            raise place.wrong("VALUE_OUT_OF_RANGE", f"{least} to {most} characters are expected")
        return value

    return shape


def identifier(value: Any, place: Place) -> str:
    """An id: text, or a whole number that is read as text."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise place.wrong("INVALID_TYPE", "an id is expected")
    return value


def number(least: float = -1e15, most: float = 1e15) -> Shape:
    """A number in a range."""

    def shape(value: Any, place: Place) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise place.wrong("INVALID_TYPE", "a number is expected")
        if not least <= value <= most:
            raise place.wrong("VALUE_OUT_OF_RANGE", f"between {least:g} and {most:g}")
        return value

    return shape


def whole(least: int = -(2**53), most: int = 2**53) -> Shape:
    """A whole number in a range."""

    def shape(value: Any, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
            raise place.wrong("INVALID_TYPE", "a whole number is expected")
        if not least <= value <= most:
            raise place.wrong("VALUE_OUT_OF_RANGE", f"between {least} and {most}")
        return int(value)

    return shape


def dollars(value: Any, place: Place) -> Any:
    """An amount of money: a number, or text with one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise place.wrong("INVALID_TYPE", "an amount in dollars is expected")
    try:
        amount = money(value)
    except InputError as error:
        raise place.wrong("INVALID_VALUE", str(error)) from None
    if amount < ZERO:
        raise place.wrong("VALUE_LESS_THAN_MIN", "an amount is not negative")
    return value


def moment(value: Any, place: Place) -> str:
    """An ISO date."""
    if not isinstance(value, str):
        raise place.wrong("INVALID_DATE", "an ISO date is expected")
    try:
        from_iso(value)
    except ValueError:
        raise place.wrong("INVALID_DATE", "an ISO date is expected") from None
    return value


def one_of(*values: str, any_case: bool = False) -> Shape:
    """One of some words."""

    def shape(value: Any, place: Place) -> str:
        word = value.lower() if any_case and isinstance(value, str) else value
        if not isinstance(word, str) or word not in values:
            raise place.wrong("INVALID_VALUE", f"one of {', '.join(values)} is expected")
        return str(value)

    return shape


def scalar(value: Any, place: Place) -> Any:
    """Text, a number or a truth value."""
    if isinstance(value, dict | list) or value is None:
        raise place.wrong("INVALID_TYPE", "text, a number, true or false is expected")
    return value


# --- values with parts ---


@dataclass(frozen=True, slots=True)
class OrNull:
    """A shape of a field in which null has a meaning of its own."""

    shape: Shape

    def __call__(self, value: Any, place: Place) -> Any:
        """Check a value that is not null."""
        return None if value is None else self.shape(value, place)


def listing(shape: Shape, least: int = 0, most: int = 1_000_000) -> Shape:
    """A list of values of one shape."""

    def items(value: Any, place: Place) -> list[Any]:
        if not isinstance(value, list):
            raise place.wrong("INVALID_TYPE", "a list is expected")
        if not least <= len(value) <= most:
            raise place.wrong("VALUE_OUT_OF_RANGE", f"{least} to {most} items are expected")
        return [shape(item, place.inside(at)) for at, item in enumerate(value)]

    return items


def one_or_many(shape: Shape) -> Shape:
    """One value, or a list of values."""
    many = listing(shape)

    def items(value: Any, place: Place) -> Any:
        return many(value, place) if isinstance(value, list) else shape(value, place)

    return items


def mapping(shape: Shape = anything, name: Shape = anything, least: int = 0) -> Shape:
    """An object with any names, and values of one shape."""

    def fields(value: Any, place: Place) -> Doc:
        given = object_at(value, place)
        if len(given) < least:
            raise place.wrong("VALUE_REQUIRED", f"at least {least} fields are expected")
        return {name(n, place.inside(n)): shape(v, place.inside(n)) for n, v in given.items()}

    return fields


def object_at(value: Any, place: Place) -> Doc:
    """A JSON object."""
    if not isinstance(value, dict):
        raise place.wrong("VALUE_REQUIRED", "a JSON object is expected")
    return value


def form(
    must: Mapping[str, Shape] | None = None,
    may: Mapping[str, Shape] | None = None,
    also: Callable[[Doc, Place], None] | None = None,
) -> Shape:
    """An object with named fields; other fields stay as they are.

    Args:
        must: fields that are required.
        may: fields that may be left out.
        also: a check of the fields together.
    """
    required, known = must or {}, {**(must or {}), **(may or {})}

    def fields(value: Any, place: Place) -> Doc:
        given = object_at(value, place)
        for name in required:
            if given.get(name) is None:
                message = "Value must be present and not equal to null"
                raise place.inside(name).wrong("VALUE_REQUIRED", message)
        read: Doc = {}
        for name, item in given.items():
            shape = known.get(name, anything)
            if item is not None or isinstance(shape, OrNull):
                read[name] = shape(item, place.inside(name))
        if also is not None:
            also(read, place)
        return read

    return fields


def choice(by: str, shapes: Mapping[str, Shape]) -> Shape:
    """An object whose shape depends on one of its fields."""
    kinds = one_of(*shapes)

    def chosen(value: Any, place: Place) -> Any:
        kind = kinds(object_at(value, place).get(by), place.inside(by))
        return shapes[kind](value, place)

    return chosen

"""The shape of a pool's filter: which annotators see the pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling.toloka.server.model.records import Doc
from labeling.toloka.server.routes.shapes.languages import LANGUAGE
from labeling.toloka.server.routes.shapes.shape import (
    OrNull,
    Place,
    Shape,
    choice,
    flag,
    form,
    identifier,
    listing,
    number,
    object_at,
    one_of,
    one_or_many,
    text,
)

EQUALITY = ("EQ", "NE")
ORDER = (*EQUALITY, "GT", "GTE", "LT", "LTE")
_INCLUSION = ("IN", "NOT_IN")


def filters(value: Any, place: Place) -> Doc:
    """A filter: conditions joined by "and" and "or", at any depth."""
    node = {name: item for name, item in object_at(value, place).items() if item is not None}
    for word in ("and", "or"):
        if word in node:
            if len(node) > 1:
                raise place.wrong("INVALID_VALUE", f"beside {word!r} nothing else is allowed")
            return {word: _parts(node[word], place.inside(word))}
    found: Doc = _CONDITION(value, place)
    return found


_parts = listing(filters, 1)


def _test(shape: Shape, operators: tuple[str, ...]) -> Shape:
    return form({"operator": one_of(*operators), "value": shape})


def _equal(shape: Shape) -> Shape:
    return _test(shape, EQUALITY)


def _ordered(shape: Shape) -> Shape:
    return _test(shape, ORDER)


def _included(shape: Shape) -> Shape:
    return _test(one_or_many(shape), _INCLUSION)


def _skill(value: Any, place: Place) -> str:
    """The id of a skill. toloka-kit's AutoQuality sends the whole skill instead."""
    return str(
        identifier(value["id"] if isinstance(value, dict) and "id" in value else value, place)
    )


_NUMBER, _COUNTRY = number(), text(2, 2)
_PROFILE: Mapping[str, Shape] = {
    "gender": _equal(one_of("MALE", "FEMALE")),
    "country": _equal(_COUNTRY),
    "citizenship": _equal(_COUNTRY),
    "education": _equal(one_of("BASIC", "MIDDLE", "HIGH")),
    "adult_allowed": _equal(flag),
    "date_of_birth": _ordered(_NUMBER),
    "city": _included(_NUMBER),
    "languages": _included(LANGUAGE),
    "verified": _equal(flag),
}
_COMPUTED: Mapping[str, Shape] = {
    "region_by_phone": _included(_NUMBER),
    "region_by_ip": _included(_NUMBER),
    "client_type": _equal(one_of("BROWSER", "TOLOKA_APP")),
    "device_category": _equal(
        one_of("PERSONAL_COMPUTER", "SMARTPHONE", "TABLET", "WEARABLE_COMPUTER")
    ),
    "os_family": _equal(
        one_of("WINDOWS", "OS_X", "MAC_OS", "LINUX", "BSD", "ANDROID", "IOS", "BLACKBERRY")
    ),
    "user_agent_type": _equal(one_of("BROWSER", "MOBILE_BROWSER", "OTHER")),
    "user_agent_family": _equal(
        one_of(
            *("IE", "CHROMIUM", "CHROME", "FIREFOX", "SAFARI", "YANDEX_BROWSER"),
            *("IE_MOBILE", "CHROME_MOBILE", "MOBILE_FIREFOX", "MOBILE_SAFARI"),
        )
    ),
    **{
        f"{what}_version{part}": _ordered(_NUMBER)
        for what in ("os", "user_agent")
        for part in ("", "_major", "_minor", "_bugfix")
    },
}
_CONDITION = choice(
    "category",
    {
        "profile": choice("key", _PROFILE),
        "computed": choice("key", _COMPUTED),
        "skill": form({"key": _skill, "operator": one_of(*ORDER)}, {"value": OrNull(_NUMBER)}),
    },
)

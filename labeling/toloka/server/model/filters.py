"""A pool's filter: the choice of annotators who see the pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from labeling.toloka.server.model.records import Doc

# The platform's own language tests, as toloka-kit knows them: EN, DE, FR, ...
LANGUAGE_TESTS = frozenset(
    (
        *("26366", "26377", "26711", "32346", "26296", "26714", "26513"),
        *("30724", "44954", "54378", "39821", "29789", "48836", "44742"),
    )
)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda a, b: bool(a == b),
    "NE": lambda a, b: bool(a != b),
    "GT": lambda a, b: bool(a > b),
    "GTE": lambda a, b: bool(a >= b),
    "LT": lambda a, b: bool(a < b),
    "LTE": lambda a, b: bool(a <= b),
}


def conditions(node: Any) -> Iterator[Doc]:
    """All conditions of a filter, at any depth."""
    if not isinstance(node, Mapping):
        return
    for word in ("and", "or"):
        for part in node.get(word) or ():
            yield from conditions(part)
    if "key" in node:
        yield dict(node)


def skills_asked(node: Any) -> list[str]:
    """Ids of the requester's skills in a filter, in the filter's order."""
    keys = (str(c["key"]) for c in conditions(node) if c.get("category") == "skill")
    return list(dict.fromkeys(key for key in keys if key not in LANGUAGE_TESTS))


def wants_language_test(node: Any) -> bool:
    """Whether only annotators who passed a language test see the pool."""
    return any(str(c["key"]) in LANGUAGE_TESTS for c in conditions(node))


def passes(node: Any, skills: Mapping[str, float]) -> bool:
    """Whether an annotator with these skills sees the pool.

    Profiles and devices are not simulated: all annotators meet such conditions. The crowd of a pool
    with a language test consists of annotators who passed the test.
    """
    if not isinstance(node, Mapping):
        return True
    if "and" in node:
        return all(passes(part, skills) for part in node["and"])
    if "or" in node:
        return any(passes(part, skills) for part in node["or"])
    key = str(node.get("key"))
    if node.get("category") != "skill" or key in LANGUAGE_TESTS:
        return True
    return _compares(skills.get(key), str(node.get("operator")), node.get("value"))


def _compares(value: float | None, operator: str, wanted: Any) -> bool:
    if value is None or wanted is None:
        same = value is None and wanted is None
        return same if operator == "EQ" else operator == "NE" and not same
    return COMPARE[operator](float(value), float(wanted))

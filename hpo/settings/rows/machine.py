"""Settings of a machine that labels beside people.

`--help` waits for what is imported here: nothing heavy, not even dataclasses.
"""

from __future__ import annotations

from budget.errors import InputError
from hpo.settings import parsing
from hpo.settings.parsing import dimension, one_of, optional
from hpo.settings.setting import Setting

OFF, VOTE, BELOW, ALL = USES = ("off", "vote", "below", "all")
"""Ways to use a machine: not; as one voter; people where it is unsure; for every image."""

MACHINE_KINDS = {
    "file": "FILE",
    "command": "PROGRAM",
    "endpoint": "FILE.toml",
    "weights": "FILE.toml",
}
"""Kinds of machine, and what names one."""


def _machine(value: object, name: str) -> str:
    """A machine: KIND:WHERE."""
    text_ = parsing.text(value, name)
    kind, colon, rest = text_.partition(":")
    if kind not in MACHINE_KINDS or not colon or not rest:
        usages = ", ".join(f"{kind}:{where}" for kind, where in MACHINE_KINDS.items())
        raise InputError(f"{name}: {text_!r} names no machine; give one of {usages}")
    return text_


MACHINE = (
    Setting(
        "machine",
        optional(_machine),
        None,
        "SELLER",
        "crowd",
        "a machine that sells labels, too: file:FILE of its answers, command:PROGRAM that labels "
        "images, endpoint:FILE.toml of chat completions, or weights:FILE.toml of a classifier",
    ),
    Setting(
        "machine_cost",
        optional(parsing.money),
        None,
        "DOLLARS",
        "crowd",
        "price of an answer of the machine",
        "dollars",
        "the file's own costs",
    ),
    Setting(
        "machine_use",
        dimension(one_of(*USES)),
        f"{VOTE},{BELOW},{ALL}",
        "USE",
        "crowd",
        "ways to use the machine that the study measures beside off: vote (one voter beside "
        "people), below (people where it is unsure), all (its labels for every image)",
    ),
)

"""A setting of a study: its name, how it is read, its default, and its words.

`--help` waits for what is imported here: nothing heavy, not even dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Reader = Callable[[object, str], Any]
Group = Literal["money", "plans", "data", "crowd", "model", "search", "views"]
REQUIRED = "required"


class Setting(NamedTuple):
    """One setting.

    Attributes:
        name: of the field, such as "max_minutes"; its flag is --max-minutes.
        read: turns a raw value into a checked one; takes the name to use in an error.
        default: the raw value where none is given; None for absent, REQUIRED for none.
        metavar: stands for the value in the help; empty for a switch, which takes none.
        group: where the help shows it.
        help: what it does, in words; {samplers} stands for the names of samplers.
        unit: of the value, where it has one.
        shown: the default in words, where the raw one does not tell.
        has_flag: whether it can be given on the command line.
    """

    name: str
    read: Reader
    default: object
    metavar: str
    group: Group
    help: str
    unit: str = ""
    shown: str = ""
    has_flag: bool = True

    @property
    def flag(self) -> str:
        """As it is typed on the command line."""
        return flag(self.name)

    @property
    def default_text(self) -> str:
        """The default in words; empty where there is none worth naming."""
        if self.shown or self.default in (None, REQUIRED) or not self.metavar:
            return self.shown
        return str(self.default)


def flag(name: str) -> str:
    """A field's name as it is typed on the command line: "--max-minutes"."""
    return f"--{name.replace('_', '-')}"

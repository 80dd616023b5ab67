"""Data of one's own under a name, which `data=NAME` chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from budget.errors import InputError
from hpo.settings.parsing import BUILT_IN_DATA, OWN_DATA, as_name
from labeling.tables.names import name_of


def add_data(name: str, function: Callable[..., Any]) -> None:
    """Let `data=NAME` choose images or features of one's own, in this process.

    Args:
        name: a new name; adding the same function again changes nothing.
        function: takes a `StudyConfig` and gives a `Dataset`, such as that of `arrays_dataset`; it
            stands at the top of a module.

    Raises:
        InputError: the name is taken or no name, or no module has the function.
    """
    reference = name_of(function, f"data {name!r}")
    is_taken = name in (*BUILT_IN_DATA, "npz", "folder") or as_name(name) != name
    if is_taken or OWN_DATA.setdefault(name, reference) != reference:
        raise InputError(f"data: {name!r} is taken, or no name of letters, digits, . _ and -")

"""Functions by name: rows of tables name what is imported only when it is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from budget.errors import InputError


def named_function(name: str) -> Callable[..., Any]:
    """The function of "module:function"."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def name_of(function: Callable[..., Any], what: str) -> str:
    """The name by which `named_function` finds a function again, in another process too.

    Args:
        function: defined at the top of a module.
        what: what it is for, for the error.

    Raises:
        InputError: no module has it under its own name.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    try:
        if named_function(name) is function:
            return name
    except (ImportError, AttributeError):
        pass
    raise InputError(f"{what}: {function.__qualname__} has to stand at the top of a module")

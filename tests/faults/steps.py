"""Something done around every durable step of this process, such as dying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Steps = Sequence[tuple[object, str]]
"""Owners and names of the functions that are durable steps."""


def watch(
    steps: Steps,
    act: Callable[[int, str, str], object],
    called: Callable[[object, str, tuple[Any, ...]], str] = lambda owner, name, args: name,
) -> None:
    """Call act(number, name, "before" | "after") around every step, in this process.

    Args:
        steps: what is watched.
        act: what is done.
        called: the name of a step, by its owner, its function's name and its arguments.
    """
    count = [0]

    def wrap(owner: object, name: str) -> None:
        inner = getattr(owner, name)

        def step(*args: object, **kwargs: object) -> object:
            number, count[0] = count[0], count[0] + 1
            act(number, called(owner, name, args), "before")
            result = inner(*args, **kwargs)
            act(number, called(owner, name, args), "after")
            return result

        setattr(owner, name, step)

    for owner, name in steps:
        wrap(owner, name)

"""Machines as sellers of labels: models that answer for money by the call, and what they are worth.

A machine's condition is named after the machine, and marked. Its answers stand apart from people's:
they are exchangeable with nobody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labeling.types import Condition

MACHINE = ":machine"
"""Mark of a machine's conditions, at the end of the market's name."""


def is_machine(condition: Condition) -> bool:
    """Whether a machine answers in a condition, and not people."""
    return condition.market.endswith(MACHINE)

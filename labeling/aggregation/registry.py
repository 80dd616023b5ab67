"""Aggregators by their `--aggregation` name; each is imported on first use.

A new aggregator is a function of `labeling.aggregation.votes.Votes` and a row in this table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from budget.errors import InputError, nearest
from labeling.tables.names import name_of, named_function

if TYPE_CHECKING:
    from labeling.aggregation.votes import Aggregator

AGGREGATORS = {
    "weighted": "labeling.aggregation.methods:weighted",
    "majority": "labeling.aggregation.methods:majority",
    "dawid-skene": "labeling.aggregation.methods:dawid_skene",
    "auto": "labeling.aggregation.choice:auto",
}
"""Name -> "module:function"."""

AUTO = "auto"
"""The aggregator that is another one, by the answers."""


def aggregator_named(name: str) -> Aggregator:
    """The aggregator of a name.

    Raises:
        InputError: no aggregator has this name.
    """
    if name not in AGGREGATORS:
        raise InputError(f"aggregation: {name!r} is not known; {nearest(name, tuple(AGGREGATORS))}")
    aggregator: Aggregator = named_function(AGGREGATORS[name])
    return aggregator


def add_aggregator(name: str, function: Aggregator) -> None:
    """Let `--aggregation NAME` choose a function of one's own, in this process.

    Args:
        name: a new name; adding the same function again changes nothing.
        function: gives vote shares and a posterior, [N, C] each; it stands at the top of a module.

    Raises:
        InputError: the name is taken, or no module has the function.
    """
    reference = name_of(function, f"aggregation {name!r}")
    if AGGREGATORS.setdefault(name, reference) != reference:
        raise InputError(f"aggregation: {name!r} is taken; choose another name")

"""Aggregators by the name that `--aggregation` takes; each is imported when it is used.

A new aggregator is a function of `labeling.aggregation.votes.Votes`, and its row here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from budget.errors import InputError, nearest

if TYPE_CHECKING:
    from labeling.aggregation.votes import Aggregator

AGGREGATORS = {
    "weighted": "labeling.aggregation.methods:weighted",
    "majority": "labeling.aggregation.methods:majority",
    "dawid-skene": "labeling.aggregation.methods:dawid_skene",
}
"""Name -> "module:function"."""


def aggregator_named(name: str) -> Aggregator:
    """The aggregator of a name.

    Raises:
        InputError: there is none.
    """
    if name not in AGGREGATORS:
        raise InputError(f"aggregation: {name!r} is not known; {nearest(name, tuple(AGGREGATORS))}")
    module, _, function = AGGREGATORS[name].partition(":")
    aggregator: Aggregator = getattr(import_module(module), function)
    return aggregator

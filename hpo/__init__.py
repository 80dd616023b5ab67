"""The study: search the annotation knobs under a hard cap of money, and answer.

>>> from hpo import Study
>>> answer = Study(budget="20").run()            # doctest: +SKIP
>>> answer["recommended"]["plan"]                # doctest: +SKIP

Every error that a study raises by a cause outside the program is a `LabelworthError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budget.errors import (
        AlreadyResolved,
        BudgetExceeded,
        DatabaseLost,
        InputError,
        LabelworthError,
        LedgerCorrupt,
        MarketContradiction,
        MarketError,
        MarketRefused,
        MarketUnreachable,
        MirrorError,
        MirrorRefused,
        MirrorUnavailable,
        NotConfirmed,
        PlanRefused,
        StorageError,
        VersionDamaged,
        VersionMissing,
    )
    from hpo.study.study import Study
    from training.saved import load_model

__all__ = [
    "AlreadyResolved",
    "BudgetExceeded",
    "DatabaseLost",
    "InputError",
    "LabelworthError",
    "LedgerCorrupt",
    "MarketContradiction",
    "MarketError",
    "MarketRefused",
    "MarketUnreachable",
    "MirrorError",
    "MirrorRefused",
    "MirrorUnavailable",
    "NotConfirmed",
    "PlanRefused",
    "StorageError",
    "Study",
    "VersionDamaged",
    "VersionMissing",
    "load_model",
]

_HOMES = {"Study": "hpo.study.study", "load_model": "training.saved"}


def __getattr__(name: str) -> object:
    # Imported on first use, so that `python -m hpo.run --help` answers at once.
    if name not in __all__:
        raise AttributeError(f"module 'hpo' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "budget.errors")), name)

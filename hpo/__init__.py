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
        NotBought,
        NotConfirmed,
        PlanRefused,
        StorageError,
        VersionDamaged,
        VersionMissing,
    )
    from hpo.answer.objects.answer import Answer
    from hpo.data.dataset import Dataset
    from hpo.data.own.adding import add_data
    from hpo.data.own.arrays import arrays_dataset
    from hpo.market.market import Market, Opening
    from hpo.settings.config import StudyConfig
    from hpo.settings.market_kinds import MarketKind, add_market
    from hpo.study.study import Study
    from labeling.aggregation.registry import add_aggregator
    from training.saved import load_model

__all__ = [
    "AlreadyResolved",
    "Answer",
    "BudgetExceeded",
    "DatabaseLost",
    "Dataset",
    "InputError",
    "LabelworthError",
    "LedgerCorrupt",
    "Market",
    "MarketContradiction",
    "MarketError",
    "MarketKind",
    "MarketRefused",
    "MarketUnreachable",
    "MirrorError",
    "MirrorRefused",
    "MirrorUnavailable",
    "NotBought",
    "NotConfirmed",
    "Opening",
    "PlanRefused",
    "StorageError",
    "Study",
    "StudyConfig",
    "VersionDamaged",
    "VersionMissing",
    "add_aggregator",
    "add_data",
    "add_market",
    "arrays_dataset",
    "load_model",
]

_HOMES = {
    "Answer": "hpo.answer.objects.answer",
    "Dataset": "hpo.data.dataset",
    "Market": "hpo.market.market",
    "MarketKind": "hpo.settings.market_kinds",
    "Opening": "hpo.market.market",
    "Study": "hpo.study.study",
    "StudyConfig": "hpo.settings.config",
    "add_aggregator": "labeling.aggregation.registry",
    "add_data": "hpo.data.own.adding",
    "add_market": "hpo.settings.market_kinds",
    "arrays_dataset": "hpo.data.own.arrays",
    "load_model": "training.saved",
}


def __getattr__(name: str) -> object:
    # Imported on first use, so that `python -m hpo.run --help` answers at once.
    if name not in __all__:
        raise AttributeError(f"module 'hpo' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "budget.errors")), name)

"""The study: search the annotation knobs under a hard cap of money, and answer.

>>> from hpo import Study
>>> answer = Study(budget="20").run()            # doctest: +SKIP
>>> answer["recommended"]["plan"]                # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpo.study.study import Study

__all__ = ["Study"]


def __getattr__(name: str) -> object:
    # Imported on first use, so that `python -m hpo.run --help` answers at once.
    if name == "Study":
        from hpo.study.study import Study

        return Study
    raise AttributeError(f"module 'hpo' has no attribute {name!r}")

"""Rows of a study as tables of pandas, which comes with the extra `toloka` or by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from budget.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows with equal keys as a table.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise InputError("tables need pandas: pip install pandas") from None
    return pd.DataFrame.from_records(list(rows))


def front_frame(front: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The front of a report, a row a plan; money in dollars."""
    return frame([_row(row) for row in front])


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    plan, (low, high) = row["plan"], row["interval_95"]
    return {
        "plan": plan["key"],
        "price_tag": row["price_tag"]["micros"] / 1e6,
        "accuracy": row["accuracy"],
        "low": low,
        "high": high,
        "minutes": row["minutes"],
        "tasks": plan["tasks"],
        "overlap": plan["overlap"],
        "price_per_task": plan["price_per_task"]["micros"] / 1e6,
        "controls": plan["controls"],
        "exam": plan["exam"],
    }

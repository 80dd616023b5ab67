"""An answer as a small JSON object: what a script reads first. report.json holds all of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.answer.summary import summary_lines, title

_KEPT = ("schema", "study", "market", "money", "stopped")
_ASKED = ("view_today",)  # there only where a flag asks for it
_PLAN = ("plan", "price_tag", "accuracy", "interval_95", "minutes")


def small_answer(report: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    """The first block, the recommended plan, money, and where the files lie.

    Args:
        report: the report.
        files: that belong to it, by what they are.
    """
    best, made = report["recommended"], report["delivery"]
    delivered = None
    if made:
        names = ("version", "images", "images_wanted", "answers", "quality")
        delivered = {
            "labels": {name: made["labels"][name] for name in names},
            "final": made["final"],
        }
    return {
        **{name: report[name] for name in _KEPT},
        "title": title(report),
        "summary": summary_lines(report),
        "recommended": best and {name: best[name] for name in _PLAN},
        "delivery": delivered,
        **{name: report[name] for name in _ASKED if name in report},
        "files": {name: str(path) for name, path in files.items()},
    }

"""The answer on the page of a GitHub job: Markdown, appended where the job says."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VARIABLE = "GITHUB_STEP_SUMMARY"
"""Environment variable by which GitHub names the file."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~&])")


def append_summary(report: Mapping[str, Any], missed: Sequence[str]) -> str | None:
    """Append the answer to the job's summary; nothing outside a job.

    Args:
        report: the report.
        missed: goals that it misses.

    Returns:
        Why it could not be written; None if it was, or where there is no job.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary_markdown(report, missed))
    except OSError as error:
        return f"{VARIABLE}: {path} cannot be written: {error.strerror}"
    return None


def summary_markdown(report: Mapping[str, Any], missed: Sequence[str]) -> str:
    """The first block of an answer, the goals missed and the front. Texts of others are inert."""
    from hpo.answer.objects.html import COLUMNS, front_cells
    from hpo.answer.summary import summary_lines, title

    lines = [f"## {_plain(title(report))}", ""]
    lines += [f"- {_plain(line)}" for line in summary_lines(report)]
    lines += [f"- **Missed: {_plain(line)}**" for line in missed]
    if report["front"]:
        lines += ["", _row(COLUMNS), _row(["---"] * len(COLUMNS), is_rule=True)]
        lines += [_row(front_cells(row)) for row in report["front"]]
    return "\n".join(lines) + "\n\n"


def _row(cells: Sequence[str], is_rule: bool = False) -> str:
    return f"| {' | '.join(cell if is_rule else _plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))

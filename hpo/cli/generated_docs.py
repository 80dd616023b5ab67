"""The parts of the docs that are made from the code: `python -m hpo.cli.generated_docs docs`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from hpo.cli.flags import full_help
from hpo.settings.glossary import glossary_table
from hpo.settings.table import SETTINGS


def settings_table() -> str:
    """Every setting with its default, unit and meaning, as Markdown."""
    lines = ["| setting | default | unit | meaning |", "|---|---|---|---|"]
    for row in SETTINGS:
        name = f"`{row.flag}`" if row.has_flag else f"`{row.name}` (TOML)"
        default = "off" if not row.metavar else row.default_text
        cells = (name, default, row.unit, full_help(row))
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("settings.md", "settings"): settings_table,
    ("reading_the_answer.md", "glossary"): glossary_table,
    ("glossary.md", "glossary"): glossary_table,
}
"""What writes the part of a page between its two marks."""


def written(page: str, mark: str, text: str) -> str:
    """A page with a text between the two marks of a name.

    Raises:
        ValueError: the page lacks a mark.
    """
    start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    at, behind = page.index(start), page.index(end)
    return f"{page[:at]}{start}\n{text}\n{page[behind:]}"


if __name__ == "__main__":
    for (name, mark), make in PARTS.items():
        path = Path(sys.argv[1]) / name
        page = written(path.read_text(encoding="utf-8"), mark, make())
        path.write_text(page, encoding="utf-8")

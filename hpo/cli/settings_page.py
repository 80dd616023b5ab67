"""The table of settings in the docs: `python -m hpo.cli.settings_page docs/settings.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from hpo.cli.flags import full_help
from hpo.settings.table import SETTINGS

_START, _END = "<!-- settings -->", "<!-- end of settings -->"


def settings_table() -> str:
    """Every setting with its default, unit and meaning, as Markdown."""
    lines = ["| setting | default | unit | meaning |", "|---|---|---|---|"]
    for row in SETTINGS:
        name = f"`{row.flag}`" if row.has_flag else f"`{row.name}` (TOML)"
        default = "off" if not row.metavar else row.default_text
        cells = (name, default, row.unit, full_help(row))
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def write(path: Path) -> None:
    """Put the table into a page, between its two marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(_START)
    _, _, after = rest.partition(_END)
    page = f"{before}{_START}\n{settings_table()}\n{_END}{after}"
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

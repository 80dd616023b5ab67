"""`labelworth view`: what is inside a view, its name, and files of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpo.study.version_catalogue import find_view, keep_view, open_catalogue, table
from labeling.store.catalogue import Catalogue
from labeling.views import View, view_to_plain
from labeling.views.columns import ANSWERS, COLUMNS, LABELS
from labeling.views.export import check_kind, write_table

_SHOWN = 20
_COLUMNS = {
    LABELS: ("version", "image", "label", "confidence", "agreement", "answers", "price"),
    ANSWERS: ("version", "image", "annotator", "answer", "skill", "label", "confidence"),
}


def show_view(
    folder: Path,
    text: str | None,
    *,
    name: str | None,
    answers: bool,
    count: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show what is inside a view of a study's versions; without a view, the named views.

    Args:
        folder: the study's folder.
        text: the name or expression of the view; None to list the named ones.
        name: a name to keep it under.
        answers: look at answers, whatever columns the view uses.
        count: print only the number of rows inside.
        out: a .csv or .parquet file to write all rows to.
        as_json: print one JSON object instead.

    Raises:
        InputError: there is no study in the folder, or the view, name or file is wrong.
    """
    if out is not None:
        check_kind(out)
    with open_catalogue(folder) as catalogue:
        if text is None:
            _list(catalogue, as_json)
            return
        view = find_view(catalogue, text, ANSWERS if answers else None)
        kept = keep_view(catalogue, name, view) if name else None
        inside, total = catalogue.count(view), catalogue.count(None, view.over)
        if out is not None:
            write_table(out, table(catalogue, view), {n: c.kind for n, c in COLUMNS.items()})
        if as_json:
            found = {"view": view_to_plain(view), "name": name, "inside": inside, "of": total}
            _print_json({**found, "file": str(out) if out else None})
        elif count:
            print(inside)
        else:
            console = Console(highlight=False)
            if kept:
                console.print(Text(f"view {kept.name}@{kept.version[:8]}: {_safe(view.text)}"))
            versions = len(catalogue.entries())
            line = f"{inside} of {total} {view.over} in {versions} versions are inside"
            console.print(Text(f"{line}: {out}" if out else line), soft_wrap=True)
            if out is None and inside:
                _print_rows(catalogue, view, console)


def _list(catalogue: Catalogue, as_json: bool) -> None:
    named = catalogue.named()
    if as_json:
        _print_json([{**view_to_plain(v.open()), "name": v.name} for v in named])
        return
    if not named:
        print("No view has a name yet: labelworth view RUN_DIR EXPR --name NAME gives one.")
    latest = {view.name: view.version for view in named}
    for view in named:
        old = "" if latest[view.name] == view.version else " (earlier)"
        print(f"{view.name}@{view.version[:8]}{old} over {view.over}: {_safe(view.expression)}")


def _print_rows(catalogue: Catalogue, view: View, console: Console) -> None:
    found, names = table(catalogue, view), _COLUMNS[view.over]
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        shown.add_column(
            name, justify="left" if COLUMNS[name].kind in ("text", "class") else "right"
        )
    columns: list[Sequence[Any]] = [found[name][:_SHOWN] for name in names]
    for row in zip(*columns, strict=True):
        shown.add_row(*(Text(_cell(n, value)) for n, value in zip(names, row, strict=True)))
    console.print(shown)
    more = len(found["version"]) - _SHOWN
    if more > 0:
        console.print(Text(f"and {more} more: --out FILE.csv or FILE.parquet writes all"))


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "version":
        return str(value)[:8]
    if isinstance(value, float):
        return f"{value:.3f}"
    return _safe(str(value))


def _safe(text: str) -> str:
    """A text that cannot move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _print_json(found: object) -> None:
    json.dump(found, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")

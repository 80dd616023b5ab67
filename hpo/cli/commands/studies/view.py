"""`labelworth view`: what is inside a view, its name, and files of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.cli.console import print_json, print_lines, printable, stdout
from hpo.cli.flags import Commands, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from labeling.store.catalogue import Catalogue
    from labeling.views import View

_SHOWN = 20
_LABEL_COLUMNS = ("version", "image", "label", "confidence", "agreement", "answers", "price")
_RANKS = {
    **{"image": 0, "label": 0, "answer": 0, "confidence": 0, "price": 0},
    **{"version": 4, "agreement": 3, "answers": 2, "annotator": 2, "skill": 1},
    **{"best_label": 0, "best_confidence": 1},
}
"""0 stays at any width; of the others the highest goes first."""
_ANSWER_COLUMNS = ("version", "image", "annotator", "answer", "skill", "label", "confidence")
_BEST_COLUMNS = ("best_label", "best_confidence")


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "labels or answers of a study's versions by an expression; named views"
    view = add_command(commands, "view", words)
    add_run_dir(view)
    words = "such as \"confidence >= 0.8 and label != 'loop'\", or a view's name; none lists them"
    view.add_argument("view", metavar="VIEW", nargs="?", help=words)
    view.add_argument("--name", metavar="NAME", help="keep it under this name")
    view.add_argument("--answers", action="store_true", help="look at answers, not at labels")
    output = view.add_mutually_exclusive_group()
    output.add_argument("--count", action="store_true", help="print only how many are inside")
    output.add_argument(
        "--out", metavar="FILE", type=Path, help="write all to FILE.csv or .parquet"
    )
    add_json(view)
    view.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Show, name or write a view."""
    show_view(
        arguments.folder,
        arguments.view,
        name=arguments.name,
        answers=arguments.answers,
        count=arguments.count,
        out=arguments.out,
        as_json=arguments.json,
    )
    return DONE


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
        answers: look at answers, also where the view uses columns of labels only.
        count: print only the number of rows inside.
        out: a .csv or .parquet file to write all rows to.
        as_json: print one JSON object instead.

    Raises:
        InputError: there is no study in the folder, or the view, name or file is wrong.
    """
    from hpo.study.views.version_catalogue import find_view, keep_view, open_catalogue, table
    from labeling.views import view_to_plain
    from labeling.views.columns import ANSWERS, COLUMNS
    from labeling.views.export import check_kind, write_table

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
            facts = {"view": view_to_plain(view), "name": name, "inside": inside, "of": total}
            print_json({**facts, "file": str(out) if out else None})
        elif count:
            print(inside)
        else:
            if kept:
                print_lines([f"view {kept.name}@{kept.version[:8]}: {printable(view.text)}"])
            versions = len(catalogue.entries())
            line = f"{inside} of {total} {view.over} in {versions} versions are inside"
            print_lines([f"{line}: {out}" if out else line])
            if out is None and inside:
                _print_rows(catalogue, view)


def _list(catalogue: Catalogue, as_json: bool) -> None:
    from labeling.views import view_to_plain

    named = catalogue.named()
    if as_json:
        print_json([{**view_to_plain(v.open()), "name": v.name} for v in named])
        return
    if not named:
        print("No view has a name yet: labelworth view RUN_DIR EXPR --name NAME gives one.")
    latest = {view.name: view.version for view in named}
    for view in named:
        old = "" if latest[view.name] == view.version else " (earlier)"
        print(f"{view.name}@{view.version[:8]}{old} over {view.over}: {printable(view.expression)}")


def _print_rows(catalogue: Catalogue, view: View) -> None:
    from hpo.answer.tables import TableColumn, TextTable, print_table
    from hpo.study.views.version_catalogue import table
    from labeling.views.columns import COLUMNS, LABELS

    rows = table(catalogue, view)
    has_best = any(label is not None for label in rows["best_label"][:_SHOWN])
    usual = _LABEL_COLUMNS if view.over == LABELS else _ANSWER_COLUMNS
    names = (*usual, *(_BEST_COLUMNS if has_best else ()))
    numbers = {name: COLUMNS[name].kind not in ("text", "class") for name in names}
    columns = [TableColumn(n, numbers[n], _RANKS[n], wraps=n == "image") for n in names]
    shown: list[Sequence[Any]] = [rows[name][:_SHOWN] for name in names]
    cells = [
        [_cell(name, value) for name, value in zip(names, row, strict=True)]
        for row in zip(*shown, strict=True)
    ]
    print_table(TextTable(columns, cells), stdout())
    more = len(rows["version"]) - _SHOWN
    if more > 0:
        print_lines([f"and {more} more: --out FILE.csv or FILE.parquet writes all"])


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "version":
        return str(value)[:8]
    if isinstance(value, float):
        return f"{value:.3f}"
    return printable(str(value))

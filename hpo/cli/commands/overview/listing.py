"""`labelworth list`: the studies of a folder, each with its money and its answer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.cli.console import print_json, printable, stdout
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "list", "the studies of a folder: their money and answers")
    parser.add_argument(
        "folder", metavar="RUNS", nargs="?", type=Path, default=Path("runs"), help="(runs)"
    )
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each study."""
    from hpo.answer.tables import TableColumn, TextTable, print_table

    studies = studies_in(arguments.folder)
    if arguments.json:
        print_json(studies)
        return DONE
    if not studies:
        print(f"No study in {arguments.folder}: labelworth --budget 20 makes the first.")
        return DONE
    columns = (
        TableColumn("folder"),
        TableColumn("market", rank=3),
        TableColumn("goal", rank=4),
        TableColumn("cap", True, rank=2),
        TableColumn("spent", True),
        TableColumn("answer", wraps=True),
    )
    print_table(TextTable(columns, [_cells(each) for each in studies]), stdout())
    return DONE


def studies_in(folder: Path) -> list[dict[str, Any]]:
    """The studies below a folder by name: settings, and of a finished one money and answer."""
    return [_study(path.parent) for path in sorted(folder.glob("*/study.json"))]


def _study(folder: Path) -> dict[str, Any]:
    from hpo.answer.summary import summary_lines
    from hpo.settings.stored_answer import printable_report, read_object

    facts: dict[str, Any] = {"folder": str(folder), "study": None, "state": "damaged"}
    try:
        raw = read_object(folder / "study.json")
        market = str(raw["market"]).partition(":")[0]
        facts |= {"study": raw["study"], "market": market, "goal": raw["goal"]}
        facts |= {"cap": raw["budget"], "state": "not finished", "spent": None, "answer": None}
    except (OSError, ValueError, KeyError):
        return facts
    if report := printable_report(folder):
        spent, answer = report["money"]["spent"]["usd"], summary_lines(report)[0]
        facts |= {"state": "finished", "spent": spent, "answer": answer}
    return facts


def _cells(study: Mapping[str, Any]) -> tuple[str, ...]:
    from budget.money import Money

    def dollars(name: str) -> str:
        text = study.get(name)
        return "" if text is None else Money.parse(text).cents()

    names = ("market", "goal")
    said = study.get("answer") or study["state"]
    cells = (study["folder"], *(study.get(name) or "" for name in names))
    return tuple(map(printable, (*cells, dollars("cap"), dollars("spent"), said)))

"""`labelworth compare`: two finished studies side by side, and what tells them apart."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.cli.console import print_json, print_lines, printable, stdout
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE

Report = Mapping[str, Any]

_Z95 = 1.96


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "compare", "two finished studies side by side")
    for name, words in (("one", "a study's folder"), ("other", "another's")):
        parser.add_argument(name, metavar="RUN_DIR", type=Path, help=words)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print both studies' answers, the settings that differ, and the difference in accuracy.

    Raises:
        InputError: a folder holds no finished study.
    """
    from hpo.answer.tables import TableColumn, TextTable, print_table

    folders = (arguments.one, arguments.other)
    reports = [_finished(folder) for folder in folders]
    rows = [*_facts(reports), *differing_settings(reports)]
    gap = difference(*reports)
    if arguments.json:
        facts = {name: list(values) for name, *values in rows}
        print_json({"folders": list(map(str, folders)), "facts": facts, "difference": gap})
        return DONE
    columns = [TableColumn("", wraps=True)]
    columns += [TableColumn(printable(str(folder)), wraps=True) for folder in folders]
    print_table(TextTable(columns, [tuple(map(printable, row)) for row in rows]), stdout())
    print_lines([_sentence(gap, *reports)])
    return DONE


def _finished(folder: Path) -> dict[str, Any]:
    from budget.errors import InputError
    from hpo.settings.run_folder import read_config
    from hpo.settings.stored_answer import printable_report

    read_config(folder)
    report = printable_report(folder)
    if report is None:
        raise InputError(f"{folder}: the study has no answer yet; its own command goes on with it")
    return report


def _lead(report: Report) -> tuple[Report | None, str]:
    """The row that stands for a study: what it delivers, else what it recommends."""
    if made := report["delivery"]:
        return made["final"], "delivered model, measured"
    return report["answer"]["chosen"], "recommended plan, expected"


def _facts(reports: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    from hpo.answer.sentences import cents, with_interval
    from hpo.answer.summary import summary_lines

    def accuracy(report: Report) -> str:
        row, words = _lead(report)
        return "none" if row is None else f"{with_interval(row)}, {words}"

    def labels(report: Report) -> str:
        merged = report["all_labels_merged"]
        return f"{merged['answers']:,} for {merged['labelled_images']:,} images" if merged else ""

    made: dict[str, Callable[[Report], str]] = {
        "answer": lambda report: summary_lines(report)[0],
        "accuracy": accuracy,
        "answers owned": labels,
        "spent": lambda report: cents(report["money"]["spent"]),
        "cap": lambda report: cents(report["money"]["cap"]),
        "market": lambda report: str(report["market"]["kind"]),
    }
    return [(name, *map(say, reports)) for name, say in made.items()]


def differing_settings(reports: Sequence[Report]) -> list[tuple[str, ...]]:
    """Settings that differ, as a command line names them."""
    one, other = (report["config"] for report in reports)
    names = [name for name in one if name not in ("budget", "study", "market")]
    return [
        (f"--{name.replace('_', '-')}", _text(one[name]), _text(other.get(name)))
        for name in names
        if one[name] != other.get(name)
    ]


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, bool):  # asked first: 1 and 0 are numbers, though equal to True and False
        return "on" if value else "off"
    return "none" if value is None else str(value)


def difference(one: Report, other: Report) -> dict[str, Any] | None:
    """How much better the first study's model is, in points; None where it cannot be said.

    The two intervals are taken as independent, so that the difference's is wide rather than narrow
    where both were measured on the same images.
    """
    rows = [_lead(report)[0] for report in (one, other)]
    is_same_ground = (
        one["data"]["content"] == other["data"]["content"]
        and one["question"]["score"] == other["question"]["score"]
    )
    first, second = rows
    if first is None or second is None or not is_same_ground:
        return None
    points = 100 * (first["accuracy"] - second["accuracy"])
    widths = [row["interval_95"][1] - row["interval_95"][0] for row in (first, second)]
    half = 100 * _Z95 * math.hypot(*(width / (2 * _Z95) for width in widths))
    return {
        "points": round(points, 4),
        "interval_95": [round(points - half, 4), round(points + half, 4)],
        "told_from_noise": abs(points) > half,
    }


def _sentence(gap: Report | None, one: Report, other: Report) -> str:
    from hpo.answer.sentences import points, printed_difference

    first, second = (_lead(report)[0] for report in (one, other))
    if gap is None or first is None or second is None:
        return "Their accuracies cannot be compared: the images or the questions are not the same."
    sign = -1 if gap["points"] < 0 else 1
    low, high = sorted(sign * bound for bound in gap["interval_95"])
    noise = "told from noise" if gap["told_from_noise"] else "within noise"
    return (
        f"{one['study']} gives {points(sign * printed_difference(first, second))} points "
        f"{'less' if sign < 0 else 'more'} ({points(low)} to {points(high)}) than "
        f"{other['study']}: {noise}."
    )

"""`labelworth crowd`: fit a simulated crowd to recorded answers; list the named scenarios."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.cli.console import print_json, print_lines, stdout
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from labeling.crowd.fitting.fit import Fit
    from labeling.recorded.recording import Recording


def add_parser(commands: Commands) -> None:
    """Add the command and its actions."""
    words = "fit a simulated crowd to recorded answers; list the named scenarios"
    crowd = add_command(commands, "crowd", words)
    actions = crowd.add_subparsers(title="actions", metavar="ACTION", required=True)
    words = "estimate difficulty, skill, spam and times from answers, and write a scenario"
    fit = add_command(actions, "fit", words)
    fit.add_argument("answers", metavar="ANSWERS", type=Path, help="task,annotator,label[,seconds]")
    fit.add_argument("--out", metavar="FILE.toml", type=Path, help="where to write the scenario")
    words = "the class names, separated by commas, such as cat,dog"
    fit.add_argument("--classes", metavar="NAMES", help=words)
    words = "go on with class names that look like slips of each other, each a class"
    fit.add_argument("--keep-classes", action="store_true", help=words)
    fit.add_argument("--skip-empty", action="store_true", help="leave out answers without a label")
    add_json(fit)
    fit.set_defaults(command=_fit)
    add_command(actions, "list", "named scenarios").set_defaults(command=_scenarios)


def _fit(arguments: argparse.Namespace) -> int:
    from hpo.settings.parsing import class_names, optional
    from labeling.recorded.answer_cells import ReadingChoices
    from labeling.recorded.reading import read_recording

    choices = ReadingChoices(arguments.keep_classes, arguments.skip_empty)
    names = optional(class_names)(arguments.classes, "--classes")
    recording = read_recording(arguments.answers, names, choices)
    fit_crowd(recording, arguments.answers, arguments.out, arguments.json)
    return DONE


def fit_crowd(recording: Recording, path: Path, out: Path | None, as_json: bool) -> None:
    """Fit a scenario to recorded answers, write it, and print how well it fits.

    Args:
        recording: the answers.
        path: their file, which names the scenario where none is written.
        out: file of the scenario; None writes no file.
        as_json: print JSON instead of a table.

    Raises:
        InputError: fitting or writing failed.
    """
    from dataclasses import asdict

    from labeling.crowd.fitting.fit import fit_scenario, write_scenario

    fit = fit_scenario(recording, name=(out or path).stem.partition(".")[0])
    if out is not None:
        write_scenario(fit, out)
    if not as_json:
        _show(fit, recording.notes, out)
        return
    print_json(
        {
            "scenario": asdict(fit.scenario),
            "fit": [{**asdict(row), "beyond_noise": row.beyond_noise} for row in fit.table],
            "caveats": list(fit.caveats),
            "notes": list(recording.notes),
            "written": str(out) if out else None,
        }
    )


def _show(fit: Fit, notes: Sequence[str], out: Path | None) -> None:
    from hpo.answer.tables import TableColumn, TextTable, print_table

    print_lines([f"{fit.scenario.name}: {fit.scenario.about}", *(f"Note: {n}" for n in notes), ""])
    marked = any(row.beyond_noise for row in fit.table)
    rows = [
        (
            row.statistic,
            f"{row.observed:.3f}",
            f"{row.simulated:.3f}",
            f"{row.simulated - row.observed:+.3f}",
            "beyond noise" if row.beyond_noise else "",
        )
        for row in fit.table
    ]
    columns = (
        TableColumn("", wraps=True),
        TableColumn("observed", True),
        TableColumn("simulated", True),
        TableColumn("difference", True, rank=1),
        *([TableColumn("")] if marked else []),
    )
    print_table(TextTable(columns, [row[: len(columns)] for row in rows]), stdout())
    print_lines(f"Note: {caveat}." for caveat in fit.caveats)
    if out is not None:
        print_lines([f"Written: {out}. Use it with --scenario {out}"])


def _scenarios(arguments: argparse.Namespace) -> int:
    from labeling.crowd.scenario import load_scenario, scenario_names

    for name in scenario_names():
        print(f"{name}: {load_scenario(name).about}")
    return DONE

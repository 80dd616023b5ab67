"""`labelworth run`: buy labels or search for a plan under a budget, and answer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.cli.console import stderr, stdout
from hpo.cli.engine import add_engine, engine_of, search
from hpo.cli.flags import (
    FULL,
    Commands,
    add_answer_json,
    add_archive,
    add_command,
    add_details,
    add_mirror_choices,
    add_settings,
    config_of,
    mirror_choices,
)
from hpo.cli.goals import add_goals, exit_code, missed_goals, most_of
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from budget.money import Money


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "buy labels, or search for a plan, under a budget; answer (default)"
    parser = add_command(commands, "run", words)
    parser.later(_add_flags)
    parser.set_defaults(command=run)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_answer_json(parser)
    add_details(parser)
    group = parser.add_argument_group("ClearML")
    words = "mirror the study: auto (default) where ClearML is configured, on or off"
    group.add_argument("--clearml", metavar="auto|on|off", default="auto", help=words)
    add_mirror_choices(group)
    add_engine(parser)
    parser.add_argument("--yes", action="store_true", help="real money: confirms --budget")
    add_archive(parser)
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument("-q", "--quiet", action="store_true", help="no progress: the answer alone")
    loud.add_argument("-v", "--verbose", action="store_true", help="a line for each step")
    add_goals(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search, print the answer, and say what became of real money."""
    from hpo.settings.config import to_toml

    config, most = config_of(arguments), most_of(arguments)
    if arguments.print_config:
        print(to_toml(config), end="")
        return DONE
    from hpo.tracking.clearml.choices import chosen
    from hpo.tracking.clearml.live import destination, logged_in

    given, folder = mirror_choices(arguments), arguments.runs / config.study
    project = chosen(folder, **given).study_project(config.study)
    mirrored = destination(arguments.clearml, project)
    engine = engine_of(arguments, config)
    if engine is None:  # an engine has logged in
        mirrored = logged_in(mirrored, arguments.clearml)
    if not arguments.quiet:
        print(mirrored.words, file=sys.stderr)
    from hpo.answer.plot import plot_front
    from hpo.answer.sentences import market_line
    from hpo.cli import confirm_spending
    from hpo.cli.progress import Loudness, ProgressLine, feature_bar
    from hpo.settings.run_folder import balance_in
    from hpo.study.pools import check_archive
    from hpo.study.study import Study
    from hpo.tracking.clearml.live import mirroring

    check_archive(config.market_kind, arguments.archive)
    log = stderr()
    budget_given = arguments.budget is not None
    confirm_spending.check_flags(config, arguments.yes, budget_given)

    def say(line: str) -> None:
        if not arguments.quiet or config.market_kind.real_money:
            log.print(line, markup=False, soft_wrap=True)

    loudness = Loudness.VERBOSE if arguments.verbose else Loudness.USUAL
    loudness = Loudness.QUIET if arguments.quiet else loudness
    say(f"Study {config.study}, cap {config.budget}: {market_line(config)}")
    confirmed = None
    if config.market_kind.real_money:
        before = balance_in(folder, config)
        what = confirm_spending.trials_line(config)
        dearest = confirm_spending.dearest_order(config)
        confirmed = confirm_spending.confirm(
            config, config.budget, before, what, dearest, arguments.yes, say
        )
    with feature_bar(log, arguments.quiet):
        study = Study(config, arguments.runs, tell=say)
    try:
        with (
            mirroring(study.folder, mirrored.on, **given),
            ProgressLine(log, config, loudness) as shown,
        ):
            real_money = confirmed is not None
            report = search(study, engine, shown.update, real_money, arguments.archive)
            note = confirm_spending.compare(config, confirmed, study.world.ledger.balance().spent)
    finally:
        study.close()
    picture = study.folder / "front.png"
    plot_front(report, picture)
    print_report(arguments.json, report, study.folder, arguments.details)
    last = [mirrored.words] if mirrored.at_the_end else []
    for line in [*study.parting, *([note] if note is not None else []), *last]:
        say(line)
    return end(report, most)


def end(report: Mapping[str, Any], most: Money | None) -> int:
    """Say which goals a report misses, on a GitHub job's page too; return the exit code."""
    from hpo.cli.step_summary import append_summary

    missed = missed_goals(report, most)
    unwritten = append_summary(report, missed)
    for line in [*missed, *([unwritten] if unwritten else [])]:
        print(f"labelworth: {line}", file=sys.stderr)
    return exit_code(report, missed)


def print_report(
    as_json: str | None, report: dict[str, Any], folder: Path, details: bool = False
) -> None:
    """Print a report: as JSON, or in words with the files that belong to it.

    Args:
        as_json: print it as JSON of this size; None for words.
        report: the report.
        folder: the study's folder.
        details: print everything beside the first block, too.
    """
    from hpo.settings.stored_answer import PAGE, REPORT, to_json

    if as_json == FULL:
        sys.stdout.write(to_json(report))
        return
    from hpo.answer.sections.delivered import LABELS_FILE, MODEL_FILE
    from hpo.answer.terminal import show

    paths = {
        "report": folder / REPORT,
        "page": folder / PAGE,
        "labels": folder / LABELS_FILE,
        "model": folder / MODEL_FILE,
        "plot": folder / "front.png",
        "label versions": folder / "versions",
    }
    files = {name: path for name, path in paths.items() if path.exists()}
    if as_json:
        from hpo.answer.objects.small import small_answer

        sys.stdout.write(to_json(small_answer(report, files)))
        return
    show(report, files, stdout(), details)

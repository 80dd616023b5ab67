"""The command line: `python -m hpo.run --budget 20`, also installed as `labelworth`.

Nothing heavy is imported before a command needs it, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hpo import engines, market_commands, publish, toloka_server
from hpo.market import stop_signals
from hpo.settings.exit_codes import (
    BAD_INPUT,
    DONE,
    NOTHING_AFFORDABLE,
    explain,
)
from hpo.view_commands import add_data, add_today, add_view

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig

COMMANDS = (
    "run",
    "plan",
    "status",
    "report",
    "view",
    "data",
    "buy",
    "publish",
    "doctor",
    "reconcile",
    "crowd",
    "toloka-server",
)

_SETTINGS = (
    # flag, metavar, group, help
    ("budget", "DOLLARS", "money", "hard cap of money, fee included"),
    ("max-plan-share", "SHARE", "money", "no plan above this share of the budget (40%%)"),
    ("allowance", "SHARE", "money", "extra assignments an order may use for recompletion (40%%)"),
    ("confirm", "DOLLARS", "money", "kept to buy the recommended plan again (15%% of the budget)"),
    ("fee-share", "SHARE", "money", "platform fee as a share of the reward (30%%)"),
    ("fee-minimum", "DOLLARS", "money", "smallest fee of an assignment (0.001)"),
    ("smallest-reward", "DOLLARS", "money", "platform's smallest reward of a suite (0.005)"),
    ("price", "DOLLARS", "plans", "price per task (0.001,0.0015,0.002,0.003,0.004,0.006,0.008)"),
    ("overlap", "N", "plans", "answers per task (1,2,3,4,5,7)"),
    ("controls", "N", "plans", "control tasks per suite (0,1,2,3)"),
    ("tasks", "N", "plans", "number of tasks, or share of the pool (10%%,20%%,40%%,70%%,100%%)"),
    ("exam", "on|off", "plans", "exam before the paid tasks (off,on)"),
    ("campaign", "NAME", "plans", "what is asked: a template or TOML file (one question)"),
    ("question", "NAME", "plans", "the question that the model learns (the campaign's first)"),
    ("suite-size", "N", "plans", "tasks per suite, control tasks included (10)"),
    ("data", "DATA", "data", "digits3 (default), digits, npz:FILE (arrays x, y) or folder:DIR"),
    ("labels", "FILE.csv", "data", "a folder's columns image,label,role[,url]"),
    ("image-url-prefix", "URL", "data", "images' addresses: this and the image's name"),
    ("own-labels", "FILE", "data", "answers bought elsewhere (task,annotator,label): owned for $0"),
    ("seed", "N", "data", "seed of everything random (0)"),
    (
        "market",
        "MARKET",
        "crowd",
        "simulated (default), hybrid:FILE, replay:FILE (recorded), rehearsal or toloka (money)",
    ),
    ("toloka-environment", "NAME", "crowd", "production (default) or sandbox, for toloka"),
    ("scenario", "NAME", "crowd", "simulated crowd: a scenario's name or TOML file (default)"),
    ("selection", "G", "crowd", "exponent by which price changes who comes (the scenario's)"),
    ("price-models", "one|both", "crowd", "both: search again with the other g, compare prices"),
    (
        "difficulty",
        "MODEL",
        "crowd",
        "independent (default) or images: hard where classes meet",
    ),
    ("max-minutes", "M", "crowd", "longest campaign in minutes, or none (15)"),
    ("aggregation", "NAME", "model", "weighted (default), majority or dawid-skene"),
    ("backbone", "NAME", "model", "auto (default), pixels, patch or a timm model"),
    ("backbone-file", "FILE", "model", "its weights as .safetensors"),
    ("sampler", "NAME", "search", "money (default), rule, tpe, nsga2, gp or random"),
    ("min-gain", "POINTS", "search", "stop when no plan promises so many points per dollar (0)"),
    ("pool-size", "N", "search", "images there are in all: what to price and forecast for"),
    ("trials", "N", "search", "stop after N purchases"),
    ("study", "NAME", "search", "name of the study and its folder (from the data)"),
    ("view", "EXPR", "views", "train on some labels: \"confidence >= 0.8 and label != 'other'\""),
    ("test-view", "EXPR", "views", "report some test images beside all: \"class == 'cat'\""),
)
_SWITCHES = (
    ("no-reuse", "search", "do not evaluate the plans that a purchase contains"),
    ("few-labels-ok", "data", "go on with fewer control, validation or final images than advised"),
    ("skip-bad-images", "data", "leave out images that cannot be used"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, also when the budget is used up; 2 bad input; 3 nothing affordable; 4 real money not
    confirmed; 5 trouble with the market; 6 the ledger was refused; 130 or 143 stopped by a signal,
    and the same command goes on.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or (words[0] not in COMMANDS and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "run")
    arguments = _parser().parse_args(words)
    # Small matrices: more threads only wait for each other. Read by OpenMP when torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    stop_signals.install()
    if (stranger := _stranger()) is not None:
        print(
            f"labelworth: {stranger}: another package of this name is in the way; "
            "start from another folder, or use the command `labelworth`",
            file=sys.stderr,
        )
        return BAD_INPUT
    try:
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except KeyboardInterrupt:
        return _stopped(signal.SIGINT)
    except stop_signals.Terminated:
        return _stopped(signal.SIGTERM)
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        code, line = explain(error)
        print(f"labelworth: {line}", file=sys.stderr)
        return code


# --- the parser ---


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage above it."""
        self.exit(BAD_INPUT, f"labelworth: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="labelworth",
        description="How much should we invest in annotations? Searches price per task, overlap "
        "and control tasks under a hard cap of money, and recommends a plan.",
        epilog="labelworth COMMAND --help shows a command's settings. Without a command: run.",
        allow_abbrev=False,
    )
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("labelworth")
    except PackageNotFoundError:
        number = "not installed"
    parser.add_argument("--version", action="version", version=f"labelworth {number}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for name, words, function, settings in (
        ("run", "search under a budget and answer (default)", _run, True),
        ("plan", "quote one plan or the whole space; buys nothing", _plan, True),
        ("status", "where a study stands: money, purchases, open orders", _status, False),
        ("report", "the answer of a study as stored", _report, False),
    ):
        sub = commands.add_parser(name, help=words, description=words, allow_abbrev=False)
        sub.set_defaults(command=function)
        if settings:
            _add_settings(sub)
        else:
            sub.add_argument("folder", metavar="RUN_DIR", type=Path, help="such as runs/digits3")
        sub.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        if name == "run":
            publish.add_clearml(sub)
            engines.add_engine(sub)
            sub.add_argument("--yes", action="store_true", help="real money: confirms --budget")
            market_commands.add_archive(sub)
        if name == "report":
            add_today(sub)
    add_view(commands)
    add_data(commands)
    market_commands.add_parsers(commands)
    publish.add_parser(commands)
    _add_crowd(commands)
    toloka_server.add_parser(commands)
    return parser


def _add_crowd(commands: argparse._SubParsersAction[_Parser]) -> None:
    words = "fit a simulated crowd to recorded answers; list the named scenarios"
    crowd = commands.add_parser("crowd", help=words, description=words, allow_abbrev=False)
    actions = crowd.add_subparsers(title="actions", metavar="ACTION", required=True)
    words = "estimate difficulty, skill, spam and times from answers, and write a scenario"
    fit = actions.add_parser("fit", help=words, description=words, allow_abbrev=False)
    fit.add_argument("answers", metavar="ANSWERS", type=Path, help="task,annotator,label[,seconds]")
    fit.add_argument("--out", metavar="FILE.toml", type=Path, help="where to write the scenario")
    fit.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    fit.set_defaults(command=_fit)
    listing = actions.add_parser("list", help="named scenarios", description="named scenarios")
    listing.set_defaults(command=_scenarios)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, metavar, group, words in _SETTINGS:
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        groups[group].add_argument(f"--{name}", metavar=metavar, help=words)
    for name, group, words in _SWITCHES:
        groups[group].add_argument(f"--{name}", action="store_const", const=True, help=words)
    parser.add_argument("--config", metavar="FILE.toml", type=Path, help="settings; flags win")
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="(runs)")
    parser.add_argument(
        "--print-config", action="store_true", help="print the whole configuration as TOML"
    )


def _config(arguments: argparse.Namespace, **defaults: str) -> StudyConfig:
    from hpo.settings.config import make_config, read_toml

    raw: dict[str, object] = dict(defaults)
    origin: dict[str, str] = {}
    if arguments.config is not None:
        values = read_toml(arguments.config)
        raw.update(values)
        origin.update({name: f"{arguments.config}: {name}" for name in values})
    for name in [row[0] for row in _SETTINGS] + [row[0] for row in _SWITCHES]:
        value = getattr(arguments, name.replace("-", "_"))
        if value is not None:
            raw[name.replace("-", "_")] = value
            origin[name.replace("-", "_")] = f"--{name}"
    return make_config(raw, origin)


# --- commands ---


def _run(arguments: argparse.Namespace) -> int:
    from hpo.settings.config import to_toml

    config = _config(arguments)
    if arguments.print_config:
        print(to_toml(config), end="")
        return DONE
    from hpo.tracking.clearml.live import destination

    mirrored = destination(arguments.clearml, f"labelworth/{config.study}")
    print(mirrored.words, file=sys.stderr)
    from rich.console import Console

    from hpo import consent
    from hpo.answer.plot import plot_front
    from hpo.answer.sentences import market_line
    from hpo.gauge import Gauge
    from hpo.status import balance_in
    from hpo.study.pools import check_archive
    from hpo.study.study import Study
    from hpo.tracking.clearml.live import mirroring

    engine = engines.engine_of(arguments, config)
    check_archive(config.market.partition(":")[0], arguments.archive)
    log = Console(stderr=True, highlight=False)
    budget_given = arguments.budget is not None
    consent.check_flags(config, arguments.yes, budget_given)

    def say(line: str) -> None:
        log.print(line, markup=False, soft_wrap=True)

    say(f"Study {config.study}, cap {config.budget}: {market_line(config)}")
    confirmed = None
    if config.market == "toloka":
        before = balance_in(arguments.runs / config.study)
        what = consent.trials_line(config)
        confirmed = consent.confirm(config, config.budget, before, what, arguments.yes, say)
    study = Study(config, arguments.runs)
    try:
        with mirroring(study.folder, mirrored.on, arguments.images_external), Gauge(log) as gauge:
            real_money = confirmed is not None
            report = engines.search(study, engine, gauge.update, real_money, arguments.archive)
            note = consent.compare(config, confirmed, study.world.ledger.spent())
    finally:
        study.close()
    picture = study.folder / "front.png"
    plot_front(report, picture)
    _print_report(arguments.json, report, study.folder)
    for line in [*study.parting, *([note] if note is not None else [])]:
        say(line)
    return DONE if report["purchases"] else NOTHING_AFFORDABLE


def _print_report(as_json: bool, report: dict[str, object], folder: Path) -> None:
    if as_json:
        from hpo.settings.run_folder import to_json

        sys.stdout.write(to_json(report))
        return
    from rich.console import Console

    from hpo.answer.terminal import show

    paths = {
        "report": folder / "report.json",
        "plot": folder / "front.png",
        "label versions": folder / "versions",
    }
    show(report, {name: path for name, path in paths.items() if path.exists()}, Console())


def _plan(arguments: argparse.Namespace) -> int:
    from hpo.planning import show_quotes
    from hpo.settings.config import to_toml

    config = _config(arguments, budget="20")
    if arguments.print_config:
        print(to_toml(config), end="")
        return DONE
    return DONE if show_quotes(config, arguments.json) else NOTHING_AFFORDABLE


def _status(arguments: argparse.Namespace) -> int:
    from hpo.status import show_status

    show_status(arguments.folder, arguments.json)
    return DONE


def _report(arguments: argparse.Namespace) -> int:
    from hpo.study.study import open_study

    study = open_study(arguments.folder)
    try:
        report = study.report()
        if arguments.view is not None or arguments.test_view is not None:
            from hpo.study.view_today import view_today

            report["view_today"] = view_today(study, arguments.view, arguments.test_view)
    finally:
        study.close()
    _print_report(arguments.json, report, study.folder)
    return DONE


def _fit(arguments: argparse.Namespace) -> int:
    from labeling.crowd.fitting.fit import run_fit

    run_fit(arguments.answers, arguments.out, arguments.json)
    return DONE


def _scenarios(arguments: argparse.Namespace) -> int:
    from labeling.crowd.scenario import load_scenario, scenario_names

    for name in scenario_names():
        print(f"{name}: {load_scenario(name).about}")
    return DONE


# --- ends ---


def _stopped(number: signal.Signals) -> int:
    print("labelworth: stopped; the same command goes on where it stood", file=sys.stderr)
    return 128 + number


def _stranger() -> str | None:
    """A package of our name that is not ours, in the working directory: no money moves with it."""
    import budget
    import hpo
    import labeling
    import training

    home = Path(hpo.__file__).parent.parent
    for module in (budget, labeling, training):
        if module.__file__ is None or Path(module.__file__).parent.parent != home:
            return module.__name__
    return None


if __name__ == "__main__":
    sys.exit(main())

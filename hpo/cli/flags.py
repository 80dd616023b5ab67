"""Flags of a study's settings, and the configuration that they give."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from hpo.settings.exit_codes import BAD_INPUT

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig

Commands: TypeAlias = "argparse._SubParsersAction[Any]"

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


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """One line, without the usage above it."""
        self.exit(BAD_INPUT, f"labelworth: {message}; see {self.prog} --help\n")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add every setting of a study, --config, --runs and --print-config."""
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


def config_of(arguments: argparse.Namespace, **defaults: str) -> StudyConfig:
    """The configuration of defaults, a file and flags; flags win.

    Raises:
        InputError: a setting is wrong; the message names it and where it came from.
    """
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


def add_command(commands: Commands, name: str, words: str) -> argparse.ArgumentParser:
    """Add a command with one sentence of help.

    Args:
        commands: the subcommands of `labelworth`, or of another command.
        name: of the command.
        words: shown in the list of commands, and above its own flags.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=words, description=words, allow_abbrev=False
    )
    return parser


def add_run_dir(parser: argparse.ArgumentParser) -> None:
    """Add the study's folder that a command is about."""
    parser.add_argument("folder", metavar="RUN_DIR", type=Path, help="such as runs/digits3")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the flag for output that programs read."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Add the flag by which a study is declared over."""
    words = "the study is over: archive its pools at the end"
    parser.add_argument("--archive", action="store_true", help=words)


def add_images_external(parser: argparse._ActionsContainer) -> None:
    """Add the address of images that lie on the web already."""
    words = "where a folder's images lie on the web: ClearML gets links, no uploads"
    parser.add_argument("--images-external", metavar="URL", help=words)

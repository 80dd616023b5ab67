"""Flags of a study's settings, and the configuration that they give."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from hpo.settings.exit_codes import BAD_INPUT

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig
    from hpo.settings.setting import Setting

Commands: TypeAlias = "argparse._SubParsersAction[Any]"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose flags can wait until they are asked for."""

    _waiting: tuple[Callable[[Parser], None], ...] = ()

    def later(self, add: Callable[[Parser], None]) -> None:
        """Add flags when this parser is used, and not for the help of another."""
        self._waiting += (add,)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, with the flags that have waited."""
        waiting, self._waiting = self._waiting, ()
        for add in waiting:
            add(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """One line, without the usage above it."""
        self.exit(BAD_INPUT, f"labelworth: {message}; see {self.prog} --help\n")


def full_help(row: Setting) -> str:
    """A setting's help, with the names that stand in registries above the settings."""
    from hpo.search.samplers import SAMPLERS

    return row.help.replace("{samplers}", ", ".join(SAMPLERS))


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add every setting of a study, --config, --runs and --print-config."""
    from hpo.settings.table import SETTINGS

    groups: dict[str, argparse._ArgumentGroup] = {}
    for row in SETTINGS:
        if not row.has_flag:
            continue
        if row.group not in groups:
            groups[row.group] = parser.add_argument_group(row.group)
        group, words = groups[row.group], full_help(row).replace("%", "%%")
        if not row.metavar:
            group.add_argument(row.flag, action="store_const", const=True, help=words)
            continue
        default = row.default_text.replace("%", "%%")
        words = f"{words} ({default})" if default else words
        group.add_argument(row.flag, metavar=row.metavar, help=words)
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
    from hpo.settings.table import SETTINGS

    raw: dict[str, object] = dict(defaults)
    origin: dict[str, str] = {}
    if arguments.config is not None:
        values = read_toml(arguments.config)
        raw.update(values)
        origin.update({name: f"{arguments.config}: {name}" for name in values})
    for row in SETTINGS:
        value = getattr(arguments, row.name, None)
        if value is not None:
            raw[row.name] = value
            origin[row.name] = row.flag
    return make_config(raw, origin)


def add_command(commands: Commands, name: str, words: str) -> Parser:
    """Add a command with one sentence of help.

    Args:
        commands: the subcommands of `labelworth`, or of another command.
        name: of the command.
        words: shown in the list of commands, and above its own flags.
    """
    parser: Parser = commands.add_parser(name, help=words, description=words, allow_abbrev=False)
    return parser


def add_run_dir(parser: argparse.ArgumentParser) -> None:
    """Add the study's folder that a command is about."""
    parser.add_argument("folder", metavar="RUN_DIR", type=Path, help="such as runs/digits3")


def add_json(parser: argparse._ActionsContainer) -> None:
    """Add the flag for output that programs read."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def add_details(parser: argparse.ArgumentParser) -> None:
    """Add the flag that prints everything behind the first lines of an answer."""
    parser.add_argument("--details", action="store_true", help="print everything behind the answer")


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Add the flag by which a study is declared over."""
    words = "the study is over: archive its pools at the end"
    parser.add_argument("--archive", action="store_true", help=words)


def add_mirror_choices(parser: argparse._ActionsContainer) -> None:
    """Add what is chosen of a mirror; its folder remembers the project and the images."""
    words = "ClearML's project above all studies': team/labels (labelworth, or the one before)"
    parser.add_argument("--clearml-project", metavar="PATH", help=words)
    words = "whether ClearML gets images: on (default, or as before), or off: names and labels"
    parser.add_argument("--clearml-images", metavar="on|off", help=words)
    words = "where a folder's images lie on the web: ClearML gets links, no uploads"
    parser.add_argument("--images-external", metavar="URL", help=words)


def mirror_choices(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is chosen of a mirror, as the mirror takes it.

    Raises:
        InputError: a flag is wrong; named.
    """
    from hpo.tracking.clearml.choices import pictures_or_not, project_path

    path, pictures = arguments.clearml_project, arguments.clearml_images
    return {
        "external": arguments.images_external,
        "project": None if path is None else project_path(path),
        "pictures": None if pictures is None else pictures_or_not(pictures),
    }

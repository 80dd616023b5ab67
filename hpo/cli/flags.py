"""Flags of a study's settings, and the configuration that they give."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from hpo.settings.exit_codes import BAD_INPUT
from hpo.settings.rows.common import COMMON

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig
    from hpo.settings.setting import Setting

Commands: TypeAlias = "argparse._SubParsersAction[Any]"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose flags can wait until they are asked for."""

    _waiting: tuple[Callable[[Parser], None], ...] = ()

    def __init__(self, **words: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **words)

    def complete(self) -> None:
        """Add the flags that have waited."""
        waiting, self._waiting = self._waiting, ()
        for add in waiting:
            add(self)

    def later(self, add: Callable[[Parser], None]) -> None:
        """Add flags when this parser is used, and not for the help of another."""
        self._waiting += (add,)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, with the flags that have waited; to an unknown flag the nearest name is told."""
        self.complete()
        words = sys.argv[1:] if args is None else list(args)
        parsed, unknown = super().parse_known_args(self._with_defaults(words), namespace)
        flags = [word.partition("=")[0] for word in unknown if word.startswith("--")]
        if flags and self._subparsers is None:
            from budget.errors import nearest

            near = nearest(
                flags[0], [name for name in self._option_string_actions if name[1] == "-"]
            )
            hint = f"; {near}" if near.startswith("did") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return parsed, unknown

    def _with_defaults(self, words: list[str]) -> list[str]:
        """The words; a flag that stands before none of its choices is given its default."""
        told = []
        for word, after in zip(words, [*words[1:], ""], strict=False):
            action = self._option_string_actions.get(word)
            choices = action.choices if action is not None and action.nargs == "?" else None
            is_bare = choices is not None and after not in choices
            told.append(f"{word}={action.const}" if action is not None and is_bare else word)
        return told

    def error(self, message: str) -> NoReturn:
        """One line, without the usage above it."""
        self.exit(BAD_INPUT, f"labelworth: {message}; see {self.prog} --help\n")


def subcommands(parser: Parser, before: str = "") -> Iterator[tuple[str, Parser]]:
    """A parser's commands and their actions, each by its words: "data", "data get"."""
    for action in parser._subparsers._group_actions if parser._subparsers else ():
        for name, command in (action.choices or {}).items():  # type: ignore[attr-defined]
            yield f"{before}{name}", command
            yield from subcommands(command, f"{before}{name} ")


def full_help(row: Setting) -> str:
    """A setting's help, with the names that stand in registries above the settings."""
    from hpo.search.samplers import SAMPLERS

    return row.help.replace("{samplers}", ", ".join(SAMPLERS))


class _HelpAll(argparse.Action):
    """Prints the help of every flag, also of those that --help leaves out."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        show_rare(parser)
        parser.print_help()
        parser.exit()


def show_rare(parser: argparse.ArgumentParser) -> None:
    """Let a parser's help show the flags that people use rarely, too."""
    for action in parser._actions:
        action.help = getattr(action, "rare_help", action.help)


def _rare(action: argparse.Action, is_common: bool) -> None:
    """Leave a flag out of --help, not of --help-all."""
    if not is_common:
        action.rare_help = action.help  # type: ignore[attr-defined]
        action.help = argparse.SUPPRESS


def common_settings() -> str:
    """The settings that people use, a line each with an example."""
    width = max(len(example) for example, _ in COMMON.values())
    lines = [f"  {example:<{width}}  {words}" for example, words in COMMON.values()]
    return "\n".join(["settings that people use:", *lines])


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add every setting of a study, --config, --runs, --print-config and --help-all.

    --help shows the settings that people use, each with an example; --help-all shows all.
    """
    from hpo.settings.table import SETTINGS

    groups: dict[str, argparse._ArgumentGroup] = {}
    for row in SETTINGS:
        if not row.has_flag:
            continue
        if row.group not in groups:
            groups[row.group] = parser.add_argument_group(row.group)
        group, words = groups[row.group], full_help(row).replace("%", "%%")
        if not row.metavar:
            switch = group.add_argument(row.flag, action="store_const", const=True, help=words)
            _rare(switch, row.name in COMMON)
            continue
        default = row.default_text.replace("%", "%%")
        words = f"{words} ({default})" if default else words
        _rare(group.add_argument(row.flag, metavar=row.metavar, help=words), row.name in COMMON)
    words = "show every setting, and exit"
    parser.add_argument("--help-all", action=_HelpAll, nargs=0, help=words)
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


SMALL, FULL = JSON_SIZES = ("small", "full")
"""An answer as JSON: its first block, or everything."""


def add_answer_json(parser: argparse._ActionsContainer) -> None:
    """Add the flag for an answer that programs read."""
    words = "print the answer as one JSON object: its first block (small), or all of it (full)"
    parser.add_argument("--json", nargs="?", const=SMALL, choices=JSON_SIZES, help=words)


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

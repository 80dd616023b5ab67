"""One command of the command line: parsed, run, and its end told as an exit code.

Nothing heavy is imported before a command needs it, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import io
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from hpo.cli.commands import crowd, data, explain, publish, weights
from hpo.cli.commands.books import audit, ledger
from hpo.cli.commands.model import export, predict, train
from hpo.cli.commands.overview import compare, completion, listing
from hpo.cli.commands.platform import doctor, reconcile, toloka_server
from hpo.cli.commands.staff import invite, pay, studio_server, studio_tasks
from hpo.cli.commands.studies import ask, buy, dashboard, plan, report, run, status, view
from hpo.cli.examples import EXAMPLES
from hpo.cli.flags import Parser, common_settings, subcommands
from hpo.market import stop_signals
from hpo.settings.exit_codes import BAD_INPUT, OUTPUT_UNREAD
from hpo.settings.exit_codes import explain as explained

_MODULES = (
    run,
    plan,
    status,
    report,
    dashboard,
    ask,
    view,
    data,
    buy,
    doctor,
    reconcile,
    ledger,
    audit,
    pay,
    invite,
    publish,
    train,
    predict,
    export,
    explain,
    crowd,
    weights,
    toloka_server,
    studio_server,
    studio_tasks,
    listing,
    compare,
    completion,
)

_ABOUT = """\
How much should we invest in annotations? Learns with a little money how to buy labels, buys
them under a hard cap, and delivers labels and a model; or searches for the best plan."""
_LONGEST = 1200  # characters of an error's line
_WITHOUT = """\
labelworth COMMAND --help shows a command's settings and an example; labelworth --help-all
shows every setting of a study. Without a command: run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, also when the budget is used up; 2 bad input; 3 nothing affordable; 4 real money not
    confirmed; 5 trouble with the market; 6 the ledger was refused; 8 a goal was missed; 130 or 143
    stopped by a signal, and the same command goes on; 141 the reader of the output went away.
    """
    _open_closed_streams()
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()  # at the interpreter's end it is too late to be quiet
    except BrokenPipeError:
        unread = [stream for stream in (sys.stdout, sys.stderr) if _is_unread(stream)]
        if not unread:
            raise  # it was another pipe
        for stream in unread:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return OUTPUT_UNREAD


def _open_closed_streams() -> None:
    """Give a process that was started without an output one that nobody reads.

    Else the next file that is opened, such as a journal, would get its number, and what any library
    prints.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def _is_unread(stream: TextIO) -> bool:
    """Whether the reader of an output of ours went away, such as `head`."""
    poll = select.poll()
    poll.register(stream, 0)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))


def _run(argv: Sequence[str] | None) -> int:
    if (stranger := _stranger()) is not None:
        print(
            f"labelworth: {stranger}: another package of this name is in the way; "
            "start from another folder, or use the command `labelworth`",
            file=sys.stderr,
        )
        return BAD_INPUT
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A letter that the stream cannot write is written as its code.
            stream.reconfigure(errors="backslashreplace")
    for name in ("COLUMNS", "LINES"):  # a terminal without a size: some programs say 0
        if not os.environ.get(name, "").strip("0"):
            os.environ.pop(name, None)
    words = list(sys.argv[1:] if argv is None else argv)
    parser, commands = make_parser()
    arguments = parser.parse_args(_with_command(words, parser, commands))
    # Small matrices: more threads only wait for each other. Read by OpenMP when torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    stop_signals.install()
    try:
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except KeyboardInterrupt:
        return _stopped(signal.SIGINT)
    except stop_signals.Terminated:
        return _stopped(signal.SIGTERM)
    except BrokenPipeError:
        raise
    except Exception as error:
        code, line = explained(error)
        print(f"labelworth: {_printable(line)}", file=sys.stderr)
        return code


def _printable(line: str) -> str:
    """A line in which codes stand for characters that would move a terminal, cut where long.

    What is wrong stands at its start, and the remedy at its end.
    """
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
    codes = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return "".join(codes)


def _with_command(words: list[str], parser: Parser, commands: Sequence[str]) -> list[str]:
    """A command line that names its command: run where it names none."""
    first = words[0] if words else ""
    if first in (*commands, "-h", "--help", "--version"):
        return words
    if first and not first.startswith("-"):
        from budget.errors import nearest

        parser.error(f"{first!r} is no command; {nearest(first, commands)}")
    return ["run", *words]


class _Version(argparse.Action):
    """Prints the installed version; it is looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("labelworth")
        except PackageNotFoundError:
            number = "not installed"
        print(f"labelworth {number}")
        parser.exit()


def make_parser() -> tuple[Parser, list[str]]:
    """The parser, and the names of its commands."""
    parser = Parser(
        prog="labelworth",
        description=_ABOUT,
        epilog=f"{common_settings()}\n\n{_WITHOUT}",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for module in _MODULES:
        module.add_parser(commands)
    for name, command in subcommands(parser):
        if name in EXAMPLES:
            command.epilog = f"for example:\n  {EXAMPLES[name]}"
    parser.set_defaults(parser=parser)  # completion needs it
    return parser, list(commands.choices)


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

"""A study killed many times in a row: each of its processes dies at another durable step.

A kill costs a start and the work up to the next step, not a whole study of its own.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import optuna

from tests.faults.steps import Steps, watch
from tests.forks import cpu_seconds, ended, forked


class Moment(NamedTuple):
    """Before or after a durable step.

    Attributes:
        step: the step's name.
        subject: what it is about, the same in each process of a study.
        number: how many of this step and subject the process has begun before.
        when: "before" or "after".
    """

    step: str
    subject: str
    number: int
    when: str


def watch_moments(steps: Steps, act: Callable[[Moment], object]) -> None:
    """Call act(moment) around every durable step, in this process."""
    begun: dict[tuple[str, str], int] = {}
    around: list[Moment] = []  # steps may stand inside others

    def called(owner: object, name: str, args: tuple[Any, ...]) -> str:
        return f"{name} {' '.join(filter(None, map(_told, args[:2])))}"

    def at(_: int, named: str, when: str) -> None:
        if when == "before":
            step, _, subject = named.partition(" ")
            number = begun.get((step, subject), 0)
            begun[step, subject] = number + 1
            around.append(Moment(step, subject, number, when))
            act(around[-1])
        else:
            act(around.pop()._replace(when=when))

    watch(steps, at, called)


def _told(argument: Any) -> str:
    """An argument of a step, where it says which step of its kind this is."""
    if isinstance(argument, optuna.Study):
        return str(len(argument.get_trials(deepcopy=False)))
    if isinstance(argument, Path):
        return argument.name
    if isinstance(argument, str | int):
        return str(argument)[:60]
    return str(getattr(argument, "key", getattr(argument, "number", "")))


def moments_of(steps: Steps, work: Callable[[], object], log: Path) -> tuple[list[Moment], float]:
    """The moments of a process that does some work undisturbed, in order; its CPU seconds."""

    def watched() -> None:
        with log.open("w") as file:
            watch_moments(steps, lambda moment: file.write("\t".join(map(str, moment)) + "\n"))
            work()

    seconds = cpu_seconds(forked(watched))
    rows = (line.split("\t") for line in log.read_text().splitlines())
    return [Moment(s, subject, int(number), when) for s, subject, number, when in rows], seconds


def of_each_kind(
    moments: Sequence[Moment],
    chance: random.Random,
    kind_of: Callable[[Moment], str] = lambda moment: moment.step,
) -> list[Moment]:
    """Before or after one step of each kind."""
    kinds = sorted({kind_of(moment) for moment in moments})
    return [chance.choice([m for m in moments if kind_of(m) == kind]) for kind in kinds]


def kill_at_all(
    moments: Sequence[Moment],
    chance: random.Random,
    chain: Callable[[Sequence[Moment]], Sequence[Moment]],
) -> int:
    """Kill studies until processes have died at all moments.

    Args:
        moments: where to die, each as often as it is named.
        chance: draws the moments of a study: half of those left, so that some processes do much
            between two kills; at last all that are left.
        chain: runs a study to its end, whose processes die at some moments; tells at which.

    Returns:
        The number of kills.
    """
    left, killed = list(moments), 0
    while left:
        at = [m for m in dict.fromkeys(left) if len(left) < 30 or chance.random() < 0.5]
        died = chain(at)
        assert died, f"never reached: {at}"
        for moment in died:
            left.remove(moment)
        killed += len(died)
    return killed


def kill_at(
    moments: Iterable[Moment],
    steps: Steps,
    work: Callable[[], object],
    log: Path,
    look: Callable[[], object] = lambda: None,
) -> list[Moment]:
    """Start a study again and again: each process dies at the first moment that none died at.

    The last process meets none, and ends the study.

    Args:
        moments: where to die.
        steps: what is watched.
        work: what each process does.
        log: file for a moment's number, and what the processes write.
        look: called after each death, before the next start.

    Returns:
        The moments at which a process died, in order.
    """
    left, died = list(moments), []

    def watched() -> None:
        def act(moment: Moment) -> None:
            if moment in left:
                log.write_text(str(left.index(moment)))
                os.kill(os.getpid(), signal.SIGKILL)

        watch_moments(steps, act)
        work()

    while (code := ended(forked(watched, log.with_suffix(".said")))) == -signal.SIGKILL:
        died.append(left.pop(int(log.read_text())))
        look()
    assert code == 0, f"after {died}: {log.with_suffix('.said').read_text()[-3000:]}"
    return died

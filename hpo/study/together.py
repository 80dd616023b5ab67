"""Several processes that search in one study at a database server, on one machine or on many.

Each asks for a trial, buys and evaluates it, and asks again. A trial belongs to whoever holds its
lock at the server. A process that dies loses the lock, and another takes its trial over: the order
is the same one, so nothing is bought twice.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol

from budget.postgres.locks import SessionLocks
from hpo.study.ask import ASKING, AskedTrial
from hpo.study.trials import Trials
from hpo.trial.outcome import plan_from_plain
from hpo.trial.world import World
from labeling.types import LabelPlan

_AT_WORK = "at work"  # the lock that all processes share while they search
_LOOK_S = 0.25


class Searching(Protocol):
    """What is needed of a study to search in it; `hpo.study.study.Study` says more."""

    world: World
    trials: Trials

    def ask(self) -> AskedTrial | None:
        """The next trial, written down before it is bought; None where there is none for now."""
        ...

    def finish(self, number: int) -> object:
        """Buy and evaluate a trial that is in hand."""
        ...

    def reuse(self, bought: LabelPlan) -> None:
        """Evaluate contained plans of a purchase's condition that can still matter."""
        ...

    def say(self, doing: str) -> None:
        """Report progress."""
        ...


class Together:
    """One of the processes that search together.

    Args:
        study: the study, as this process has opened it.
    """

    def __init__(self, study: Searching) -> None:
        self._study = study
        self._locks = SessionLocks(study.world.database, study.world.config.study)

    def search(self) -> None:
        """Do trials until there is nothing to ask for, and no other process has one in hand."""
        while self._next() or self._wait():
            pass

    def alone(self) -> AbstractContextManager[None]:
        """Wait until no process has a trial in hand; meanwhile, none begins one."""
        return self._locks.held(_AT_WORK)

    def _next(self) -> bool:
        """Do the next trial, if there is one."""
        with ExitStack() as mine, self._locks.held(_AT_WORK, shared=True):
            number = self._claimed(mine)
            if number is None:
                return False
            attrs = self._study.trials.at(number).user_attrs
            if "plan" not in attrs or "refused" in attrs:
                self._study.trials.fail(number)  # its process died before there was one to buy
                return True
            plan = plan_from_plain(attrs["plan"])
            self._study.say(f"{'buying' if attrs['bought'] else 'evaluating'} {plan.key}")
            self._study.finish(number)
            self._study.reuse(plan)
            return True

    def _claimed(self, mine: ExitStack) -> int | None:
        """A trial whose process died, or a new one; its lock is held until `mine` is left."""
        with self._study.world.locks.hold(ASKING):  # a new trial is never without its lock
            for number in self._left():
                is_mine = mine.enter_context(self._locks.try_held(_lock_of(number)))
                if is_mine and self._study.trials.at(number).state.name == "RUNNING":
                    return number
            if (asked := self._study.ask()) is None:
                return None
            mine.enter_context(self._locks.held(_lock_of(asked.trial.number)))
            return asked.trial.number

    def _wait(self) -> bool:
        """Wait until a trial in hand has ended, or its process has died.

        Returns:
            Whether one was in hand.
        """
        before = self._running()
        if before:
            self._study.say("waiting for other workers' trials")
        while before and self._running() == before and not self._left():
            time.sleep(_LOOK_S)
        return bool(before)

    def _left(self) -> list[int]:
        """Trials in hand whose process is gone."""
        names = {_lock_of(number): number for number in self._running()}
        return [names[name] for name in self._locks.free(names)]

    def _running(self) -> list[int]:
        trials = self._study.trials.all()
        return [trial.number for trial in trials if trial.state.name == "RUNNING"]


def _lock_of(number: int) -> str:
    return f"trial {number}"

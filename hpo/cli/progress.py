"""Where a running study stands: a view on a terminal, plain lines in a pipe.

And a bar before it, while the images pass through a network.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bar,
)
from rich.text import Text

from budget.money import add_up_in_cents
from hpo.answer.sentences import percent
from hpo.cli.console import printable
from hpo.cli.live_view import PhaseStart, view_lines
from hpo.settings.config import StudyConfig
from hpo.study.journal import Progress, StudyPhase


class Loudness(Enum):
    """How much is told of progress: nothing, what matters, or each step."""

    QUIET = "quiet"
    USUAL = "usual"
    VERBOSE = "verbose"


def describe(progress: Progress) -> str:
    """Where a study stands, in one line."""
    best = progress.best
    spent, held, left = add_up_in_cents([progress.spent, progress.held, progress.left])
    so_far = f"{percent(best.accuracy)} for {best.price_tag.cents()}" if best else "none yet"
    return (
        f"purchases {progress.purchases} | best {so_far} | spent {spent} held {held} left {left} "
        f"| {progress.doing}"
    )


class ProgressLine:
    """Shows progress on stderr: one view that is kept up to date on a terminal, else plain lines.

    Plain lines tell each purchase, and each step of the phases after the search.

    Args:
        console: where to show it.
        config: the study's configuration.
        loudness: how much of it.
    """

    def __init__(
        self, console: Console, config: StudyConfig, loudness: Loudness = Loudness.USUAL
    ) -> None:
        self._console = console
        self._config = config
        self._loudness = loudness
        self._is_live = console.is_terminal and loudness is Loudness.USUAL
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._start = time.monotonic()
        self._phase = PhaseStart(StudyPhase.PREPARING, 0.0, 0)
        self._purchases = 0

    def __enter__(self) -> ProgressLine:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_live:
            self._live.stop()

    def update(self, progress: Progress) -> None:
        """Show where the study stands now."""
        if self._loudness is Loudness.QUIET:
            return
        if progress.note:
            self._console.print(Text(printable(progress.note)), soft_wrap=True)
            return
        seconds = time.monotonic() - self._start
        is_new_step = self._learn(progress, seconds)
        if self._is_live:
            width = self._console.width - 1
            lines = view_lines(progress, self._phase, seconds, self._config, width)
            text = Text("\n".join(lines), overflow="crop", no_wrap=True)
            self._live.update(text, refresh=True)
        elif self._is_told(progress, is_new_step):
            self._purchases = progress.purchases
            self._console.print(Text(f"{seconds:5.1f} s | {describe(progress)}"), soft_wrap=True)

    def _is_told(self, progress: Progress, is_new_step: bool) -> bool:
        """Whether a plain line is worth it."""
        if self._loudness is Loudness.VERBOSE or progress.purchases > self._purchases:
            return True
        return is_new_step and progress.phase in (StudyPhase.BUYING, StudyPhase.ANSWERING)

    def _learn(self, progress: Progress, seconds: float) -> bool:
        """Note the phase and the step; says whether the step is a new one."""
        if progress.phase is not self._phase.phase:
            self._phase = PhaseStart(progress.phase, seconds, progress.spent.micros)
        if progress.doing in self._phase.steps:
            return False
        self._phase = replace(self._phase, steps=(*self._phase.steps, progress.doing))
        return True


@contextmanager
def feature_bar(console: Console, quiet: bool = False) -> Iterator[None]:
    """Show how far a pass over the images is; without a terminal, its begin and end as lines.

    Args:
        console: where to show it.
        quiet: show nothing.
    """
    from training.networks.feature_pass import watching

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Bar(*columns, TimeRemainingColumn(), console=console, transient=True)
    begun = 0.0

    def show(done: int, of: int) -> None:
        nonlocal begun
        words = f"features of {of:,} images"
        if quiet:
            return
        if not console.is_terminal:
            if done == 0:
                begun = time.monotonic()
                console.print(Text(f"{words}: computing, kept as they come"), soft_wrap=True)
            elif done == of:
                console.print(Text(f"{words}: {time.monotonic() - begun:.1f} s"), soft_wrap=True)
            return
        if not bar.tasks:
            bar.start()
            bar.add_task(words, total=of)
        bar.update(bar.tasks[0].id, completed=done, total=of)

    with watching(show):
        try:
            yield
        finally:
            if bar.tasks:  # else it was never shown, and would print an empty line
                bar.stop()

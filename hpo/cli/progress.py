"""A live line while a study runs: trial, best so far, money spent, held and left, time.

And a bar before it, while the images pass through a network.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from hpo.study.study import Progress


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
    """Shows progress on stderr: one live line on a terminal, else a plain line per purchase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._start = time.monotonic()
        self._shown = 0

    def __enter__(self) -> ProgressLine:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, progress: Progress) -> None:
        """Show where the study stands now."""
        if progress.note:
            self._console.print(Text(progress.note), soft_wrap=True)
            return
        line = f"{time.monotonic() - self._start:5.1f} s | {describe(progress)}"
        if self._console.is_terminal:
            self._live.update(Text(line, overflow="ellipsis", no_wrap=True), refresh=True)
        elif progress.purchases > self._shown:
            self._shown = progress.purchases
            self._console.print(Text(line), soft_wrap=True)


@contextmanager
def feature_bar(console: Console) -> Iterator[None]:
    """Show how far a pass over the images is; without a terminal, its begin and end as lines."""
    from training.networks.feature_pass import watching

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Bar(*columns, TimeRemainingColumn(), console=console, transient=True)
    start = time.monotonic()

    def show(done: int, of: int) -> None:
        words = f"features of {of:,} images"
        if not console.is_terminal:
            if done == 0:
                console.print(Text(f"{words}: computing, kept as they come"), soft_wrap=True)
            elif done == of:
                console.print(Text(f"{words}: {time.monotonic() - start:.1f} s"), soft_wrap=True)
            return
        if not bar.tasks:
            bar.start()
            bar.add_task(words, total=of)
        bar.update(bar.tasks[0].id, completed=done, total=of)

    with watching(show):
        try:
            yield
        finally:
            bar.stop()

"""A study's progress in a notebook: the money spent of the cap, and what is going on."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hpo.study.journal import Progress, Watch

if TYPE_CHECKING:
    from budget.money import Money

_WORDS = 48  # characters of what is going on
_FORM = "{desc} |{bar}| ${n:.2f} of ${total:.2f}{postfix}"


def in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this process."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


@contextmanager
def shown(watch: Watch | None, cap: Money) -> Iterator[Watch | None]:
    """The watch that is given; else a bar in a notebook, and None elsewhere.

    Args:
        watch: a caller's own.
        cap: of the study's money.
    """
    if watch is not None or not in_notebook():
        yield watch
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets the bar is text, which is good enough
        from tqdm.auto import tqdm

        bar = tqdm(total=cap.dollars, bar_format=_FORM)

    def update(progress: Progress) -> None:
        if progress.note:
            tqdm.write(progress.note)
            return
        bar.n = progress.spent.dollars
        bar.set_description_str(progress.doing[:_WORDS], refresh=False)
        bar.set_postfix_str(f"{progress.purchases} purchases", refresh=False)
        bar.refresh()

    try:
        yield update
    finally:
        bar.close()

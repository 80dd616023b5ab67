"""The view of a running study on a terminal: phase, money, the front, what is bought next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from budget.errors import InputError
from budget.money import add_up_in_cents
from hpo.answer.plan_in_words import counted, plan_in_words
from hpo.answer.sections.registry import SECTIONS
from hpo.answer.sentences import percent
from hpo.settings.config import StudyConfig
from hpo.study.journal import Progress, StudyPhase
from hpo.trial.outcome import Outcome
from labeling.types import LabelPlan

_ROWS, _LEAST_WIDTH, _MOST_WIDTH = 5, 24, 64
_EDGE = 7  # columns of the scale of accuracy
_LEAST_SECONDS = 2.0  # of a phase, before its speed says something


@dataclass(frozen=True, slots=True)
class PhaseStart:
    """Where a phase of a study began.

    Attributes:
        phase: the phase.
        seconds: since the start of the program.
        spent_micros: money spent by then, in micro-dollars.
        steps: what was done in it so far, each once.
    """

    phase: StudyPhase
    seconds: float
    spent_micros: int
    steps: tuple[str, ...] = ()


def view_lines(
    progress: Progress, start: PhaseStart, seconds: float, config: StudyConfig, width: int
) -> list[str]:
    """The view, as lines.

    Args:
        progress: where the study stands.
        start: where its phase began.
        seconds: since the start of the program.
        config: the study's configuration.
        width: columns of the terminal.
    """
    lines = [_phase(progress, start, seconds, config), _gauge(progress, width)]
    lines += front_sketch(progress.front, progress.best, width)
    if progress.best is not None:
        best = progress.best
        words = plan_in_words(best.plan, config.suite_size)
        lines.append(f"best: {percent(best.accuracy)} for {best.price_tag.cents()}: {words}")
    lines.append(f"now:  {_doing(progress.doing, config.suite_size)}")
    return [line[:width] for line in lines]


def _phase(progress: Progress, start: PhaseStart, seconds: float, config: StudyConfig) -> str:
    parts = [str(progress.phase).capitalize(), counted(progress.purchases, "purchase")]
    if progress.phase is StudyPhase.ANSWERING:
        steps = {section.doing for section in SECTIONS if section.doing}
        parts.append(f"step {len(steps & set(start.steps))} of at most {len(steps)}")
    parts.append(f"{seconds:.0f} s")
    left = seconds_left(progress, start, seconds, config)
    if left is not None:
        parts.append(f"at most about {_in_words(left)} left in it")
    return ", ".join(parts)


def seconds_left(
    progress: Progress, start: PhaseStart, seconds: float, config: StudyConfig
) -> float | None:
    """What a phase that spends money may still take, at its speed so far; None where unknown.

    A phase may end before its money does: the time is an upper end.
    """
    spent = progress.spent.micros - start.spent_micros
    took = seconds - start.seconds
    if progress.phase not in (StudyPhase.SEARCHING, StudyPhase.BUYING):
        return None
    if spent <= 0 or took < _LEAST_SECONDS:
        return None
    left = progress.left.micros
    if progress.phase is StudyPhase.SEARCHING and config.delivers:
        cap = config.budget.share(config.learn).micros
        left = max(0, min(left, cap - progress.spent.micros))
    return took * left / spent


def _in_words(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = math.ceil(seconds / 60)
    return counted(minutes, "minute") if minutes < 100 else f"{minutes / 60:.0f} hours"


def _gauge(progress: Progress, width: int) -> str:
    parts = (progress.spent, progress.held, progress.left)
    spent, held, left = add_up_in_cents(parts)
    total = sum(part.micros for part in parts) or 1
    room = max(8, min(32, width - 44))
    full = round(room * progress.spent.micros / total)
    kept = min(room - full, math.ceil(room * progress.held.micros / total))
    bar = "█" * full + "▒" * kept + "░" * (room - full - kept)
    return f"{bar} spent {spent} held {held} left {left}"


def _doing(doing: str, suite_size: int) -> str:
    """What is going on, with a plan in words instead of its key."""
    words, _, key = doing.partition(" ")
    try:
        return f"{words} {plan_in_words(LabelPlan.parse(key.partition(',')[0]), suite_size)}"
    except InputError:
        return doing


def front_sketch(front: Sequence[Outcome], best: Outcome | None, width: int) -> list[str]:
    """The front as a sketch in letters: accuracy upwards, dollars across by factors."""
    if len(front) < 2:
        return []
    across = max(_LEAST_WIDTH, min(_MOST_WIDTH, width - _EDGE - 2))
    places = [math.log(max(1, each.price_tag.micros)) for each in front]
    heights = [each.accuracy for each in front]
    cells = [[" "] * across for _ in range(_ROWS)]
    for each, x, y in zip(front, places, heights, strict=True):
        is_best = best is not None and each.plan == best.plan
        row = _ROWS - 1 - _step(y, min(heights), max(heights), _ROWS)
        cells[row][_step(x, min(places), max(places), across)] = "★" if is_best else "●"
    top, bottom = percent(max(heights)), percent(min(heights))
    edges = [top, *[""] * (_ROWS - 2), bottom]
    lines = [f"{edge:>{_EDGE}}│{''.join(row)}" for edge, row in zip(edges, cells, strict=True)]
    low, high = front[0].price_tag.cents(), front[-1].price_tag.cents()
    return [
        *lines,
        f"{'':>{_EDGE}}└{'─' * across}",
        f"{'':>{_EDGE}} {low}{high:>{across - len(low)}}",
    ]


def _step(value: float, low: float, high: float, steps: int) -> int:
    return round((value - low) / (high - low) * (steps - 1)) if high > low else 0

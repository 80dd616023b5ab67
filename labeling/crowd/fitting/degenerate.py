"""What a recording cannot tell: classes without an answer, answers that all agree."""

from __future__ import annotations

import numpy as np

from labeling.crowd.fitting.agreement import unanimous_share
from labeling.recorded.recording import Recording

_SHOWN = 5


def degenerate(recording: Recording) -> tuple[str, ...]:
    """Caveats on what cannot be estimated, one line each."""
    caveats = []
    seen = np.bincount(recording.label, minlength=len(recording.classes))
    never = [repr(name) for name, count in zip(recording.classes, seen, strict=True) if not count]
    if never:
        more = ", ..." if len(never) > _SHOWN else ""
        caveats.append(
            f"no answer is {', '.join(never[:_SHOWN])}{more}: the fitted annotators answer every "
            "class, and so fit these answers badly"
        )
    if unanimous_share(recording) == 1.0:
        caveats.append(
            "all answers to a task agree: errors were not seen, and their share is the fit's guess"
        )
    return tuple(caveats)

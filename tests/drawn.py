"""How many cases a test tries that draws them: few in `make test`, which sets QUICK, else all.

`make slow` runs such tests again with all cases. It finds them by a marker: `hypothesis`, which
Hypothesis gives to its tests, or `drawn`.
"""

from __future__ import annotations

import os

IS_QUICK = os.environ.get("QUICK", "") not in ("", "0")


def examples(count: int) -> int:
    """Of a property's examples all; a quarter, but three at least, where tests are to be quick."""
    return min(count, max(3, count // 4)) if IS_QUICK else count


FAULT_RUNS = int(os.environ.get("FAULT_RUNS") or (4 if IS_QUICK else 10))
"""How many processes the tests of faults kill, and how many files they damage, in proportion."""

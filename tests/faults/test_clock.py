"""A clock that jumps by years, forward and back, at every look changes no answer."""

from __future__ import annotations

import datetime as times
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.studies import Undisturbed, run_study
from tests.forks import ended, forked

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
PACKAGES = ("budget.", "labeling.", "training.", "hpo.")
_YEARS = 20 * 365 * 24 * 3600


class JumpingTime(times.datetime):
    """The time now, give or take twenty years."""

    chance = random.Random(7)
    looks = 0

    @classmethod
    def now(cls, tz: times.tzinfo | None = None) -> JumpingTime:
        cls.looks += 1
        shift = times.timedelta(seconds=cls.chance.uniform(-_YEARS, _YEARS))
        shifted = times.datetime.now(tz) + shift
        return cls(*shifted.timetuple()[:6], shifted.microsecond, tzinfo=tz)


def jump() -> list[str]:
    """Let every module of the program look at the jumping clock; names of the modules."""
    found = []
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGES) and getattr(module, "datetime", None) is times.datetime:
            module.datetime = JumpingTime  # type: ignore[attr-defined]
            found.append(name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["money", "delivery"])
def test_jumps_change_no_answer(
    kind: str, undisturbed: Callable[[str], Undisturbed], warm: str, tmp_path: Path
) -> None:
    def work() -> None:
        modules = jump()
        assert {"budget.ledger", "hpo.study.journal", "hpo.study.logs.log"} <= set(modules)
        run_study(tmp_path, warm, kind)
        assert JumpingTime.looks > 20

    assert ended(forked(work, tmp_path / "said")) == 0, (tmp_path / "said").read_text()[-1500:]
    assert (tmp_path / "s/report.json").read_bytes() == undisturbed(kind).report

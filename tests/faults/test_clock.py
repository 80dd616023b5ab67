"""A clock that jumps by years, forward and back, at every look changes no answer."""

from __future__ import annotations

import datetime as times
import random
import sys
from pathlib import Path

import pytest

from tests.faults.test_kill import run_study
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


@pytest.mark.parametrize("kind", ["money", "delivery"])
def test_jumps_change_no_answer(kind: str, small_data: str, tmp_path: Path) -> None:
    run_study(tmp_path / "still", small_data, kind)

    def work() -> None:
        modules = jump()
        assert {"budget.ledger", "hpo.study.journal", "hpo.study.logs.log"} <= set(modules)
        run_study(tmp_path / "jumping", small_data, kind)
        assert JumpingTime.looks > 20

    assert ended(forked(work, tmp_path / "said")) == 0, (tmp_path / "said").read_text()[-1500:]
    reports = [(tmp_path / name / "s/report.json").read_bytes() for name in ("still", "jumping")]
    assert reports[0] == reports[1]

"""A disk that is full, or may not be written, is one line; with room again the study goes on.

FAULT_RUNS sets the number of sizes. The disks are mounted, which needs a right that containers may
lack: then these tests say so and are left out.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from budget.errors import LabelworthError
from hpo.cli.main import main
from hpo.settings.exit_codes import BAD_INPUT, explain
from tests import oracle
from tests.drawn import FAULT_RUNS as RUNS
from tests.faults.disks import change, may_mount, mount
from tests.faults.studies import SETTINGS, Undisturbed, run_study
from tests.forks import ended, forked

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
LARGE = "size=64m,nr_inodes=10k"


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a study that nothing happens to."""
    if not may_mount(tmp_path_factory.mktemp("mounts")):
        pytest.skip("no right to mount disks here")
    undisturbed: Callable[[str], Undisturbed] = request.getfixturevalue("undisturbed")
    return undisturbed("money").runs


def size_of(folder: Path) -> tuple[int, int]:
    """Bytes and files of a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files), len([*folder.rglob("*")])


def failed_in_one_line(work: Callable[[], object]) -> bool:
    """Whether some work failed; any error but one that a user is told in a line is raised."""
    try:
        work()
    except (Exception, LabelworthError) as error:
        code, line = explain(error)
        assert code == BAD_INPUT, line
        assert len(line.splitlines()) == 1
        return True
    return False


def options() -> list[str]:
    """Disks that are too small, by bytes and by files."""
    chance = random.Random(11)
    sizes = [f"size={chance.randrange(32, 700)}k,nr_inodes=10k" for _ in range(max(2, RUNS // 2))]
    files = [f"size=64m,nr_inodes={chance.randrange(3, 60)}" for _ in range(max(2, RUNS // 3))]
    return sizes + files


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_nothing_is_lost(
    whole: Path,
    small_data: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    report, place, out = (whole / "s/report.json").read_bytes(), tmp_path / "disk", tmp_path / "out"
    place.mkdir()
    full = 0
    for number, small in enumerate(options()):
        kept = out / str(number)

        def work(small: str = small, kept: Path = kept) -> int:
            mount(place, small)
            failed = failed_in_one_line(lambda: run_study(place, small_data))
            change(place, LARGE)
            run_study(place, small_data)
            shutil.copytree(place / "s", kept)
            return 10 if failed else 0

        code = ended(forked(work, tmp_path / "said"))
        assert code in (0, 10), f"{small}: {(tmp_path / 'said').read_text()[-1500:]}"
        full += code == 10
        assert (kept / "report.json").read_bytes() == report, small
        assert oracle.paid_twice(kept) == 0
        assert oracle.settled(kept) == oracle.paid(kept)
    record_property("full disks", full)
    assert full >= len(options()) // 2


def test_a_disk_that_may_not_be_written_shows_its_studies_and_starts_none(
    whole: Path, small_data: str, tmp_path: Path
) -> None:
    place = tmp_path / "disk"
    place.mkdir()

    def work() -> None:
        mount(place, LARGE)
        shutil.copytree(whole, place, dirs_exist_ok=True)
        change(place, LARGE, read_only=True)
        for words in (["report"], ["status"], ["ledger"]):
            assert main([*words, str(place / "s")]) == 0, words
        assert failed_in_one_line(lambda: run_study(place, small_data))
        more = {**SETTINGS, "study": "t", "data": small_data, "runs": str(place)}
        more.pop("few_labels_ok")
        words = [f"--{name.replace('_', '-')}={value}" for name, value in more.items()]
        assert main(["run", *words, "--few-labels-ok", "--clearml", "off"]) == BAD_INPUT

    assert ended(forked(work, tmp_path / "said")) == 0, (tmp_path / "said").read_text()[-1500:]

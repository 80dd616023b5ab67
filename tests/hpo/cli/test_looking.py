"""What only looks at a study needs no data, works from anywhere, and writes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.answer.plot import plot_front
from hpo.study.study import Study
from tests.conftest import Command


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder, with the time of its last change and its content."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [folder, *folder.rglob("*")]
    }


@pytest.fixture
def finished(
    small_study: Callable[..., Study],
    small_data: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A finished study whose data was named by a relative path, and is gone."""
    data = Path(small_data.removeprefix("npz:"))
    shutil.copyfile(data, tmp_path / "digits.npz")
    monkeypatch.chdir(tmp_path)
    study = small_study(study="s", trials=2, data="npz:digits.npz")
    report = study.run()
    study.close()
    plot_front(report, study.folder / "front.png")
    (tmp_path / "digits.npz").unlink()
    monkeypatch.chdir("/")
    return tmp_path / "runs/s"


def test_report_and_status_need_no_data_and_write_nothing(finished: Path, command: Command) -> None:
    os.chdir("/")
    before = state_of(finished)
    for words in (
        ["report"],
        ["report", "--json"],
        ["report", "--json", "full"],
        ["report", "--details"],
        ["status"],
    ):
        code, out, err = command(*words, str(finished))
        assert (code, err) == (0, ""), words
        assert out
    assert state_of(finished) == before


def test_status_of_what_is_no_study_creates_nothing(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "runs/s"
    folder.mkdir(parents=True)
    assert command("status", str(folder))[0] == 2
    (folder / "study.json").write_text("{}")
    assert command("status", str(folder))[0] == 2
    assert [path.name for path in folder.iterdir()] == ["study.json"]


def test_a_lost_database_is_named_and_not_made_anew(finished: Path, command: Command) -> None:
    (finished / "labelworth.sqlite").unlink()
    code, out, err = command("status", str(finished))
    assert (code, out) == (2, "")
    assert "labelworth.sqlite: missing" in err
    assert not (finished / "labelworth.sqlite").exists()


def test_only_the_user_reads_a_run_and_features_of_its_images(finished: Path) -> None:
    features = finished.parent / ".features"
    modes = {
        str(path): path.stat().st_mode & 0o777
        for folder in (finished, features)
        for path in [folder, *folder.rglob("*")]
        if path.stat().st_mode & 0o777 != (0o700 if path.is_dir() else 0o600)
    }
    assert modes == {}

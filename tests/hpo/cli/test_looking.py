"""What only looks at a study needs no data, works from anywhere, and writes nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpo.answer.plot import plot_front
from hpo.cli.page.server import LivePage
from hpo.study.study import Study
from tests.conftest import SMALL, Command
from tests.heads import FixedHeads


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder, with the time of its last change and its content."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [folder, *folder.rglob("*")]
    }


@pytest.fixture(scope="module")
def made(
    module_study: Callable[..., Study], small_data: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The runs of a finished study whose data was named by a relative path, and is gone."""
    folder = tmp_path_factory.mktemp("looked-at")
    shutil.copyfile(small_data.removeprefix("npz:"), folder / "digits.npz")
    with contextlib.chdir(folder):
        study = module_study(runs=folder / "runs", study="s", trials=2, data="npz:digits.npz")
        report = study.run()
        study.close()
    plot_front(report, study.folder / "front.png")
    (folder / "digits.npz").unlink()
    return folder / "runs"


@pytest.fixture
def finished(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, with its modes; the working folder is another."""
    shutil.copytree(made, tmp_path / "runs", symlinks=True)
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


def others_may(folder: Path) -> dict[str, str]:
    """What others than the user may do with files and folders, by their modes."""
    paths = [folder, *folder.rglob("*")]
    modes = {str(p.relative_to(folder)): p.lstat().st_mode & 0o777 for p in paths}
    wanted = {str(p.relative_to(folder)): 0o700 if p.is_dir() else 0o600 for p in paths}
    return {name: oct(mode) for name, mode in modes.items() if mode != wanted[name]}


@pytest.fixture
def open_to_all() -> Iterator[None]:
    """What does not ask for a mode of its own is open to all."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.slow
@pytest.mark.usefixtures("open_to_all", "clearml_server")
def test_whatever_is_written_in_a_run_is_its_user_s_alone(
    small_data: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.trial.world.CrossValidated", FixedHeads)
    run = tmp_path / "runs/s"
    settings = {**SMALL, "goal": "model", "budget": "0.4", "learn": "20%", "data": small_data}
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in settings.items() if v is not True]
    code, out, err = command(*flags, "--few-labels-ok", "--study=s", "--clearml=on", "--json=full")
    assert code == 0, err
    version = json.loads(out)["purchases"][0]["version"]
    for words in (
        ("buy", str(run), "--budget=0.2"),
        ("publish", str(run)),
        ("view", str(run), "confidence >= 0.8", "--out", str(run / "views/sure.csv")),
        ("data", "get", version, "--to", str(run / "got")),
        ("report", str(run), "--details"),
        ("status", str(run)),
        ("ledger", str(run), "--csv"),
        ("audit", str(run)),
        ("export", str(run / "model.safetensors"), "--onnx", str(run / "model.onnx")),
    ):
        code, out, err = command(*words)
        assert code == 0, (words, err)
    page = LivePage(run, images=False)
    page.refresh()
    page.close()
    assert others_may(run) == {}
    assert others_may(run.parent / ".features") == {}


def test_the_doctor_names_what_others_may_read_or_change(
    finished: Path, command: Command, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    finished.parent.chmod(0o755)
    code, out, _ = command("doctor", str(finished))
    assert (code, "all is well" in out) == (0, True)
    (finished / "report.json").chmod(0o640)
    code, out, _ = command("doctor", str(finished))
    assert code == 5
    assert out == (
        f"PROBLEM: {finished / 'report.json'}: others may read it; "
        f"run: chmod -R go-rwx {finished}\n"
    )
    (finished / "journal.jsonl").chmod(0o620)
    finished.parent.chmod(0o777)
    code, out, _ = command("doctor", str(finished), "--json")
    assert code == 5
    first, second = json.loads(out)["problems"]
    assert first.startswith(f"{finished.parent}: others may put another study in its place")
    assert " and 1 more: others may change it" in second
    assert command("doctor", str(tmp_path))[0] == 2


def test_only_the_user_reads_a_run_and_features_of_its_images(finished: Path) -> None:
    features = finished.parent / ".features"
    modes = {
        str(path): path.stat().st_mode & 0o777
        for folder in (finished, features)
        for path in [folder, *folder.rglob("*")]
        if path.stat().st_mode & 0o777 != (0o700 if path.is_dir() else 0o600)
    }
    assert modes == {}

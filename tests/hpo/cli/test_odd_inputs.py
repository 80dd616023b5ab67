"""Odd inputs: each is one line and exit 2, at once."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from hpo.cli.main import main
from labeling.toloka.api.token import read_token
from tests.conftest import Command
from tests.hpo.data.test_dataset import folder as photos

DEEP = "budget = " + "[" * 3000 + "]" * 3000
ODD = {
    "budget = '1e999999999'": "too large",
    "budget = '1e-999999999'": "more than six decimals",
    "budget = 1e999999999": "too large",
    f"budget = 1{'0' * 5000}": "limit (4300 digits)",
    DEEP: "nested too deeply",
    "allowance = '1e-999999999'": "more than 100 digits",
    "allowance = '1e999999999%'": "more than 100 digits",
    "seed = 1e999999999": "not a whole number",
}


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_an_odd_setting_is_one_line(text: str, command: Command) -> None:
    Path("odd.toml").write_text(text)
    code, out, err = command("plan", "--config", "odd.toml")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert ODD[text] in err
    assert "odd.toml" in err


@pytest.mark.parametrize("setting", ["campaign", "scenario"])
def test_another_file_nested_too_deeply_is_one_line(setting: str, command: Command) -> None:
    Path("odd.toml").write_text(DEEP)
    code, out, err = command("plan", f"--{setting}", "odd.toml")
    assert (code, out) == (2, "")
    assert "nested too deeply" in err
    assert len(err.splitlines()) == 1


def test_more_classes_than_an_annotator_can_choose_among_are_refused(command: Command) -> None:
    pixels = np.zeros((2800, 2, 2), dtype=np.float32)
    np.savez("many.npz", x=pixels, y=np.arange(2800) % 1400)
    code, _, err = command("--data", "npz:many.npz", "--budget", "5", "--clearml", "off")
    assert code == 2
    assert "1400 classes" in err
    assert not Path("runs").exists()


def test_a_label_with_control_characters_is_refused_and_not_printed(command: Command) -> None:
    Path("images").mkdir()
    labels = photos(Path("images"))
    labels.write_text(labels.read_text().replace("dog", "\x1b[31mred\x1b[0m"))
    words = ("--data", "folder:images", "--labels", str(labels), "--budget", "5")
    code, _, err = command(*words, "--clearml", "off")
    assert code == 2
    assert "\x1b" not in err
    assert r"\x1b[31mred" in err
    assert "cannot be printed" in err


def test_a_name_with_control_characters_is_printed_by_their_codes(command: Command) -> None:
    Path("images").mkdir()
    labels = photos(Path("images"))
    with labels.open("a") as file:
        file.write("\x1b[31mred\x07.png,dog,pool\n")
    words = ("--data", "folder:images", "--labels", str(labels), "--budget", "5")
    code, _, err = command(*words, "--clearml", "off")
    assert code == 2
    assert r"\x1b[31mred\x07.png" in err
    assert "\x1b" not in err
    assert "\x07" not in err


@pytest.mark.parametrize("coding", ["latin-1", "ascii"])
def test_a_stream_that_cannot_write_a_letter_writes_its_code(
    coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding=coding))
    assert main(["report", "студия"]) == 2
    sys.stderr.flush()
    assert written.getvalue().decode("ascii").startswith(r"labelworth: \u0441\u0442")


def test_a_pipe_as_token_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "token"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(ValueError, match="is no file"):
        read_token({"TOLOKA_TOKEN_FILE": str(pipe)})
    pipe.unlink()
    pipe.touch(0o600)
    pipe.write_text("token")
    assert read_token({"TOLOKA_TOKEN_FILE": str(pipe)}).reveal() == "token"


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize(
    "words",
    [
        ["plan", "--config"],
        ["plan", "--budget=5", "--data=folder:images", "--labels"],
        ["plan", "--budget=5", "--data=digits3", "--campaign"],
        ["plan", "--budget=5", "--data=digits3", "--scenario"],
        ["plan", "--budget=5", "--data"],
        ["toloka-server", "--faults"],
        ["toloka-server", "--truth"],
    ],
    ids=" ".join,
)
def test_a_pipe_or_a_device_as_a_file_is_refused_and_not_waited_for(
    words: list[str], kind: str, command: Command
) -> None:
    """The one has no end, and nobody writes to the other."""
    Path("images").mkdir()
    photos(Path("images"))
    odd = Path("odd.toml")
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/dev/zero")
    code, out, err = command(*words, f"{'npz:' * (words[-1] == '--data')}odd.toml")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "odd.toml" in err


ODD_TRUTH = {
    "[" * 100_000: "recursion",
    '{"question": "q", "address": ["a"], "items": {"truth": [1e999], "error": [0], '
    '"distractor": [0]}, "further": {}}': "infinity",
    '{"question": "q", "address": ["a"], "items": {"truth": [1%s], "error": [0], '
    '"distractor": [0]}, "further": {}}' % ("0" * 30): "too large",
    '{"question": "q", "address": [{}], "items": {}, "further": {}}': "unhashable",
    '{"question": "q", "address": [], "items": [], "further": {}}': "",
}


@pytest.mark.parametrize("text", ODD_TRUTH, ids=range(len(ODD_TRUTH)))
def test_an_odd_file_of_true_answers_is_one_line(text: str, command: Command) -> None:
    Path("truth.json").write_text(text)
    code, out, err = command("toloka-server", "--truth", "truth.json")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "truth.json: not a file of true answers: " in err
    assert ODD_TRUTH[text] in err


def test_a_terminal_that_says_it_has_no_size_gets_every_column(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    words = ("plan", "--budget=5", "--data=digits3")
    _, expected, _ = command(*words)
    monkeypatch.setenv("COLUMNS", "0")
    code, out, _ = command(*words)
    assert (code, out) == (0, expected)
    assert len(out.splitlines()) > 10

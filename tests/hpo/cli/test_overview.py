"""Help, names that are nearly right, the list of studies, two studies side by side, completion."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpo.cli.commands.overview.compare import _sentence, difference, differing_settings
from hpo.cli.examples import EXAMPLES
from hpo.cli.flags import Parser, subcommands
from hpo.cli.main import main
from hpo.settings.rows.common import COMMON
from hpo.settings.table import SETTINGS
from tests.conftest import Command


def parsers() -> dict[str, Parser]:
    """Every command and action with its parser."""
    caught: list[Parser] = []
    inner = Parser.parse_args

    def catch(self: Parser, *of: Any, **named: Any) -> Any:
        caught.append(self)
        raise SystemExit(0)

    Parser.parse_args = catch  # type: ignore[method-assign,assignment]
    try:
        with pytest.raises(SystemExit):
            main(["--help"])
    finally:
        Parser.parse_args = inner  # type: ignore[method-assign]
    return dict(subcommands(caught[0]))


def test_every_command_has_an_example_that_it_takes() -> None:
    found = parsers()
    assert set(found) == set(EXAMPLES), "a command needs its line in hpo/cli/examples.py"
    for name, parser in found.items():
        example = EXAMPLES[name].partition(" > ")[0].partition(" >> ")[0]
        words = example.split()[1:]
        rest = words[len(name.split()) :] if words[: len(name.split())] == name.split() else words
        if parser._subparsers is None:
            assert isinstance(parser.parse_args(rest), argparse.Namespace)
        assert EXAMPLES[name] in parser.format_help()


def test_help_shows_the_settings_that_people_use_and_help_all_every_one(command: Command) -> None:
    _, top, _ = command("--help")
    _, short, _ = command("run", "--help")
    code, whole, _ = command("--help-all")
    assert code == 0
    assert len(COMMON) == 12
    for name, (example, words) in COMMON.items():
        assert f"  {example}" in top
        assert words in top
        assert example.startswith(f"--{name.replace('_', '-')} ")
    flags = {row.flag for row in SETTINGS if row.has_flag}
    assert flags <= set(re.findall(r"(--[a-z-]+)", whole))
    shown = flags & set(re.findall(r"^  (--[a-z-]+)", short, re.MULTILINE))
    assert shown == {f"--{name.replace('_', '-')}" for name in COMMON}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu", "runs/x"], "'statsu' is no command; did you mean 'status'?"),
        (["--buget", "5"], "did you mean '--budget'?"),
        (["status", "runs/x", "--jsn"], "did you mean '--json'?"),
        (["data", "gett"], "invalid choice: 'gett'"),
    ],
)
def test_a_name_that_is_nearly_right_gets_the_nearest(
    words: list[str], said: str, command: Command
) -> None:
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def other(module_study: Callable[..., Any]) -> Path:
    """A finished study at another price."""
    study = module_study(study="other", trials=2, price="0.004")
    study.run()
    study.close()
    return Path(study.folder)


@pytest.fixture
def two(folder: Path, other: Path) -> tuple[Path, Path]:
    """Two finished studies that differ in their prices."""
    return folder, Path(shutil.copytree(other, folder.parent / "other"))


def test_studies_are_listed(two: tuple[Path, Path], command: Command) -> None:
    runs = two[0].parent
    (runs / "broken").mkdir()
    (runs / "broken/study.json").write_text("{")
    (two[1] / "report.json").unlink()
    code, out, _ = command("list", str(runs))
    assert code == 0
    assert "Spend about" in out
    assert "not finished" in out
    assert "damaged" in out
    told = {each["study"]: each for each in json.loads(command("list", str(runs), "--json")[1])}
    assert told["s"]["state"] == "finished"
    assert (
        told["s"]["spent"]
        == json.loads((two[0] / "report.json").read_text())["money"]["spent"]["usd"]
    )
    assert told["other"]["answer"] is None
    assert command("list", str(runs / "none"))[1].startswith("No study in")


def test_two_studies_side_by_side(two: tuple[Path, Path], command: Command) -> None:
    one, other = map(str, two)
    code, out, _ = command("compare", one, other)
    assert code == 0
    assert "--price" in out
    assert "0.001, 0.002, 0.004" in out
    assert re.search(r"s gives [\d.]+ points (more|less) \(.+\) than other: ", out)
    told = json.loads(command("compare", one, other, "--json")[1])
    back = json.loads(command("compare", other, one, "--json")[1])
    assert told["difference"]["points"] == -back["difference"]["points"]
    (two[1] / "report.json").unlink()
    code, _, err = command("compare", one, other)
    assert code == 2
    assert "the study has no answer yet" in err


def report(accuracy: float, half: float, content: str = "a") -> dict[str, Any]:
    row = {"accuracy": accuracy, "interval_95": [accuracy - half, accuracy + half]}
    ground = {"data": {"content": content}, "question": {"score": "accuracy"}}
    return {"delivery": None, "answer": {"chosen": row}, **ground}


def test_a_difference_is_told_from_noise_by_both_intervals() -> None:
    near = difference(report(0.90, 0.03), report(0.87, 0.04))
    assert near == {"points": 3.0, "interval_95": [-2.0, 8.0], "told_from_noise": False}
    far = difference(report(0.80, 0.03), report(0.90, 0.04))
    assert far == {"points": -10.0, "interval_95": [-15.0, -5.0], "told_from_noise": True}
    assert difference(report(0.9, 0.1), report(0.9, 0.1, "b")) is None
    told = [{**report(accuracy, 0.03), "study": "s"} for accuracy in (0.94246, 0.91664)]
    gap = difference(*told)  # 2.58 points, beside "94.2 %" and "91.7 %"
    assert _sentence(gap, *told).startswith("s gives 2.5 points more (")
    assert difference(report(0.9, 0.1), {**report(0.9, 0.1), "answer": {"chosen": None}}) is None


def test_settings_that_differ_are_told_by_their_values() -> None:
    one = {
        "seed": 0,
        "adapt": True,
        "worth": None,
        "price": [0.001, 1.0],
        "learn": 0.05,
        "budget": 1,
    }
    other = {"seed": 1, "adapt": False, "worth": "5", "price": [0.0], "learn": 0.05, "budget": 2}
    assert differing_settings([{"config": one}, {"config": other}]) == [
        ("--seed", "0", "1"),
        ("--adapt", "on", "off"),
        ("--worth", "none", "5"),
        ("--price", "0.001, 1.0", "0.0"),
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_flags(shell: str, command: Command, tmp_path: Path) -> None:
    code, script, _ = command("completion", shell)
    assert code == 0
    for word in ("compare", "max-minutes", "toloka-server"):
        assert word in script
    if shutil.which(shell) is not None:
        path = tmp_path / "script"
        path.write_text(script)
        done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_bash_offers_the_nearest_commands(command: Command, tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    script = tmp_path / "script"
    script.write_text(command("completion", "bash")[1])
    asked = (
        f"source {script}; COMP_WORDS=(labelworth com); COMP_CWORD=1; "
        "_shtab_labelworth; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["compare", "completion"]

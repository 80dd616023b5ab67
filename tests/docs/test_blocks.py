"""Every command and every piece of Python in README and docs is read; of the guide, run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.cli.flags import subcommands
from tests import ROOT
from tests.conftest import Command
from tests.docs.blocks import Block, blocks, pages
from tests.docs.ground import STUDIES, make_ground, make_study, run, version_in

RUN = (
    "README.md",
    "docs/buying.md",
    "docs/own_photos.md",
    "docs/quickstart.md",
    "docs/reading_the_answer.md",
    "docs/reading_the_report.md",
    "docs/report.md",
    "docs/runs.md",
    "docs/unlabelled.md",
    "docs/views.md",
)
"""Pages whose blocks are run, each page in a folder of its own."""

STAFF = """
[wages]
"ann@example.org" = 30
[groups]
seniors = ["ann@example.org", "bob@example.org"]
juniors = ["cem@example.org", "dora@example.org"]
"""


def words_of(block: Block) -> list[str]:
    """A command's words, without what stands behind a '#', and without the program."""
    words = shlex.split(block.text, comments=True)
    if words[:3] == ["python", "-m", "hpo.run"]:
        return words[3:]
    return words[1:] if words[0] == "labelworth" else words


def is_ours(block: Block) -> bool:
    return not block.is_python and block.text.startswith(("labelworth ", "python -m hpo.run"))


ALL = [block for page in pages() for block in blocks(page)]
OURS = [block for block in ALL if is_ours(block)]


def named(block: Block) -> str:
    return f"{block.page}:{block.line}"


def test_the_pages_have_blocks() -> None:
    assert len(OURS) > 80
    assert len([block for block in ALL if block.is_python]) >= 8
    assert {"README.md", *(f"docs/{name}" for name in ("quickstart.md", "faq.md"))} <= set(pages())


def test_every_page_is_on_the_site() -> None:
    plan = (ROOT / "mkdocs.yml").read_text()
    lacking = [page for page in pages()[1:] if f": {Path(page).name}\n" not in plan]
    assert lacking == [], "a page needs its line in mkdocs.yml, under nav"


@pytest.mark.parametrize("block", OURS, ids=named)
def test_every_command_is_one_that_the_program_takes(
    block: Block, command: Command, tmp_path: Path
) -> None:
    """Its flags are known, and the settings of a study are valid ones."""
    words = words_of(block)
    for name in ("answers.csv", "photos.npz", "texts.npz", "pilot.toml", "pets.toml"):
        (tmp_path / name).touch()
    (tmp_path / "STAFF.toml").write_text(STAFF)
    (tmp_path / "photos").mkdir()
    is_study = words[0].startswith("-") or words[0] in ("run", "plan")
    if is_study and "--config" not in words:
        code, _, err = command(*words, "--print-config")
        assert (code, err) == (0, "")
    else:
        taken(words)


def taken(words: list[str]) -> None:
    """Parse a command without running it."""
    from hpo.cli.main import make_parser

    parser, names = make_parser()
    asked = words if words[0] in names else ["run", *words]
    parser.parse_args(asked)
    assert dict(subcommands(parser))


@pytest.mark.parametrize("block", [b for b in ALL if not is_ours(b)], ids=named)
def test_everything_else_is_sound(block: Block) -> None:
    """Python compiles; a target of make and an extra of pip exist."""
    if block.is_python:
        compile(block.text, named(block), "exec")
        return
    words = shlex.split(block.text, comments=True)
    if words[0] == "make":
        for target in (word for word in words[1:] if "=" not in word):
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for word in words:
        for extra in re.findall(r"(?:labelworth|\.)\[([a-z,-]+)\]", word):
            assert set(extra.split(",")) <= set(extras)


# --- run ---


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Copies of a folder with photos, tables and the studies that pages take for granted."""
    first = tmp_path_factory.mktemp("docs") / "first"
    first.mkdir()
    make_ground(first)

    def copy(page: str) -> Path:
        target = first.parent / Path(page).stem
        shutil.copytree(first, target, ignore=shutil.ignore_patterns("runs"))
        for name in taken_for_granted(page):
            if not (first / "runs" / name).exists():
                make_study(first, name)
            shutil.copytree(first / "runs" / name, target / "runs" / name)
        return target

    return copy


def taken_for_granted(page: str) -> list[str]:
    """The studies that a page looks at and does not make itself."""
    text = (ROOT / page).read_text()
    makes_the_default = page in ("README.md", "docs/quickstart.md")
    run_here = [block.text for block in blocks(page) if is_ours(block) and not block.reason]
    made = [name for name in STUDIES if any(f"--study {name}" in text for text in run_here)]
    return [
        name
        for name in STUDIES
        if f"runs/{name}" in text
        and name not in made
        and not (makes_the_default and name == "digits3")
    ]


@pytest.mark.statistics
@pytest.mark.parametrize("page", RUN)
def test_every_block_of_a_page_runs(page: str, grounds: Callable[[str], Path]) -> None:
    """In the order of the page, as a reader copies them."""
    folder = grounds(page)
    failed = []
    for block in blocks(page):
        if block.reason or (not block.is_python and not is_ours(block)):
            continue
        code, said = run_python(block, folder) if block.is_python else run_command(block, folder)
        is_fine = (code == 2 and block.refused in said) if block.refused else code == 0
        if not is_fine:
            failed.append((named(block), block.text, code, said[-500:]))
    assert failed == []


def run_command(block: Block, folder: Path) -> tuple[int, str]:
    words = words_of(block)
    if "VERSION" in words:
        words[words.index("VERSION")] = version_in(folder)
    done = run(folder, *words)
    return done.returncode, done.stderr


def run_python(block: Block, folder: Path) -> tuple[int, str]:
    code = "from tests.heads import quick\nquick()\n" + block.text
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr

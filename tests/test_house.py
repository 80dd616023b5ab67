"""The layout that CONTRIBUTING.md draws: small folders, short files, one name for one thing.

The arrows between rooms are held by the import contracts of `make check`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests import ROOT

PACKAGES = ("budget", "labeling", "training", "hpo")
MODULES, LINES = 12, 400
HPO = {"cli", "tracking", "study", "answer", "search", "trial", "market", "data", "settings"}


def files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def test_hpo_holds_its_rooms_and_two_doors_of_three_lines() -> None:
    folders = {path.name for path in (ROOT / "hpo").iterdir() if (path / "__init__.py").exists()}
    assert folders == HPO
    doors = {path.name for path in (ROOT / "hpo").glob("*.py")} - {"__init__.py"}
    assert doors == {"run.py", "publish.py"}


def test_no_folder_holds_more_modules_than_can_be_taken_in_at_once() -> None:
    count: dict[Path, int] = defaultdict(int)
    for path in files():
        count[path.parent] += path.name != "__init__.py"
    assert {str(folder): n for folder, n in count.items() if n > MODULES} == {}


def test_no_module_is_longer_than_a_reader_can_keep_in_mind() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in files()}
    assert {name: lines for name, lines in lengths.items() if lines > LINES} == {}


def test_no_two_public_classes_share_a_name() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in files():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_no_module_takes_a_private_name_from_another() -> None:
    taken = []
    for path in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
                private = [n.name for n in node.names if n.name.startswith("_")]
                taken += [f"{path.relative_to(ROOT)}: {node.module}.{name}" for name in private]
    assert taken == []


def test_every_package_says_what_it_holds() -> None:
    silent = [str(p) for p in files() if p.name == "__init__.py" and not p.read_text().strip()]
    assert silent == []

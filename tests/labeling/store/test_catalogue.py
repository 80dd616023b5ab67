"""The catalogue of versions: entered once by however many, asked by study."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from budget.database import open_database
from budget.errors import InputError
from labeling.store.catalogue import Catalogue, CatalogueEntry
from labeling.views import parse_view

ENTRY = CatalogueEntry("ab" * 16, 740000, "cd" * 16, "simulated", 2000, 1, 0, False, ("a", "b"))
LABELS = {
    "image": ["x", "y"],
    "label": ["a", "b"],
    "confidence": [0.9, 0.6],
    "agreement": [1.0, None],
    "answers": [1, 1],
}
ANSWERS: dict[str, list[object]] = {
    "label_position": [0, 1],
    "image": ["x", "y"],
    "answer": ["a", "b"],
    "annotator": ["0", "1"],
    "skill": [0.8, None],
    "seconds": [1.0, 2.0],
    "submitted": [0.5, 0.5],
    "control": [False, False],
    "usable": [True, True],
}


def test_racing_processes_enter_a_version_once(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "study.sqlite")
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            status = 9
            try:
                Catalogue(engine, "study").add(ENTRY, LABELS, ANSWERS)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children] == [0] * 4
    catalogue = Catalogue(engine, "study")
    assert catalogue.entries() == {ENTRY.version: ENTRY}
    assert (catalogue.count(None, "labels"), catalogue.count(None, "answers")) == (2, 2)
    assert Catalogue(engine, "another").count(None, "labels") == 0
    engine.dispose()


def test_what_is_unknown_is_kept_by_no_comparison(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "study.sqlite")
    catalogue = Catalogue(engine, "study")
    catalogue.add(ENTRY, LABELS, ANSWERS)
    for text in ("skill >= 0", "not skill >= 0", "skill != 0.5", "skill not in (0.5)"):
        assert catalogue.places(parse_view(f"({text}) and annotator == '1'")) == [], text
    assert len(catalogue.places(parse_view("skill < 0.5 or usable"))) == 2
    engine.dispose()


def test_a_name_keeps_every_version_of_its_view(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "study.sqlite")
    catalogue = Catalogue(engine, "study")
    catalogue.add(ENTRY, LABELS, ANSWERS)
    first, second = parse_view("label == 'a'"), parse_view("price <= 0.002 and version == 'abab'")
    for view in (first, second, first):
        catalogue.keep("mine", catalogue.bind(view))
    kept = catalogue.named()
    assert [view.version for view in kept][-1] == first.version
    assert kept[0].expression == f"price <= 0.002 and version == '{ENTRY.version}'"
    assert [len(catalogue.places(view.open())) for view in kept] == [2, 1]
    with pytest.raises(InputError, match=r"label: no class 'c'; valid are a, b"):
        catalogue.bind(parse_view("label == 'c'"))
    engine.dispose()

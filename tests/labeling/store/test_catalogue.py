"""The catalogue of versions: entered once by however many, asked by study."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from budget.database import Database, open_database, writing
from budget.errors import InputError
from labeling.store.catalogue import Catalogue, CatalogueEntry, columns_of
from labeling.views import parse_view
from tests.unsealed import unseal

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


def test_racing_processes_enter_a_version_once(database: str | Path) -> None:
    engine = open_database(database)
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


def test_what_is_unknown_is_kept_by_no_comparison(database: str | Path) -> None:
    engine = open_database(database)
    catalogue = Catalogue(engine, "study")
    catalogue.add(ENTRY, LABELS, ANSWERS)
    for text in ("skill >= 0", "not skill >= 0", "skill != 0.5", "skill not in (0.5)"):
        assert catalogue.places(parse_view(f"({text}) and annotator == '1'")) == [], text
    assert len(catalogue.places(parse_view("skill < 0.5 or usable"))) == 2
    engine.dispose()


BEST: dict[str, list[object]] = {
    "best_label": ["b", "b"],
    "best_confidence": [0.7, 0.95],
    "changed": [True, False],
}


def test_views_ask_for_best_labels_where_a_version_has_them(database: str | Path) -> None:
    engine = open_database(database)
    catalogue = Catalogue(engine, "study")
    catalogue.add(ENTRY, LABELS, ANSWERS)
    other = replace(ENTRY, version="ef" * 16)
    catalogue.add(other, {**LABELS, **BEST}, ANSWERS)
    for text, positions in (
        ("changed", [0]),
        ("not changed", [1]),
        ("best_label == 'b'", [0, 1]),
        ("best_label != 'b'", []),
        ("best_label not in ('a')", [0, 1]),
        ("best_confidence < 0.9", [0]),
        ("not best_confidence < 0.9", [1]),
        ("changed and annotator == '0'", [0]),
    ):
        expected = [(other.version, position) for position in positions]
        assert catalogue.places(parse_view(text)) == expected, text
    at = columns_of("labels").index("best_label")
    rows = catalogue.rows(parse_view("answers > 0"))
    assert [row[at : at + 3] for row in rows] == [
        *[(None, None, None)] * 2,
        *[("b", 0.7, True), ("b", 0.95, False)],
    ]
    engine.dispose()


def old_catalogue(path: Path) -> Database:
    """A database with a version, as releases without best labels made it."""
    engine = open_database(path)
    Catalogue(engine, "study").add(ENTRY, LABELS, ANSWERS)
    with writing(engine) as connection:
        unseal(connection)
        for name in BEST:
            connection.exec_driver_sql(f"ALTER TABLE catalogue_labels DROP COLUMN {name}")
    return engine


def test_a_catalogue_of_an_older_release_opens_and_takes_best_labels(tmp_path: Path) -> None:
    engine = old_catalogue(tmp_path / "study.sqlite")
    catalogue = Catalogue(engine, "study")
    assert catalogue.entries() == {ENTRY.version: ENTRY}
    for text in ("changed", "not changed", "best_label == 'a'", "best_confidence >= 0"):
        assert catalogue.places(parse_view(text)) == [], text
    assert len(catalogue.places(parse_view("confidence >= 0.9 or changed"))) == 1
    other = replace(ENTRY, version="ef" * 16)
    catalogue.add(other, {**LABELS, **BEST}, ANSWERS)
    assert Catalogue(engine, "study").places(parse_view("changed")) == [(other.version, 0)]
    engine.dispose()


def test_racing_processes_open_a_catalogue_of_an_older_release(tmp_path: Path) -> None:
    engine = old_catalogue(tmp_path / "study.sqlite")
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            status = 9
            try:
                assert Catalogue(engine, "study").count(None) == 2
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children] == [0] * 6
    assert Catalogue(engine, "study").places(parse_view("changed")) == []
    engine.dispose()


def test_a_name_keeps_every_version_of_its_view(database: str | Path) -> None:
    engine = open_database(database)
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

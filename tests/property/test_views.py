"""SQL finds inside a view what a plain reading of the same tree over the same rows finds."""

from __future__ import annotations

import itertools
import operator
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from budget.database import open_database
from labeling.store.catalogue import NO_LABEL, Catalogue, CatalogueEntry, columns_of
from labeling.store.views import inside
from labeling.views import View, parse_view
from labeling.views.columns import ANSWERS, COLUMNS, LABELS
from labeling.views.tree import AllOf, AnyOf, Compare, Node, OneOf, all_of, any_of
from tests.drawn import examples

HOUSE = settings(deadline=None, max_examples=examples(80), derandomize=True)
OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TEXTS = ["a", "b", "it's", 'quo"te', "Ü; DROP TABLE x --", "", "%", "a\n"]
SHARES = [0.0, 0.1, 1 / 3, 0.5, 0.8, 1.0]
DAYS = [738000, 738001, 738500]
VALUES: Mapping[str, list[Any]] = {
    "text": TEXTS,
    "class": TEXTS[:5],
    "id": ["abcd" * 8, "1234" * 8],
    "share": SHARES,
    "number": [0.0, 1.0, 2.5, 1e6],
    "count": [0.0, 1.0, 2.0, 3.0],
    "dollars": [1000, 2000, 2001],
    "day": DAYS,
    "flag": [True, False],
}
ROOT = tempfile.TemporaryDirectory()
ENGINE = open_database(Path(ROOT.name) / "study.sqlite")
STUDIES = itertools.count()


def keeps(node: Node, row: Mapping[str, Any]) -> bool:
    """A tree read over one row, without SQL: no comparison keeps what is unknown."""
    if isinstance(node, AllOf):
        return all(keeps(part, row) for part in node.parts)
    if isinstance(node, AnyOf):
        return any(keeps(part, row) for part in node.parts)
    value = row[node.column]
    if value is None:
        return False
    if isinstance(node, OneOf):
        return (value in node.values) != node.negated
    return OPERATORS[node.operator](value, node.value)


def trees(names: tuple[str, ...]) -> st.SearchStrategy[Node]:
    """Trees of comparisons over some columns, as the grammar can write them."""

    def compare(name: str) -> st.SearchStrategy[Node]:
        kind = COLUMNS[name].kind
        values = st.sampled_from(VALUES[kind])
        if kind == "flag":
            return st.builds(Compare, st.just(name), st.just("=="), values)
        ordered = kind not in ("text", "class", "id")
        signs = st.sampled_from(list(OPERATORS) if ordered else ["==", "!="])
        several = st.lists(values, min_size=1, max_size=3, unique=True)
        lists = several.map(lambda found: tuple(sorted(found)))
        return st.one_of(
            st.builds(Compare, st.just(name), signs, values),
            st.builds(OneOf, st.just(name), lists, st.booleans()),
        )

    leaf = st.sampled_from(names).flatmap(compare)
    return st.recursive(
        leaf,
        lambda inner: st.lists(inner, min_size=2, max_size=3).flatmap(
            lambda parts: st.sampled_from([all_of(parts), any_of(parts)])
        ),
        max_leaves=6,
    )


QUESTIONS = st.one_of(
    *(st.tuples(st.just(over), trees(columns_of(over))) for over in (LABELS, ANSWERS))
)
"""What a view is over, and a tree of its columns."""


def values(name: str, unknown: bool = False) -> st.SearchStrategy[Any]:
    found = st.sampled_from(VALUES[COLUMNS[name].kind])
    return st.one_of(st.none(), found) if unknown else found


@st.composite
def versions(draw: st.DrawFn) -> tuple[CatalogueEntry, list[dict[str, Any]], list[dict[str, Any]]]:
    """A version: its entry, its labels' rows, and its answers' rows."""
    of_labels = ("label", "confidence", "agreement")
    of_best = ("best_label", "best_confidence", "changed")
    has_best, nothing = draw(st.booleans()), dict.fromkeys(of_best)
    best = st.fixed_dictionaries({name: values(name) for name in of_best})
    labels = [
        {
            "image": f"{number}.png",
            "answers": draw(st.integers(0, 3)),
            **{name: draw(values(name)) for name in of_labels},
            **(draw(best) if has_best else nothing),
        }
        for number in range(draw(st.integers(1, 6)))
    ]
    of_answers = ("answer", "annotator", "control", "usable")
    answers = [
        {
            "label_position": draw(st.integers(NO_LABEL, len(labels) - 1)),
            "image": draw(st.sampled_from(TEXTS)),
            **{name: draw(values(name)) for name in of_answers},
            **{name: draw(values(name, True)) for name in ("skill", "seconds", "submitted")},
        }
        for _ in range(draw(st.integers(1, 8)))
    ]
    entry = CatalogueEntry(
        version=draw(values("version")),
        day=draw(values("date")),
        condition=draw(values("condition")),
        market=draw(st.sampled_from(["a", "b"])),
        price_micros=draw(values("price")),
        overlap=draw(st.integers(0, 3)),
        controls=draw(st.integers(0, 3)),
        exam=draw(st.booleans()),
        classes=tuple(TEXTS),
    )
    return entry, labels, answers


def turned(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def as_plain_rows(
    entry: CatalogueEntry, labels: list[dict[str, Any]], answers: list[dict[str, Any]], over: str
) -> list[dict[str, Any]]:
    """The rows that a view is asked about, as its columns are documented."""
    whole = {
        "version": entry.version,
        "date": entry.day,
        "condition": entry.condition,
        "market": entry.market,
        "price": entry.price_micros,
        "overlap": entry.overlap,
        "controls": entry.controls,
        "exam": entry.exam,
    }
    if over == LABELS:
        return [{**whole, **label} for label in labels]
    unlabelled = dict.fromkeys(name for name in labels[0] if name != "image")
    return [
        {
            **whole,
            **(unlabelled if row["label_position"] == NO_LABEL else labels[row["label_position"]]),
            **row,
        }
        for row in answers
    ]


@given(
    st.sampled_from([LABELS, ANSWERS]).flatmap(
        lambda o: st.tuples(st.just(o), trees(columns_of(o)))
    ),
    st.lists(versions(), min_size=1, max_size=2, unique_by=lambda v: v[0].version),
)
@HOUSE
def test_the_catalogue_finds_what_a_plain_reading_finds(
    asked: tuple[str, Node],
    stored: list[tuple[CatalogueEntry, list[dict[str, Any]], list[dict[str, Any]]]],
) -> None:
    over, node = asked
    view = View(node, over, COLUMNS)
    catalogue = Catalogue(ENGINE, f"study-{next(STUDIES)}")
    wanted = []
    for entry, labels, answers in stored:
        catalogue.add(entry, turned(labels), turned(answers))
        catalogue.add(entry, turned(labels), turned(answers))  # again changes nothing
        rows = as_plain_rows(entry, labels, answers, over)
        wanted += [(entry.version, at) for at, row in enumerate(rows) if keeps(node, row)]
    assert catalogue.places(view) == sorted(wanted)
    assert catalogue.count(view) == len(wanted)
    assert len(catalogue.rows(view)) == len(wanted)


@given(
    st.sampled_from([LABELS, ANSWERS]).flatmap(
        lambda o: st.tuples(st.just(o), trees(columns_of(o)))
    ),
    versions(),
)
@HOUSE
def test_rows_in_memory_are_kept_as_a_plain_reading_keeps_them(
    asked: tuple[str, Node],
    stored: tuple[CatalogueEntry, list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    over, node = asked
    rows = as_plain_rows(*stored, over)
    columns = {name: [row[name] for row in rows] for name in columns_of(over)}
    mask = inside(View(node, over, COLUMNS), columns)
    assert mask.tolist() == [keeps(node, row) for row in rows]


@given(trees(tuple(COLUMNS)), st.booleans())
@HOUSE
def test_a_view_reads_back_from_its_text(node: Node, spaced: bool) -> None:
    view = View(node, parse_view(View(node, ANSWERS, COLUMNS).text).over, COLUMNS)
    text = f"  ( {view.text} ) " if spaced else view.text
    assert parse_view(text) == view
    assert parse_view(text).version == view.version

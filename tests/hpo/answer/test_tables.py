"""Tables keep every mark and every amount whole, however narrow the terminal is."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from hpo.answer.tables import TableColumn, TextTable, print_table, table_lines
from hpo.answer.terminal import show
from tests.commands import labelworth, small_flags
from tests.drawn import examples

WIDTHS = (40, 60, 80, 100, 200)


def printed(table: TextTable, width: int | None) -> str:
    return "\n".join(line.text for line in table_lines(table, width))


WIDE = TextTable(
    (
        TableColumn(""),
        TableColumn("price\ntag", True),
        TableColumn("points", True, rank=2),
        TableColumn("minutes", True, rank=1),
        TableColumn("name", wraps=True),
    ),
    [("*=^", "$1,234.567891", "12.5", "13", "a name of many words that goes on")],
    title="A title",
    caption="a caption",
)


def test_the_column_of_the_highest_rank_goes_first() -> None:
    shown = {width: printed(WIDE, width) for width in (None, 60, 50, 40)}
    assert "Not shown" not in shown[None]
    assert shown[60].count("\n") > shown[None].count("\n")  # text takes several lines before that
    assert "Not shown at this width: points." in shown[50]
    assert "Not shown at this width: points, minutes." in shown[40]


def test_what_stays_at_any_width_goes_on_below() -> None:
    columns = (TableColumn("tasks", True), *(TableColumn(f"overlap\n{k}", True) for k in range(6)))
    table = TextTable(columns, [("980", *(f"${k}00.12" for k in range(1, 7)))])
    text = printed(table, 40)
    assert all(f"${k}00.12" in text for k in range(1, 7))
    assert text.count("980") == 2  # the first column says what each block is about
    assert max(map(len, text.splitlines())) <= 40


cells = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=9)


@settings(deadline=None, max_examples=examples(200))
@given(st.data(), st.integers(40, 220), st.integers(1, 8))
def test_no_cell_that_stays_is_ever_broken(data: st.DataObject, width: int, count: int) -> None:
    ranks = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    columns = [TableColumn(f"c{at}", at % 2 == 0, rank) for at, rank in enumerate(ranks)]
    rows = data.draw(st.lists(st.tuples(*[cells] * count), min_size=1, max_size=4))
    lines = [line.text for line in table_lines(TextTable(columns, rows), width)]
    # 40 bears the key and any other column here, so that nothing is wider.
    assert all(len(line) <= width for line in lines if not line.startswith("Not shown"))
    for row in rows:
        for cell, column in zip(row, columns, strict=True):
            if column.rank == 0:
                assert any(cell in line for line in lines)


def test_into_a_pipe_goes_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    page = io.StringIO()
    print_table(WIDE, Console(file=page, width=20))
    assert page.getvalue() == printed(WIDE, None) + "\n"
    monkeypatch.setenv("COLUMNS", "40")
    page = io.StringIO()
    print_table(WIDE, Console(file=page, width=40))
    assert page.getvalue() == printed(WIDE, 40) + "\n"


def test_a_terminal_gets_its_width_and_the_strong_row_in_bold() -> None:
    page = io.StringIO()
    table = TextTable(WIDE.columns, [*WIDE.rows, *WIDE.rows], strong=frozenset({1}))
    print_table(table, Console(file=page, width=40, force_terminal=True, color_system="standard"))
    assert "Not shown" in page.getvalue()
    assert page.getvalue().count("\x1b[1m") > 0


# --- every table of the program ---


@pytest.fixture(scope="module")
def studied(finished_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished small study."""
    return Path(shutil.copytree(finished_small, tmp_path_factory.mktemp("studied") / "s"))


def widths_of(*words: str, cwd: Path) -> dict[str, str]:
    """A command's output at each width, and without one."""
    at = {str(w): labelworth(*words, cwd=cwd, COLUMNS=str(w)).stdout for w in WIDTHS}
    return at | {"free": labelworth(*words, cwd=cwd, COLUMNS="").stdout}


def whole(text: str, cell: str) -> bool:
    """Whether a cell stands in a text between blanks, on one line."""
    return any(cell in line.split() for line in text.splitlines())


def dollars(micros: int) -> str:
    from budget.money import Money

    return Money(micros).cents()


def rows_told_apart(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the front that are printed."""
    kept = report["advice"]["certainty"]["told_apart"]
    rows = [row for row in report["front"] if row["plan"]["key"] in kept]
    assert rows
    return rows


def test_the_answer_s_money_and_marks_are_whole_at_every_width(
    studied: Path, tmp_path: Path
) -> None:
    report = json.loads((studied / "report.json").read_text())
    parts = [f"${money['usd']}" for money in report["money"]["bought"].values()]
    for width, text in widths_of("report", str(studied), "--details", cwd=tmp_path).items():
        front = text[text.index("The front") : text.index(" spent: ")]
        for row in rows_told_apart(report):
            tag = dollars(row["price_tag"]["micros"])
            price = row["plan"]["price_per_task"]["usd"]
            (line,) = [
                words
                for words in map(str.split, front.splitlines())
                if tag in words and f"{100 * row['accuracy']:.1f}" in words
            ]
            assert price in line, width
            marks = line[0] if line[0] != tag else ""
            assert ("*" in marks) == (row["plan"] == report["recommended"]["plan"]), width
            assert ("^" in marks) == (row["plan"]["key"] == report["knee"]), width
        assert all(whole(text, amount) for amount in parts), width
        assert "…" not in text


def test_marks_and_money_of_many_digits_are_whole(
    studied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = json.loads((studied / "report.json").read_text())
    for number, row in enumerate(report["front"]):
        row["price_tag"] = {"usd": "", "micros": 1_234_560_000 + number * 10_000}
        row["plan"]["price_per_task"]["usd"] = f"0.01234{number}"
    report["recommended"]["plan"] = report["front"][-1]["plan"]
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        page = io.StringIO()
        show(report, {}, Console(file=page, width=width), details=True)
        for row in rows_told_apart(report):
            assert whole(page.getvalue(), dollars(row["price_tag"]["micros"]))
            assert whole(page.getvalue(), row["plan"]["price_per_task"]["usd"])


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"tasks": "49", "overlap": "2", "controls": "1", "price": "0.002"},
    ],
)
def test_quotes_keep_their_money_at_every_width(
    more: dict[str, str], small_data: str, tmp_path: Path
) -> None:
    words = ("plan", *small_flags(small_data, **more))
    shown = widths_of(*words, cwd=tmp_path)
    free = [word for word in shown["free"].split() if word.startswith("$")]
    assert len(free) >= 5
    for width, text in shown.items():
        assert all(whole(text, amount) for amount in free), width


@pytest.mark.parametrize(
    "words",
    [
        ("data", "list", "{run}"),
        pytest.param(("view", "{run}", "confidence >= 0.9"), marks=pytest.mark.slow),
        pytest.param(("view", "{run}", "skill >= 0.5"), marks=pytest.mark.slow),
    ],
)
def test_views_and_versions_keep_their_money_at_every_width(
    words: tuple[str, ...], studied: Path, tmp_path: Path
) -> None:
    shown = widths_of(*(word.format(run=studied) for word in words), cwd=tmp_path)
    free = [line.split() for line in shown["free"].splitlines() if line.startswith(" ")]
    assert len(free) > 3
    prices = {row[-1] for row in free if "$" in row[-1] or row[-1].startswith("0.0")}
    for width, text in shown.items():
        assert all(whole(text, price) for price in prices), width

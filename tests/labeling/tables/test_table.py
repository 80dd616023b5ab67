"""Text tables: what is read, what is noticed, and what is refused in one line."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.errors import InputError
from labeling.tables.columns import ANNOTATOR, LABEL, TASK, name_columns
from labeling.tables.table import RowTable, read_table, table_of

TEXT = "task,worker,label\na,w1,caf\u00e9\nb,w2,tea\n"
KNOWN = {"task": TASK, "annotator": ANNOTATOR, "label": LABEL}


def saved(folder: Path, raw: bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(raw)
    return path


def check(table: RowTable) -> None:
    assert table.header == ("task", "worker", "label")
    assert table.rows == (("a", "w1", "caf\u00e9"), ("b", "w2", "tea"))
    assert table.lines == (2, 3)


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "read as UTF-16"), ("utf-32", "read as UTF-32")],
)
def test_unicode_files_are_read(tmp_path: Path, encoding: str, note: str) -> None:
    table = read_table(saved(tmp_path, TEXT.encode(encoding)))
    check(table)
    assert [note in line for line in table.notes] == [True] * bool(note)


def test_packed_files_and_other_line_ends_are_read(tmp_path: Path) -> None:
    check(read_table(saved(tmp_path, gzip.compress(TEXT.encode()), "t.csv.gz")))
    check(read_table(saved(tmp_path, TEXT.replace("\n", "\r\n").encode())))
    check(read_table(saved(tmp_path, TEXT.replace("\n", "\r").encode())))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (TEXT.encode("latin-1"), "line 2 is not UTF-8 .looks like Latin-1 or Windows-1252.; save"),
        (TEXT.encode("utf-16-le"), "not UTF-8 .looks like UTF-16.; save it as UTF-8"),
        (b"\xff\xfea", "it starts like UTF-16 and is not; save it as UTF-8"),
        (b"PK\x03\x04....", "it is an Excel or zip file; save the table as CSV"),
        (b"a\0b\0\0\1\2\3" * 4 + b"abcdefgh" * 9, "not a text file"),
    ],
)
def test_other_encodings_are_named_with_the_remedy(
    tmp_path: Path, raw: bytes, message: str
) -> None:
    path = saved(tmp_path, raw)
    with pytest.raises(InputError, match=message) as error:
        read_table(path)
    assert str(error.value).startswith(f"{path}: cannot be read")
    assert "codec" not in str(error.value)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.csv: no such file"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(InputError, match="it is a folder"):
        read_table(tmp_path)
    with pytest.raises(InputError, match=r"t\.csv\.gz: cannot be read"):
        read_table(saved(tmp_path, b"not packed", "t.csv.gz"))


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_the_separator_is_noticed_and_said(separator: str, name: str) -> None:
    table = table_of("f", TEXT.replace(",", separator))
    check(table)
    assert table.notes == (f"f: its cells are separated by {name}",)
    announced = table_of("f", f"sep={separator}\n" + TEXT.replace(",", separator))
    assert announced.rows == table.rows
    assert announced.lines == (3, 4)


def test_blank_rows_and_blank_columns_do_not_matter() -> None:
    table = table_of("f", "\na,b,,\n1,2,,\n\n,,,\n3,4,,\n,,,\n\n")
    assert table.header == ("a", "b")
    assert table.rows == (("1", "2"), ("3", "4"))
    assert table.lines == (3, 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", r"row 3 has 3 cells, its first line 2 .a, b.; quote cells that hold"),
        ("a;b\n1;2\n1\n", r"row 3 has 1 cells.*quote cells that hold semicolons"),
        ('a,b\n"1\n2",3\n1\n', "row 4 has 1 cells"),
        ('a,b\n1,"2\n3,4\n', "row 2: a quotation mark is not closed"),
        ('a,b\n1,2\n"1"2,2\n', "row 3: a quotation mark is not closed"),
    ],
)
def test_a_row_that_does_not_fit_is_named_by_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        table_of("f", text)
    assert "\n" not in str(error.value)


cells = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6),
    separator=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_every_cell_comes_back_whatever_separator_and_encoding(
    rows: list[list[str]], separator: str, end: str, encoding: str
) -> None:
    """The header tells the separator, even if cells hold the other ones."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    text.write(separator.join(("a", "b", "c")) + end)
    writer.writerows(rows)
    wanted = [tuple(row) for row in rows if any(cell.strip() for cell in row)]
    with TemporaryDirectory() as folder:
        table = read_table(saved(Path(folder), text.getvalue().encode(encoding)))
    assert list(table.rows) == wanted
    assert len(table.notes) == (separator != ",") + (encoding in ("utf-16", "utf-32"))


# --- columns ---


def test_columns_are_known_by_all_their_names() -> None:
    for name in ("annotator", "performer", "user", "rater", "completed_by", "WorkerId", " Worker "):
        columns = name_columns(table_of("f", f"Image,{name},label\na,w,x\n"), KNOWN)
        assert columns.cells == {"task": ["a"], "annotator": ["w"], "label": ["x"]}
        assert columns.names["annotator"] == name.strip()
        assert columns.notes == ()


def test_columns_without_meaning_are_said_or_refused() -> None:
    columns = name_columns(table_of("f", "Unnamed: 0,,id,task\n0,1,2,a\n"), KNOWN, ("id",))
    assert columns.cells == {"task": ["a"]}
    assert len(columns.notes) == 3
    with pytest.raises(InputError, match="column 'lable' is not known; did you mean 'label'"):
        name_columns(table_of("f", "task,lable\na,x\n"), KNOWN)
    with pytest.raises(InputError, match="column 'zzz' is not known; known are task, annotator"):
        name_columns(table_of("f", "task,zzz\na,x\n"), KNOWN)
    with pytest.raises(InputError, match="columns 'task' and 'image' both give the task; keep one"):
        name_columns(table_of("f", "task,image\na,x\n"), KNOWN)


@given(name=st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12))
def test_a_column_is_known_or_refused_never_dropped(name: str) -> None:
    known = {spelling for names in KNOWN.values() for spelling in names}
    table = table_of("f", f"task,{name}\na,x\n")
    if name.lower() in known and name.lower() not in TASK:
        assert len(name_columns(table, KNOWN).cells) == 2
    else:
        with pytest.raises(InputError, match=r"column|columns"):
            name_columns(table, KNOWN)

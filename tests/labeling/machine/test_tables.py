"""Files of a machine's answers: their forms, and what is wrong with them in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from budget.money import Money
from labeling.machine.file import FileModel
from labeling.machine.replies import Call
from labeling.machine.tables import read_machine_file

CLASSES = ("cat", "dog", "fox")


def write(folder: Path, text: str, name: str = "machine.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_column_a_class(tmp_path: Path) -> None:
    file = write(tmp_path, "image,cat,dog,fox\na.png,0.2,0.2,0.1\nb.png,0,1,0\n")
    table = read_machine_file(file, "", CLASSES)
    assert table.images == ("a.png", "b.png")
    assert table.said.tolist() == [[0.4, 0.4, 0.2], [0, 1, 0]]


def test_label_confidence_and_cost(tmp_path: Path) -> None:
    file = write(tmp_path, "file,label,confidence,cost\na.png,dog,0.8,0.001\nb.png,fox,0.5,0.002\n")
    table = read_machine_file(file, "", CLASSES)
    assert table.said == pytest.approx(np.array([[0.1, 0.8, 0.1], [0.25, 0.25, 0.5]]))
    model = FileModel(table, {7: 0, 8: 1}, Money(0))
    assert (model.most, model.usual) == (Money(2_000), Money(1_500))
    replies = dict(model.ask([Call(8, 0, "k"), Call(9, 0, "k")]))
    assert [(call.row, reply.cost) for call, reply in replies.items()] == [(8, Money(2_000))]


def test_arrays_and_parquet(tmp_path: Path) -> None:
    said = np.array([[0.5, 0.25, 0.25], [0, 0, 1]], dtype=np.float16)
    np.savez(tmp_path / "m.npz", zeroshot=said)
    table = read_machine_file(tmp_path / "m.npz", "zeroshot", CLASSES)
    assert table.images == ("0", "1")
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = pyarrow.table({"image": ["0", "1"], **{c: said[:, i] for i, c in enumerate(CLASSES)}})
    parquet.write_table(rows, tmp_path / "m.parquet")
    assert (read_machine_file(tmp_path / "m.parquet", "", CLASSES).said == table.said).all()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("image,cat,dog\na.png,1,0\n", "a column for each class"),
        ("image,label\na.png,cow\n", "'cow' is not one of"),
        ("image,label\na.png,\n", "row 2 has no label"),
        ("image,cat,dog,fox\na.png,nan,0,1\n", "row 2, column cat: 'nan' is no probability"),
        ("name,label\na.png,cat\n", "a column image is needed"),
        ("image,label\na.png,cat\na.png,dog\n", "listed twice"),
        ("image,cat,dog,fox\na.png,0,0,0\n", "row 2 holds no probabilities"),
        ("image,cat,dog,fox\na.png,0.5,1.5,0\n", "'1.5' is no probability"),
        ("image,label,cost\na.png,cat,cheap\n", "row 2, column cost: 'cheap'"),
        ("image,label,cost\na.png,cat,1\nb.png,cat,-1\n", "row 3, column cost: -1 is negative"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_machine_file(write(tmp_path, text), "", CLASSES)


def test_an_array_that_is_not_there_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", vendor=np.ones((2, 3)))
    with pytest.raises(InputError, match=r"there are vendor: name one as m.npz#NAME"):
        read_machine_file(tmp_path / "m.npz", "", CLASSES)
    with pytest.raises(InputError, match="no such file"):
        read_machine_file(tmp_path / "absent.csv", "", CLASSES)


ODD_ARRAYS = {
    "a number": np.array(0.5),
    "texts": np.full((2, 3), "x"),
    "pairs": np.ones((2, 3), dtype=complex),
    "times": np.ones((2, 3), dtype="m8[s]"),
    "nothing": np.zeros((2, 3), dtype="V4"),
    "records": np.zeros((2, 3), dtype=[("a", "f4")]),
}


@pytest.mark.parametrize("kind", ODD_ARRAYS)
def test_arrays_that_are_no_numbers_are_one_line(tmp_path: Path, kind: str) -> None:
    np.savez(tmp_path / "m.npz", probabilities=ODD_ARRAYS[kind])
    with pytest.raises(InputError, match="give numbers, a row for each image"):
        read_machine_file(tmp_path / "m.npz", "", CLASSES)


@pytest.mark.parametrize("names", [np.array("a"), np.full((2, 1), "a"), np.full(3, "a")])
def test_names_that_do_not_fit_are_one_line(tmp_path: Path, names: np.ndarray) -> None:
    np.savez(tmp_path / "m.npz", probabilities=np.ones((2, 3)), images=names)
    with pytest.raises(InputError, match="are no names of 2 images"):
        read_machine_file(tmp_path / "m.npz", "", CLASSES)


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_a_damaged_file_is_one_line_wherever_it_is_cut_or_flipped(
    tmp_path: Path, kind: str
) -> None:
    file = tmp_path / f"m.{kind}"
    if kind == "npz":
        np.savez(file, probabilities=np.ones((2, 3)), images=["a", "b"])
    else:
        pyarrow = pytest.importorskip("pyarrow")
        rows = pyarrow.table({"image": ["a", "b"], **{c: [0.5, 0.5] for c in CLASSES}})
        pytest.importorskip("pyarrow.parquet").write_table(rows, file)
    whole = file.read_bytes()
    assert read_machine_file(file, "", CLASSES).images == ("a", "b")
    cut = [whole[: at * len(whole) // 12] for at in range(12)]
    flipped = [
        whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :]
        for at in range(0, len(whole), len(whole) // 25)
    ]
    lines = []
    for content in (*cut, *flipped):
        file.write_bytes(content)
        try:
            read_machine_file(file, "", CLASSES)
        except InputError as error:
            lines.append(error.line)
    assert len(lines) > len(cut)
    assert all("\n" not in line and f"m.{kind}" in line for line in lines)


def test_texts_that_are_stored_as_bytes_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", probabilities=np.ones((1, 3)), images=np.array([b"a.png"]))
    assert read_machine_file(tmp_path / "m.npz", "", CLASSES).images == ("a.png",)
    pyarrow = pytest.importorskip("pyarrow")
    rows = pyarrow.table({"image": [b"a.png"], "label": [b"dog"]})
    pytest.importorskip("pyarrow.parquet").write_table(rows, tmp_path / "m.parquet")
    table = read_machine_file(tmp_path / "m.parquet", "", CLASSES)
    assert (table.images, int(table.said[0].argmax())) == (("a.png",), 1)


def test_each_class_has_a_column_of_its_own(tmp_path: Path) -> None:
    """Names of classes may differ by case only (--keep-classes)."""
    file = write(tmp_path, "image,Cat,cat\na.png,0.9,0.1\n")
    assert read_machine_file(file, "", ("Cat", "cat")).said.tolist() == [[0.9, 0.1]]
    with pytest.raises(InputError, match="give a column for each class"):
        read_machine_file(write(tmp_path, "image,CAT\na.png,0.9\n"), "", ("Cat", "cat"))
    twice = write(tmp_path, "image,cat,cat,dog,fox\na.png,0.9,0.1,0,0\n")
    with pytest.raises(InputError, match="two columns have the name 'cat'"):
        read_machine_file(twice, "", CLASSES)


def test_a_table_without_rows_holds_no_answers(tmp_path: Path) -> None:
    for head in ("image,label", "image,label,confidence", "image,cat,dog,fox,cost"):
        assert read_machine_file(write(tmp_path, f"{head}\n"), "", CLASSES).said.shape == (0, 3)

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
        ("name,label\na.png,cat\n", "a column image is needed"),
        ("image,label\na.png,cat\na.png,dog\n", "listed twice"),
        ("image,cat,dog,fox\na.png,0,0,0\n", "row 2 holds no probabilities"),
        ("image,cat,dog,fox\na.png,0.5,1.5,0\n", "'1.5' is no probability"),
        ("image,label,cost\na.png,cat,cheap\n", "cost: 'cheap'"),
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

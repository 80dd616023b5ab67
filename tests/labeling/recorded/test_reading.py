"""Recorded answers: what is refused, and what the formats become."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from labeling.recorded.reading import read_recording, task_rows
from labeling.recorded.recording import Recording

GOOD = "task,worker,label,seconds,gold\na,w1,cat,3.5,cat\na,w2,dog,,cat\nb,w1,dog,2.0,\n"


def written(folder: Path, text: str, name: str = "answers.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'label' is missing"),
        ("task,worker\na,w\n", "column 'label' is missing .found: task, annotator."),
        ("pictures,label\na,1\n", "column 'pictures' is not known"),
        ("worker,label\na,1\n", "column 'task' is missing .found: annotator, label."),
        ("task,label\n", "no answers below its first line"),
        ("task,label\na,0,1\n", "row 2 has 3 cells, its first line 2"),
        ("task,task,label\na,a,0\n", "columns 'task' and 'task' both give the task; keep one"),
        ("task,label\na,0\n,1\n", "row 3, column task: it is empty"),
        ("task,worker,label\na,w,0\na,,1\n", "row 3, column annotator: it is empty"),
        ("task,worker,label\na,w,0\na,w,1\n", "row 3: annotator 'w' answers task 'a' a second"),
        ("task,label\na,cat\na,cat\n", "all answers are 'cat'; name the classes"),
        ("task,label,seconds\na,0,3\na,1,soon\n", "row 3, column seconds: 'soon' is not a time"),
        ("task,label,seconds\na,0,3\na,1,0\n", "row 3, column seconds: '0' is not a time above 0"),
        ("task,label,gold\na,0,0\na,1,1\n", "row 3, column gold: '1', but an earlier row"),
        ("task,label\n" + "".join(f"{n},x{n}\n" for n in range(30)), "hardly any label comes twi"),
        (
            "task,label\na,cat\nb,\nc,NaN\nd,dog\n",
            r"row 3: no label .2 such rows.; leave",
        ),
        (
            "task,label\na,cat\nb,dog\nc,NA\n",
            r"row 4: no label .'NA'.; .*skip-empty .*keep-classes",
        ),
        ("task,label\na,Cat\nb,cat\n", "differ by case.*--keep-classes"),
        ("task,label\n1.234568E+13,0\nb,1\n", "row 2, column task: .* the file lost digits"),
        ("cat,dog\n3,1\n2,few\n", "row 3, column dog: 'few' is not a number of answers"),
        ("task,cat,dog\na,3,1\na,2,0\n", "row 3: task 'a' comes twice"),
        ("cat,dog\n0,0\n", "holds no answers"),
    ],
)
def test_a_bad_table_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=message) as error:
        read_recording(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("column", ["label", "gold"])
def test_a_label_outside_the_classes_is_named(tmp_path: Path, column: str) -> None:
    text = {"label": "task,label\na,cat\nb,emu\n", "gold": "task,label,gold\na,cat,\nb,dog,emu\n"}
    with pytest.raises(
        InputError, match=rf"row 3, column {column}: 'emu' is not one of the 2 classes .cat, dog."
    ):
        read_recording(written(tmp_path, text[column]), ["cat", "dog"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 2))}, "neither label .n, answers. nor counts"),
        ({"label": np.zeros(3, dtype=int)}, "must be a table of whole numbers"),
        ({"counts": np.array([[1, 0], [0.5, 1]])}, "row 1 holds no whole numbers of at least 0"),
        ({"counts": np.array([[1, 0], [np.nan, 1]])}, "row 1 holds no whole numbers"),
        ({"label": np.array([[0, -2]])}, "row 0 holds no whole numbers of at least -1"),
        (
            {"label": np.array([[0, 1]]), "clean": np.zeros(2, dtype=int)},
            "one whole number per row",
        ),
        ({"label": np.array([[0, 7]])}, "row 0, label: class 7 is not one of the 3 classes"),
        ({"counts": np.array([[1, 0, 0]]), "clean": np.array([5])}, "row 0, clean: class 5"),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        read_recording(path, ["a", "b", "c"])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.csv: no such file"):
        read_recording(tmp_path / "no.csv")
    with pytest.raises(InputError, match=r"recorded answers are \.csv"):
        read_recording(written(tmp_path, GOOD, "answers.txt"))
    for name in ("broken.npz", "broken.csv.gz", "broken.parquet"):
        if name.endswith("parquet"):
            pytest.importorskip("pyarrow")
        with pytest.raises(InputError, match=f"{name}: cannot be read"):
            read_recording(written(tmp_path, "not what it says", name))


def test_without_pyarrow_parquet_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"install labelworth\[parquet\]"):
        read_recording(written(tmp_path, "", "answers.parquet"))


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as a numpy file"):
        read_recording(path)


# --- formats -------------------------------------------------------------------------------------


def check_good(recording: Recording) -> None:
    assert recording.classes == ("cat", "dog")
    assert recording.tasks == ("a", "b")
    assert recording.task.tolist() == [0, 0, 1]
    assert recording.label.tolist() == [0, 1, 1]
    assert recording.annotator is not None
    assert recording.annotator.tolist() == [0, 1, 0]
    assert recording.seconds is not None
    np.testing.assert_array_equal(recording.seconds, [3.5, np.nan, 2.0])
    assert recording.gold.tolist() == [0, -1]
    assert recording.answers_per_task.tolist() == [2, 1]


def test_a_long_table_becomes_columns(tmp_path: Path) -> None:
    check_good(read_recording(written(tmp_path, GOOD)))
    check_good(read_recording(written(tmp_path, "\ufeff" + GOOD, "bom.csv")))
    zipped = tmp_path / "answers.csv.gz"
    zipped.write_bytes(gzip.compress(GOOD.encode()))
    check_good(read_recording(zipped))


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "task": ["a", "a", "b"],
        "annotator": ["w1", "w2", "w1"],
        "label": ["cat", "dog", "dog"],
        "seconds": [3.5, None, 2.0],
        "gold": ["cat", "cat", None],
    }
    path = tmp_path / "answers.parquet"
    parquet.write_table(arrow.table(columns), path)
    check_good(read_recording(path))


def test_labels_may_be_indices_of_named_classes(tmp_path: Path) -> None:
    path = written(tmp_path, "task,label\na,1\nb,cat\n")
    assert read_recording(path, ["cat", "dog"]).label.tolist() == [1, 0]


def test_numbers_are_classes_by_their_value_and_gaps_are_none(tmp_path: Path) -> None:
    recording = read_recording(written(tmp_path, "task,label\na,10\nb,2\nc,2.0\n"))
    assert recording.classes == ("2", "10")
    assert recording.label.tolist() == [1, 0, 0]
    assert any("'2.0' is read as '2'" in note for note in recording.notes)
    np.savez(tmp_path / "l.npz", label=np.array([[10, 30], [20, -1]]))
    assert read_recording(tmp_path / "l.npz").classes == ("10", "20", "30")
    assert recording.annotator is None
    assert recording.seconds is None


def test_label_arrays_and_counts(tmp_path: Path) -> None:
    np.savez(tmp_path / "l.npz", label=np.array([[0, 2, 2], [1, 1, -1]]), clean=np.array([2, 1]))
    labels = read_recording(tmp_path / "l.npz")
    assert labels.task.tolist() == [0, 0, 0, 1, 1]
    assert labels.label.tolist() == [0, 2, 2, 1, 1]
    assert labels.gold.tolist() == [2, 1]
    assert labels.annotator is None
    counts = np.array([[1, 0, 2], [0, 2, 0]])
    np.save(tmp_path / "c.npy", counts)
    np.savez(tmp_path / "c.npz", counts=counts, clean=np.array([2, 1]))
    table = written(tmp_path, "gold,0,1,2\n2,1,0,2\n1,0,2,0\n", "c.csv")
    for path in (tmp_path / "c.npy", tmp_path / "c.npz", table):
        read = read_recording(path)
        assert read.classes == ("0", "1", "2")
        assert sorted(zip(read.task.tolist(), read.label.tolist(), strict=True)) == [
            (0, 0),
            (0, 2),
            (0, 2),
            (1, 1),
            (1, 1),
        ]
        assert path.suffix == ".npy" or read.gold.tolist() == [2, 1]


def test_the_key_is_of_the_content(tmp_path: Path) -> None:
    one = read_recording(written(tmp_path, GOOD, "one.csv"))
    two = read_recording(written(tmp_path, GOOD, "two.csv"))
    other = read_recording(written(tmp_path, GOOD.replace("a,w2,dog", "a,w2,cat"), "three.csv"))
    assert one.key == two.key != other.key


def test_tasks_are_found_by_the_images_names(tmp_path: Path) -> None:
    recording = read_recording(written(tmp_path, GOOD))
    assert task_rows(recording, ["x", "b", "a"]) == {1: 1, 2: 0}
    with pytest.raises(InputError, match=r"no task is named like an image .*'a'.*'x'"):
        task_rows(recording, ["x", "y"])


def test_cifar10n_reads_in_its_published_shape(data_folder: Path) -> None:
    recording = read_recording(data_folder / "crowd" / "cifar10n_labels.npz")
    assert len(recording) == 75_000
    assert len(recording.classes) == 10
    assert recording.answers_per_task.min() == 3
    assert (recording.label == recording.gold[recording.task]).mean() == pytest.approx(
        0.8233, abs=0.005
    )


ODD_EXPORTS = [
    "[" * 100_000,
    '[{"annotations": 5}]',
    '[{"annotations": [5]}]',
    '[{"annotations": [{"result": 5}], "data": 5}]',
    '[{"id": {}, "annotations": [{"result": [{"value": {"choices": ["a"]}}]}], "data": {"i": 1}}]',
]


@pytest.mark.parametrize("text", ODD_EXPORTS, ids=range(len(ODD_EXPORTS)))
def test_an_odd_export_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(InputError, match=r"odd\.json"):
        read_recording(tmp_path / "odd.json")


def test_counts_of_more_answers_than_a_memory_holds_are_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "many.npz", counts=np.array([[10**12, 1]]))
    with pytest.raises(InputError, match=r"counts are 1e\+12 answers, more than"):
        read_recording(tmp_path / "many.npz")

"""Shapes of folders: sub-folders by class, tables in the folder and beside it, roles or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from budget.errors import InputError
from hpo.data.dataset import Dataset, load
from hpo.data.labels_csv import read_labels
from hpo.settings.config import make_config


def images(root: Path, names: Sequence[str]) -> None:
    """PNGs, each of other content."""
    rng = np.random.default_rng(len(names))
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)).save(root / name)


def by_class(root: Path, prefix: str = "", count: int = 30) -> list[str]:
    names = [f"{prefix}{label}/{n:02d}.png" for label in ("cat", "dog") for n in range(count)]
    images(root, names)
    return names


def read(root: Path, **more: object) -> Dataset:
    given = {"budget": "5", "data": str(root), "few_labels_ok": True, "controls": "0,1"}
    return load(make_config({**given, **more}))


def labels_of(data: Dataset) -> dict[str, str]:
    pairs = zip(data.images.names, data.truth, strict=True)
    return {name: data.classes[code] if code >= 0 else "" for name, code in pairs}


def sizes(data: Dataset) -> dict[str, int]:
    return {role: len(rows) for role, rows in data.rows.items()}


@pytest.mark.parametrize("prefix", ["", "images/", "a/b/"])
def test_sub_folders_are_classes(tmp_path: Path, prefix: str) -> None:
    names = by_class(tmp_path, prefix)
    images(tmp_path, [f"{prefix}dog/deeper/x.png"])
    data = read(tmp_path)
    expected = {name: name.removeprefix(prefix).partition("/")[0] for name in names}
    assert labels_of(data) == {**expected, f"{prefix}dog/deeper/x.png": "dog"}
    assert (
        data.notes[0]
        == f"{tmp_path.name}: no table of labels: the class of an image is its sub-folder"
    )
    assert data.notes[1].startswith("roles are drawn by seed 0; the study's folder keeps them in")
    assert sizes(data) == {"pool": 29, "control": 6, "validation": 12, "final": 14}


def test_what_systems_put_into_folders_is_no_image(tmp_path: Path) -> None:
    names = by_class(tmp_path)
    images(tmp_path, ["cat/.hidden.png", "__MACOSX/cat/00.png", ".trash/cat/1.png"])
    (tmp_path / "cat/Thumbs.db").write_bytes(b"x")
    assert sorted(labels_of(read(tmp_path))) == sorted(names)


def test_folders_named_by_role_give_roles_and_the_missing_ones_are_drawn(tmp_path: Path) -> None:
    for split, count in (("train", 40), ("val", 10), ("test", 12)):
        by_class(tmp_path, f"{split}/", count)
    data = read(tmp_path)
    assert data.classes == ("cat", "dog")
    assert sizes(data) == {"pool": 68, "control": 12, "validation": 20, "final": 24}
    for role, split in (("control", "train"), ("validation", "val"), ("final", "test")):
        assert all(data.images.names[row].startswith(split) for row in data.rows[role])
    assert (
        f"{tmp_path.name}: folders give roles: test is final, train is pool, val is validation"
        in (data.notes)
    )


def test_folders_named_by_role_are_not_taken_for_classes(tmp_path: Path) -> None:
    images(tmp_path, [f"{label}/{n}.png" for label in ("train", "test") for n in range(30)])
    with pytest.raises(InputError, match=r"its folders test, train name roles, and images such as"):
        read(tmp_path)
    images(tmp_path, [f"plane/{n}.png" for n in range(31)])
    assert read(tmp_path).classes == ("plane", "test", "train")


def test_images_outside_the_classes_folders_have_no_label(tmp_path: Path) -> None:
    by_class(tmp_path)
    images(tmp_path, ["one.png", "unlabelled/two.png"])
    data = read(tmp_path, market="toloka")
    assert [name for name, label in labels_of(data).items() if not label] == [
        "one.png",
        "unlabelled/two.png",
    ]
    assert all(
        row in data.rows["pool"] for row, name in enumerate(labels_of(data)) if name[0] in "ou"
    )
    assert any(
        "2 images lie outside the classes' folders, such as one.png" in n for n in data.notes
    )


@pytest.mark.parametrize("name", ["labels.csv", "metadata.csv"])
@pytest.mark.parametrize("column", ["image", "file", "filename", "file_name", "path", "File_Name"])
def test_a_table_in_the_folder_is_read(tmp_path: Path, name: str, column: str) -> None:
    images(tmp_path, [f"{n}.png" for n in range(60)])
    lines = [f"{n}.png,{'cat' if n % 2 else 'dog'}" for n in range(60)]
    (tmp_path / name).write_text("\n".join([f"{column},label", *lines]) + "\n")
    data = read(tmp_path)
    assert labels_of(data) == {f"{n}.png": "cat" if n % 2 else "dog" for n in range(60)}
    assert data.notes[0] == f"{tmp_path.name}: labels are those of its {name}"


def test_two_tables_two_names_and_no_labels_are_named(tmp_path: Path) -> None:
    images(tmp_path / "photos", ["1.png", "2.png"])
    with pytest.raises(InputError, match="2 images and no labels: give --labels") as caught:
        read(tmp_path / "photos")
    assert "did you mean" not in str(caught.value)
    (tmp_path / "photos.csv").write_text("image,label\n")
    with pytest.raises(InputError, match=r"did you mean --labels .*photos\.csv\?"):
        read(tmp_path / "photos")
    for name in ("labels.csv", "metadata.csv"):
        (tmp_path / "photos" / name).write_text("image,path,label\n1.png,1.png,a\n")
    with pytest.raises(InputError, match=r"holds labels\.csv and metadata\.csv; name one with"):
        read(tmp_path / "photos")
    (tmp_path / "photos/metadata.csv").unlink()
    with pytest.raises(InputError, match="columns 'image' and 'path' both give the image"):
        read(tmp_path / "photos")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no images there; their names end in \.jpg"):
        read(tmp_path / "empty")


def test_images_that_no_line_lists_are_said(tmp_path: Path) -> None:
    names = by_class(tmp_path / "photos")
    table = tmp_path / "labels.csv"
    table.write_text("image,label\n" + "".join(f"{n},{n[:3]}\n" for n in names[:20] + names[30:50]))
    data = read(tmp_path / "photos", labels=str(table), market="toloka")
    assert sum(not label for label in labels_of(data).values()) == 20
    assert any(
        "20 images of" in note and "are not listed, such as cat/20.png: they are pool" in note
        for note in data.notes
    )
    roles = [*["pool"] * 10, *["control"] * 5, *["validation"] * 10, *["final"] * 15]
    rows = zip(names[:20] + names[30:50], roles, strict=True)
    table.write_text("image,label,role\n" + "".join(f"{n},{n[:3]},{role}\n" for n, role in rows))
    data = read(tmp_path / "photos", labels=str(table))
    assert len(data.images) == 40
    assert any("are not listed, such as cat/20.png: left out" in note for note in data.notes)


def test_names_that_no_rule_finds_are_one_line(tmp_path: Path) -> None:
    by_class(tmp_path / "photos")
    table = tmp_path / "labels.csv"
    table.write_text("image,label\n" + "".join(f"{n}.jpeg,cat\n" for n in range(200)))
    with pytest.raises(InputError) as caught:
        read(tmp_path / "photos", labels=str(table))
    assert str(caught.value) == (
        f"{table}: none of its 200 images is in {tmp_path / 'photos'}, such as 0.jpeg; the folder "
        "holds cat/00.png: write names as they are inside the folder"
    )


CELL = st.text("ab ,;\"'\té\n=", min_size=1, max_size=8).filter(
    lambda text: text.strip() == text and text[0] not in "'="
)


@given(
    labels=st.lists(CELL, min_size=2, max_size=6),
    separator=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_every_separator_and_encoding_gives_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory,
    labels: list[str],
    separator: str,
    encoding: str,
    newline: str,
) -> None:
    import csv
    import io

    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter=separator, lineterminator=newline)
    table.writerow(["image", "label", "role"])
    for n, label in enumerate(labels):
        table.writerow([f"{n}.png", label, "pool"])
    path = tmp_path_factory.mktemp("tables") / "labels.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    read = read_labels(path)
    assert [(line.image, line.label) for line in read.lines] == [
        (f"{n}.png", label) for n, label in enumerate(labels)
    ]
    assert read.has_roles


def test_a_label_counts_whichever_of_two_equal_images_has_it(tmp_path: Path) -> None:
    by_class(tmp_path)
    (tmp_path / "a.png").write_bytes((tmp_path / "cat/00.png").read_bytes())
    (tmp_path / "dog/zz.png").write_bytes((tmp_path / "cat/01.png").read_bytes())
    with pytest.raises(
        InputError, match=r"cat/01\.png and dog/zz\.png have the same content and t"
    ):
        read(tmp_path)
    (tmp_path / "dog/zz.png").unlink()
    data = read(tmp_path, market="toloka")
    used = {data.images.names[row] for rows in data.rows.values() for row in rows}
    assert "cat/00.png" in used
    assert "a.png" not in used
    assert "1 images with the content of another are left out" in data.notes

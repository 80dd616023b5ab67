"""Folders that people stumbled over in public threads: each gives its right value.

The folders are drawn by a script in the test data, which also lists the right values.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from hpo.data.dataset import Dataset, load
from hpo.settings.config import make_config
from training.images import read_batch

IS_FIRST = "000.png is 000.png"
ROLES = {"pool": 60, "control": 20, "validation": 60, "final": 60}


@pytest.fixture(scope="module")
def cases(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = data_folder / "cases/folders.py"
    if not script.is_file():
        pytest.skip("the test data holds no public cases")
    spec = importlib.util.spec_from_file_location("folders", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = tmp_path_factory.mktemp("folders")
    module.main(root)
    return root


def read(cases: Path, case: str, **more: object) -> Dataset:
    given = {"data": f"folder:{cases / case / 'photos'}", "labels": cases / case / "labels.csv"}
    raw = {name: str(value) for name, value in given.items()}
    return load(make_config({"budget": "5", "few_labels_ok": True, **raw, **more}))


def refused(cases: Path, case: str) -> str:
    with pytest.raises(InputError) as caught:
        read(cases, case)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{cases / case}/", "")


@pytest.mark.parametrize(
    ("case", "notes"),
    [
        ("plain", []),
        ("bom", []),
        ("crlf", []),
        ("spaces", []),
        ("trailing-blank", []),
        ("role-case", []),
        ("head-case", []),
        ("unnamed0", ["column Unnamed: 0 is not used"]),
        ("utf16", ["read as UTF-16"]),
        ("semicolon", ["its cells are separated by semicolons"]),
        ("tab", ["its cells are separated by tabs"]),
        ("no-extension", ["all 200 images are found with an extension: 000 is 000.png"]),
        (
            "folder-prefix",
            ["all 200 images are found without 'photos/': photos/000.png is 000.png"],
        ),
        ("exif", []),
        ("modes", []),
        ("modes-known", []),
        ("comma-name", []),
        ("same-stem", []),
    ],
)
def test_these_are_read_as_the_plain_folder(cases: Path, case: str, notes: list[str]) -> None:
    data = read(cases, case)
    assert data.classes == ("square", "stripe")
    assert {role: len(rows) for role, rows in data.rows.items()} == ROLES
    assert data.truth.tolist() == [0, 1] * 100
    said = [note.removeprefix(f"{cases / case}/") for note in data.notes]
    assert [note.removeprefix("labels.csv: ") for note in said] == notes


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("latin1", "labels.csv: cannot be read: line 2 is not UTF-8 (looks like Latin-1"),
        ("extra-column", "labels.csv: column 'annotator' is not known; known are image, label"),
        ("case-variant", "labels.csv: labels: 'STRIPE' (1 x), 'Stripe' (1 x) and 'stripe' (98 x)"),
        ("nan-label", "'NA' (1 x), 'None' (1 x) and 'nan' (1 x) look like missing labels"),
        ("missing-file", "photos: 1 images cannot be used: 007.png (missing)"),
        ("broken-files", "007.png (empty); 008.png (unsupported); 009.png (unsupported); readable"),
        ("truncated", "photos: 1 images cannot be used: 007.png (corrupt)"),
        ("absolute", "199 more are paths outside the folder; write names as they are inside"),
        ("dot-slash-twice", "labels.csv: lines 2 and 202: listed twice: 000.png"),
        ("listed-twice", "labels.csv: lines 2 and 202: listed twice: 000.png"),
        ("same-content", "002.png and 062.png have the same content and roles pool and control"),
    ],
)
def test_these_are_named_in_one_line(cases: Path, case: str, said: str) -> None:
    assert said in refused(cases, case)


@pytest.mark.parametrize(
    ("case", "count"), [("missing-file", 1), ("broken-files", 3), ("truncated", 1)]
)
def test_bad_files_are_left_out_by_choice(cases: Path, case: str, count: int) -> None:
    data = read(cases, case, skip_bad_images=True)
    assert data.left_out == count
    assert f"{count} images that cannot be read are left out" in data.notes


@pytest.mark.parametrize(("case", "classes"), [("case-variant", 4), ("nan-label", 5)])
def test_names_that_look_like_slips_are_classes_by_choice_only(
    cases: Path, case: str, classes: int
) -> None:
    data = read(cases, case, keep_classes=True)
    assert len(data.classes) == classes
    assert any("each is a class" in note for note in data.notes)


@pytest.mark.parametrize(
    ("case", "classes"),
    [
        ("nfc-nfd-class", ("bande", "carré")),
        ("numeric", ("0", "1")),
        ("numeric-float", ("0", "1")),
        ("newline-class", ("stripe", "two\nlines")),
        ("slash-class", ("=1+1", "a/b")),
        ("long-class", ("q" * 300, "stripe")),
    ],
)
def test_classes_are_those_that_are_meant(cases: Path, case: str, classes: tuple[str, ...]) -> None:
    assert read(cases, case).classes == classes


def test_0_and_0_0_are_one_class_and_that_is_said(cases: Path) -> None:
    assert any("'0.0' is read as '0'" in note for note in read(cases, "numeric-float").notes)


def test_classes_that_a_role_lacks_are_said(cases: Path) -> None:
    assert read(cases, "one-class-in-final").notes == ("role final: no image of 'stripe'",)
    notes = read(cases, "class-only-in-final").notes
    assert notes[:3] == tuple(
        f"role {role}: no image of 'third'" for role in ("pool", "control", "validation")
    )
    assert notes[3] == "role final: fewer than 5 images of 'third' (1)"


def test_every_kind_of_file_has_the_pixels_that_were_drawn(cases: Path) -> None:
    """Animations count by their first frame, TIFF is read, photos are turned upright."""
    drawn = read_batch(read(cases, "plain").images, range(200), 16).astype(float)
    turned = read_batch(read(cases, "exif").images, range(200), 16).astype(float)
    assert np.array_equal(drawn, turned)
    seen = read_batch(read(cases, "modes").images, range(200), 16).astype(float)
    away = np.abs(seen - drawn).mean(axis=(1, 2, 3))
    exact = [row for row in range(200) if row % 9 in (6, 7, 8)]  # WebP without loss, TIFF, RGBA
    assert away[exact].max() == 0
    grey = [row for row in range(200) if row % 9 == 1]
    assert np.array_equal(seen[grey], np.repeat(drawn[grey][..., :1], 3, axis=3))
    lossy = [row for row in range(200) if row % 9 in (0, 2, 4)]  # CMYK JPEG, palettes
    assert away[lossy].max() < 25

"""Label versions: whole or not at all, named by content, verified when read."""

from __future__ import annotations

import csv
import json
import os
import stat
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from budget.errors import InputError, StorageError, VersionDamaged, VersionMissing
from budget.money import Money
from labeling.aggregation.facts import AnswerFacts
from labeling.types import Answers, Floats, LabelPlan, LabelSet
from labeling.versions import Version, copy, load, save
from tests.drawn import examples

NAMES = ["plain.png", "=cmd|' /C calc'!A0", "with, comma\nand line.png", "@home.png"]
CLASSES = ("loop", "-straight")
LABELS = LabelSet(
    task=np.array([1, 0, 2]),
    shares=np.array([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]),
    posterior=np.array([[0.4, 0.6], [0.9, 0.1], [1 / 3, 2 / 3]]),
    answers=np.array([2, 1, 4]),
)
ANSWERS = Answers(
    task=np.array([1, 1, 0, 3]),
    annotator=np.array([0, 1, 0, 1]),
    label=np.array([1, 0, 0, 1]),
    control=np.array([False, False, False, True]),
    usable=np.array([True, False, True, True]),
)
MANIFEST = {
    "schema": 1,
    "plan": LabelPlan(Money(2_000), 3, 1, 980, exam=False),
    "fee_share": Fraction(3, 10),
    "cost": {"total": Money(8_502_000)},
    "images": "abc",
}


BEST = np.array([[0.7, 0.3], [0.95, 0.05], [0.2, 0.8]])


def write(
    root: Path, manifest: dict[str, object] = MANIFEST, best: Floats | None = None
) -> Version:
    return save(root, manifest, LABELS, ANSWERS, names=NAMES, classes=CLASSES, best=best)


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["manifest.json", "labels.csv", "answers.csv"])
@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_a_damaged_version_is_refused_when_read_and_when_saved_again(
    tmp_path: Path, name: str, damage: str
) -> None:
    version = write(tmp_path)
    path = version.path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[:-1])
    for again in (lambda: load(version.id, tmp_path), lambda: write(tmp_path)):
        with pytest.raises(VersionDamaged, match=f"{name} .*; delete this folder"):
            again()


@pytest.mark.parametrize("version_id", ["", "../../etc", "A" * 32, "0" * 31, "0" * 32])
def test_an_id_that_names_no_version_is_refused(tmp_path: Path, version_id: str) -> None:
    with pytest.raises(InputError, match="version: "):
        load(version_id, tmp_path)


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({"x": float("nan")}, "manifest: "),
        ({"x": object()}, "has no JSON form"),
        ({"files": {}}, "'files' is added"),
        ({"best_label_distribution": {}}, "'best_label_distribution' is added"),
    ],
)
def test_a_manifest_that_json_cannot_hold_is_refused(
    tmp_path: Path, manifest: dict[str, object], problem: str
) -> None:
    for best in (None, BEST):
        with pytest.raises(InputError, match=problem):
            write(tmp_path, manifest, best)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("best", "problem"),
    [
        (BEST[:2], r"shape \(2, 2\) beside labels of \(3, 2\)"),
        (BEST[:, :1], r"shape \(3, 1\) beside labels of \(3, 2\)"),
        (BEST[:, 0], r"shape \(3,\) beside labels of \(3, 2\)"),
        (np.pad(BEST, ((0, 0), (0, 1))), r"shape \(3, 3\) beside labels of \(3, 2\)"),
        (np.where(BEST == 0.7, np.nan, BEST), "probabilities that sum to 1"),
        (BEST - np.array([1, -1]), "probabilities that sum to 1"),
        (2 * BEST, "probabilities that sum to 1"),
    ],
)
def test_best_labels_that_do_not_fit_are_refused(
    tmp_path: Path, best: Floats, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        write(tmp_path, MANIFEST, best)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"cannot be written \(Not a directory\); check"):
        write(tmp_path / "file" / "versions")


def test_a_full_disk_leaves_no_version_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left on device"):
            write(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert write(tmp_path).path.is_dir()


# --- what is kept --------------------------------------------------------------------------------


def test_the_same_content_is_one_version(tmp_path: Path) -> None:
    first = write(tmp_path / "a")
    before = {path.name: path.stat().st_mtime_ns for path in first.path.iterdir()}
    assert write(tmp_path / "a") == first
    assert {path.name: path.stat().st_mtime_ns for path in first.path.iterdir()} == before
    assert [path.name for path in (tmp_path / "a").iterdir()] == [first.id]
    assert write(tmp_path / "elsewhere").id == first.id
    assert load(first.id, tmp_path / "a") == first


def test_any_other_content_is_another_version(tmp_path: Path) -> None:
    versions = {
        write(tmp_path).id,
        write(tmp_path, {**MANIFEST, "images": "abd"}).id,
        save(tmp_path, MANIFEST, LABELS, ANSWERS, names=NAMES, classes=("a", "b")).id,
        save(
            tmp_path,
            MANIFEST,
            LABELS,
            ANSWERS.where(np.array([True, True, True, False])),
            names=NAMES,
            classes=CLASSES,
        ).id,
    }
    assert len(versions) == 4


def test_what_the_manifest_tells(tmp_path: Path) -> None:
    version = write(tmp_path)
    raw = (version.path / "manifest.json").read_text()
    assert json.loads(raw) == version.manifest
    assert list(version.manifest) == sorted(version.manifest)
    assert version.manifest["cost"] == {"total": {"usd": "8.502", "micros": 8_502_000}}
    assert version.manifest["plan"]["price"] == {"usd": "0.002", "micros": 2_000}
    assert version.manifest["fee_share"] == "3/10"
    assert version.manifest["label_distribution"] == {"loop": 1, "-straight": 2}
    assert set(version.manifest["files"]) == {"labels.csv", "answers.csv"}
    assert "best_label_distribution" not in version.manifest


def test_what_the_tables_hold(tmp_path: Path) -> None:
    path = write(tmp_path).path
    assert table(path / "labels.csv") == [
        ["image", "label", "confidence", "agreement", "answers", "tied", "p(loop)", "p(-straight)"],
        ["'" + NAMES[1], "'-straight", "0.600000", "1.000000", "2", "0", "0.400000", "0.600000"],
        ["plain.png", "loop", "0.900000", "1.000000", "1", "0", "0.900000", "0.100000"],
        [NAMES[2], "'-straight", "0.666667", "0.000000", "4", "0", "0.333333", "0.666667"],
    ]
    assert table(path / "answers.csv") == [
        ["image", "annotator", "label", "control", "usable", "skill", "seconds", "submitted"],
        ["'" + NAMES[1], "0", "'-straight", "0", "1", "", "", ""],
        ["'" + NAMES[1], "1", "loop", "0", "0", "", "", ""],
        ["plain.png", "0", "loop", "0", "1", "", "", ""],
        ["'@home.png", "1", "'-straight", "1", "1", "", "", ""],
    ]


def test_ties_are_marked(tmp_path: Path) -> None:
    tied = LabelSet(LABELS.task, LABELS.shares, LABELS.shares, LABELS.answers)
    version = save(tmp_path, MANIFEST, tied, ANSWERS, names=NAMES, classes=CLASSES)
    assert version.table("labels.csv")["tied"] == ["1", "0", "0"]
    assert version.table("labels.csv")["label"] == ["loop", "loop", "-straight"]


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300)


@settings(deadline=None, max_examples=examples(60))
@given(
    names=st.lists(texts, min_size=4, max_size=4, unique=True),
    classes=st.lists(texts, min_size=2, max_size=2, unique=True),
)
@example(names=["a\rb", "\r", "\n", "'=1+1"], classes=["=1+1", "two\rlines"])
@example(names=["a\r\nb", '"', "'", "''"], classes=["q" * 300, "a/b"])
def test_texts_come_back_from_both_files_as_they_went_in(
    names: list[str], classes: list[str]
) -> None:
    with TemporaryDirectory() as folder:
        version = save(Path(folder), MANIFEST, LABELS, ANSWERS, names=names, classes=classes)
        labels, answers = version.table("labels.csv"), version.table("answers.csv")
        raw = table(version.path / "labels.csv")
    assert labels["image"] == [names[1], names[0], names[2]]
    assert labels["label"] == [classes[1], classes[0], classes[1]]
    assert answers["image"] == [names[1], names[1], names[0], names[3]]
    assert answers["label"] == [classes[1], classes[0], classes[0], classes[1]]
    assert raw[0][6:] == [f"p({name})" for name in classes]


def test_best_labels_stand_beside_the_labels_that_people_gave(tmp_path: Path) -> None:
    version = write(tmp_path, best=BEST)
    assert table(version.path / "labels.csv") == [
        [
            *("image", "label", "confidence", "agreement", "answers", "tied"),
            *("best_label", "best_confidence", "changed"),
            *("p(loop)", "p(-straight)", "best(loop)", "best(-straight)"),
        ],
        [
            *(
                "'" + NAMES[1],
                "'-straight",
                "0.600000",
                "1.000000",
                "2",
                "0",
                "loop",
                "0.700000",
                "1",
            ),
            *("0.400000", "0.600000", "0.700000", "0.300000"),
        ],
        [
            *("plain.png", "loop", "0.900000", "1.000000", "1", "0", "loop", "0.950000", "0"),
            *("0.900000", "0.100000", "0.950000", "0.050000"),
        ],
        [
            *(
                NAMES[2],
                "'-straight",
                "0.666667",
                "0.000000",
                "4",
                "0",
                "'-straight",
                "0.800000",
                "0",
            ),
            *("0.333333", "0.666667", "0.200000", "0.800000"),
        ],
    ]
    assert version.table("labels.csv")["label"] == ["-straight", "loop", "-straight"]
    assert version.table("labels.csv")["best_label"] == ["loop", "loop", "-straight"]
    assert version.manifest["label_distribution"] == {"loop": 1, "-straight": 2}
    assert version.manifest["best_label_distribution"] == {"loop": 2, "-straight": 1}
    plain = write(tmp_path)
    assert plain.id != version.id
    for name in ("image", "label", "confidence", "agreement", "answers", "p(loop)"):
        assert plain.table("labels.csv")[name] == version.table("labels.csv")[name]
    assert plain.manifest["files"]["answers.csv"] == version.manifest["files"]["answers.csv"]


def test_skill_and_times_of_answers_are_kept(tmp_path: Path) -> None:
    facts = AnswerFacts(
        skill=np.array([0.8, np.nan, 1 / 3, 1.0]),
        seconds=np.array([1.5, 2.0, 0.0004, 3.0]),
        submitted=np.array([0.25, 1.0, 2.0, 60.0]),
    )
    version = save(tmp_path, {}, LABELS, ANSWERS, names=NAMES, classes=CLASSES, facts=facts)
    answers = version.table("answers.csv")
    assert answers["skill"] == ["0.800000", "", "0.333333", "1.000000"]
    assert answers["seconds"] == ["1.500", "2.000", "0.000", "3.000"]
    assert answers["submitted"] == ["0.2500", "1.0000", "2.0000", "60.0000"]


def test_texts_come_back_as_they_were(tmp_path: Path) -> None:
    names = ["'=quoted", "''", "=cmd", "plain"]
    version = save(tmp_path, {}, LABELS, ANSWERS, names=names, classes=CLASSES)
    assert version.table("labels.csv")["image"] == [names[1], names[0], names[2]]
    assert version.table("labels.csv")["label"] == ["-straight", "loop", "-straight"]
    assert version.table("answers.csv")["image"] == [names[1], names[1], names[0], names[3]]


# --- finding and copying -------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["", "versions", "study/versions"])
def test_a_version_is_found_by_a_unique_beginning_in_any_folder_above(
    place: str, tmp_path: Path
) -> None:
    version = write(tmp_path / place)
    assert load(version.id[:6], tmp_path).manifest == version.manifest
    assert load(version.id, str(tmp_path)).id == version.id


def test_a_beginning_of_several_versions_is_refused_and_of_none_is_missing(tmp_path: Path) -> None:
    ids = [write(tmp_path, {**MANIFEST, "number": number}).id for number in range(3)]
    for name in ids[1:]:  # folders that only look alike: they are never opened
        (tmp_path / name).rename(tmp_path / (ids[0][:6] + name[6:]))
    with pytest.raises(InputError, match=r"3 versions in .* begin with .*; give more of its id"):
        load(ids[0][:6], tmp_path)
    with pytest.raises(VersionMissing, match=r"there is no 0{32}"):
        load("0" * 32, tmp_path)
    with pytest.raises(VersionDamaged, match=r"manifest\.json is not as it was saved"):
        load(ids[0][:6] + ids[1][6:], tmp_path)


def test_a_copy_is_a_version_too_and_replaces_nothing(tmp_path: Path) -> None:
    version = write(tmp_path / "a")
    target = tmp_path / "somewhere" / version.id
    copy(version, target)
    copy(version, target)
    assert load(version.id, tmp_path / "somewhere").manifest == version.manifest
    assert len(list(target.iterdir())) == 3
    (target / "labels.csv").write_text("mine")
    with pytest.raises(InputError, match=r"labels\.csv: another file is there already"):
        copy(version, target)
    assert (target / "labels.csv").read_text() == "mine"


def test_a_version_damaged_after_it_was_opened_is_not_copied_or_read(tmp_path: Path) -> None:
    version = write(tmp_path / "a")
    (version.path / "answers.csv").write_text("x")
    for use in (lambda: copy(version, tmp_path / "b"), lambda: version.table("answers.csv")):
        with pytest.raises(VersionDamaged, match=r"answers\.csv is not as it was saved"):
            use()
    assert not (tmp_path / "b").exists()


def test_names_of_annotators_are_texts_too(tmp_path: Path) -> None:
    version = save(
        tmp_path,
        MANIFEST,
        LABELS,
        ANSWERS,
        names=NAMES,
        classes=CLASSES,
        annotators=["ann", "+49 1"],
    )
    names = [row[1] for row in table(version.path / "answers.csv")[1:]]
    assert names == ["ann", "'+49 1", "ann", "'+49 1"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_starts_a_formula(tmp_path: Path, start: str) -> None:
    names = [f"{start}1+1" for _ in NAMES]
    version = save(tmp_path, {}, LABELS, ANSWERS, names=names, classes=CLASSES)
    classes = [f"{start}1+1", f"{start}2"]
    best = save(tmp_path, {}, LABELS, ANSWERS, names=names, classes=classes, best=BEST)
    for path in (version.path, best.path):
        for name in ("labels.csv", "answers.csv"):
            for row in table(path / name):
                assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    root = tmp_path / "versions"
    version = write(root)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in version.path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(version.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_racing_writers_leave_one_whole_version(tmp_path: Path) -> None:
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            status = 9
            try:
                for number in range(10):
                    write(tmp_path, {**MANIFEST, "number": number})
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children] == [0] * 6
    folders = [path.name for path in tmp_path.iterdir()]
    assert len(folders) == 10
    for name in folders:
        load(name, tmp_path)


def test_an_empty_label_set_is_a_version(tmp_path: Path) -> None:
    nothing = LabelSet(
        np.empty(0, np.int64), np.empty((0, 2)), np.empty((0, 2)), np.empty(0, np.int64)
    )
    version = save(tmp_path, {}, nothing, ANSWERS, names=NAMES, classes=CLASSES)
    assert version.manifest["label_distribution"] == {"loop": 0, "-straight": 0}
    best = np.empty((0, 2))
    version = save(tmp_path, {}, nothing, ANSWERS, names=NAMES, classes=CLASSES, best=best)
    assert version.manifest["best_label_distribution"] == {"loop": 0, "-straight": 0}
    assert version.table("labels.csv")["changed"] == []

"""Files of answers as people have them: every case of the public list gives its right value."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from labeling.aggregation.methods import aggregate
from labeling.crowd.fitting.fit import Fit, fit_scenario
from labeling.recorded.answer_cells import ReadingChoices
from labeling.recorded.reading import read_recording
from labeling.recorded.recording import Recording
from labeling.types import Answers, LabelSet
from labeling.versions import save

NAMES = ("cat", "dog", "owl")
PLAIN = ("plain", "bom", "crlf", "semicolon", "utf16", "all-agree", "class-never-answered")
NUMBERS = {"numeric": "0 1 2", "numeric-float": "0 1 2", "numeric-mixed": "0 1 2"}
NUMBERS["numeric-gaps"] = "10 20 30"
TOOLS = {
    "toloka-tsv-names": "read as a Toloka table of assignments",
    "mturk-names": "read as a Mechanical Turk batch table",
    "wide": "read as a table with a column per annotator",
    "labelstudio-csv": "read as a Label Studio export",
    "labelstudio": "read as a Label Studio export",
}
REFUSED = {
    "nan-label": r"row 2: no label .11 such rows.; leave such rows out, or add --skip-empty",
    "nan-word": r"row 2: no label .'NaN'; 11 such rows.; .* add --skip-empty",
    "case-variant": r"'Owl' .14 x. and 'owl' .109 x. differ by case.*--keep-classes",
    "ids-sci": r"row 2, column task: .* id in scientific notation: the file lost digits",
    "answered-twice": r"row 182: annotator 'w1' answers task 'im000' a second time",
    "answered-twice-otherwise": r"row 182: annotator 'w1' answers task 'im000' a second time",
    "gold-conflict": r"row 3, column gold: .* another true class for this task",
}
OTHERS = {
    "crowdkit-names",
    "performer-name",
    "ids-gaps",
    "one-annotator",
    "one-answer-each",
    "two-way-ties",
    "no-annotator",
}


@pytest.fixture(scope="module")
def cases(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = data_folder / "cases" / "answers.py"
    if not script.is_file():
        pytest.skip("no public cases beside the test data")
    folder = tmp_path_factory.mktemp("answers")
    subprocess.run([sys.executable, str(script), str(folder)], check=True)
    return folder


def read(
    cases: Path,
    name: str,
    classes: Sequence[str] | None = None,
    choices: ReadingChoices | None = None,
) -> Recording:
    (path,) = [path for path in cases.iterdir() if path.stem == name]
    return read_recording(path, classes, choices or ReadingChoices())


def people(recording: Recording) -> int:
    return 0 if recording.annotator is None else len(np.unique(recording.annotator))


def fitted(cases: Path, name: str) -> Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fit_scenario(read(cases, name))


def test_every_case_has_its_test(cases: Path) -> None:
    tested = {*PLAIN, *NUMBERS, *TOOLS, *REFUSED, *OTHERS}
    assert {path.stem for path in cases.iterdir()} == tested


@pytest.mark.parametrize("classes", [None, NAMES])
@pytest.mark.parametrize("name", [*PLAIN, "crowdkit-names", "performer-name", "ids-gaps"])
def test_these_are_read_with_their_annotators(
    cases: Path, name: str, classes: Sequence[str] | None
) -> None:
    recording = read(cases, name, classes)
    assert recording.classes == NAMES
    assert (len(recording), len(recording.tasks), people(recording)) == (180, 60, 5)
    notes = {"semicolon": ["semicolon.csv: its cells are separated by semicolons"]}
    notes["utf16"] = ["utf16.csv: read as UTF-16"]
    assert list(recording.notes) == notes.get(name, [])


@pytest.mark.parametrize("classes", [None, NAMES])
@pytest.mark.parametrize("name", TOOLS)
def test_files_of_tools_hold_the_same_answers(
    cases: Path, name: str, classes: Sequence[str] | None
) -> None:
    recording, plain = read(cases, name, classes), read(cases, "plain")
    assert recording.classes == NAMES
    assert TOOLS[name] in recording.notes[0]
    assert answers_of(recording) == answers_of(plain)
    assert (recording.seconds is not None) == name.startswith("labelstudio")


def answers_of(recording: Recording) -> set[tuple[str, str]]:
    """Task without its extension, and label; each annotator's as one group."""
    assert recording.annotator is not None
    groups: dict[int, list[str]] = {}
    for task, who, label in zip(recording.task, recording.annotator, recording.label, strict=True):
        name = recording.tasks[task].removesuffix(".png").rpartition("/")[2]
        groups.setdefault(int(who), []).append(f"{name} {recording.classes[label]}")
    return {(min(group), " ".join(sorted(group))) for group in groups.values()}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_classes_by_their_value(cases: Path, name: str) -> None:
    recording, plain = read(cases, name), read(cases, "plain")
    assert recording.classes == tuple(NUMBERS[name].split())
    np.testing.assert_array_equal(recording.label, plain.label)
    np.testing.assert_array_equal(recording.gold, plain.gold)
    assert any("'1.0' is read as '1'" in note for note in recording.notes) == (
        name in ("numeric-float", "numeric-mixed")
    )


@pytest.mark.parametrize("name", REFUSED)
def test_these_are_refused_in_one_line(cases: Path, name: str) -> None:
    with pytest.raises(InputError, match=REFUSED[name]) as error:
        read(cases, name)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("name", ["nan-label", "nan-word"])
def test_answers_without_a_label_are_left_out_by_choice(cases: Path, name: str) -> None:
    recording = read(cases, name, choices=ReadingChoices(skip_empty=True))
    assert recording.classes == NAMES
    assert len(recording) == 169
    assert recording.notes[-1].endswith("11 answers without a label are left out (--skip-empty)")


def test_spellings_are_kept_apart_by_choice(cases: Path) -> None:
    recording = read(cases, "case-variant", choices=ReadingChoices(keep_classes=True))
    assert len(recording.classes) == 6
    assert len(recording.notes) == 3
    with pytest.raises(InputError, match=r"row 2, column label: 'Owl' is not one .*write 'owl'"):
        read(cases, "case-variant", NAMES)


# --- fits ---


def test_one_annotator_is_no_pilot(cases: Path) -> None:
    assert people(read(cases, "one-annotator")) == 1
    with pytest.raises(InputError, match="collect a second answer"):
        fitted(cases, "one-annotator")


def test_a_fit_says_that_nobody_is_named(cases: Path) -> None:
    assert people(read(cases, "no-annotator")) == 0
    assert any(
        "without annotator ids" in caveat for caveat in fitted(cases, "no-annotator").caveats
    )


def test_a_class_that_nobody_answered_is_beyond_noise(cases: Path) -> None:
    fit = fitted(cases, "class-never-answered")
    flagged = [row.statistic for row in fit.table if row.beyond_noise]
    assert flagged == ["share of the rarest answer"]
    assert any("no answer is 'owl'" in caveat for caveat in fit.caveats)
    assert not any(row.beyond_noise for row in fitted(cases, "plain").table)


@pytest.mark.parametrize("name", ["all-agree", "one-answer-each", "two-way-ties", "wide"])
def test_these_are_fitted_with_finite_numbers(cases: Path, name: str) -> None:
    fit = fitted(cases, name)
    scenario = fit.scenario
    assert np.isfinite([scenario.error_a, scenario.error_b, scenario.skill_sd]).all()
    assert all(np.isfinite([row.observed, row.simulated, row.spread]).all() for row in fit.table)
    assert any("all answers to a task agree" in line for line in fit.caveats) == (
        name == "all-agree"
    )


# --- labels ---


def answers_to(recording: Recording) -> Answers:
    who = recording.annotator
    assert who is not None
    no, yes = np.zeros(len(recording), dtype=np.bool_), np.ones(len(recording), dtype=np.bool_)
    return Answers(recording.task, who, recording.label, no, yes)


def labels_of(recording: Recording, method: str) -> LabelSet:
    answers = answers_to(recording)
    return aggregate(answers, range(len(recording.tasks)), len(recording.classes), method, {})


@pytest.mark.parametrize("method", ["majority", "weighted", "dawid-skene"])
def test_one_answer_of_each_annotator_is_enough_for_labels(cases: Path, method: str) -> None:
    """Dawid-Skene fell to chance (.333) where the majority is right in 95 of 100 tasks."""
    recording = read(cases, "one-answer-each")
    right = labels_of(recording, method).posterior.argmax(axis=1) == recording.gold
    assert right.mean() > 0.9


def test_ties_are_marked_in_a_version(cases: Path, tmp_path: Path) -> None:
    recording = read(cases, "two-way-ties")
    labels, answers = labels_of(recording, "majority"), answers_to(recording)
    names, classes = recording.tasks, recording.classes
    version = save(tmp_path, {}, labels, answers, names=names, classes=classes)
    apart = [
        len(set(recording.label[recording.task == task].tolist())) == 2
        for task in range(len(recording.tasks))
    ]
    assert version.table("labels.csv")["tied"] == [str(int(tied)) for tied in apart]
    assert 0 < sum(apart) < len(apart)

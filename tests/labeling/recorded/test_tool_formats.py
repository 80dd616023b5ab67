"""Files that tools write: each is read as the answers that it holds, or refused by its kind."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import InputError
from labeling.aggregation.facts import AnswerFacts
from labeling.recorded.answer_cells import ReadingChoices
from labeling.recorded.reading import read_recording
from labeling.recorded.recording import Recording
from labeling.types import Answers, LabelSet
from labeling.versions import save
from tests.drawn import examples

CLASSES = ("cat", "dog", "owl")
Answer = tuple[str, str, str]  # task, annotator, label
MOMENT = "2026-01-01T00:00:0"


def text_of(head: Sequence[str], rows: Sequence[Sequence[Any]], separator: str = ",") -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def read_text(folder: Path, name: str, text: str, **more: Any) -> Recording:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_recording(path, CLASSES, **more)


# --- writers, as the tools write ---


def toloka(answers: Sequence[Answer]) -> tuple[str, str]:
    head = (
        *("INPUT:image", "OUTPUT:result", "GOLDEN:result", "HINT:text"),
        *("ASSIGNMENT:link", "ASSIGNMENT:task_id", "ASSIGNMENT:assignment_id"),
        *("ASSIGNMENT:worker_id", "ASSIGNMENT:status"),
    )
    rows = [(t, c, "", "", "https://x", t, f"{t}{w}", w, "APPROVED") for t, w, c in answers]
    return "assignments.tsv", text_of(head, rows, "\t")


def mturk(answers: Sequence[Answer]) -> tuple[str, str]:
    head = (
        *("HITId", "HITTypeId", "Title", "Reward", "AssignmentId", "WorkerId", "AssignmentStatus"),
        *("WorkTimeInSeconds", "Input.image_url", "Answer.category.label", "Approve", "Reject"),
    )
    rows = [("h", "t", "T", "$0.02", "a", w, "Approved", 7, t, c, "", "") for t, w, c in answers]
    return "Batch_1_results.csv", text_of(head, rows)


def studio_csv(answers: Sequence[Answer]) -> tuple[str, str]:
    head = ("annotation_id", "annotator", "choice", "created_at", "id", "image", "lead_time")
    rows = [(n, w, c, MOMENT, n, t, 3.5) for n, (t, w, c) in enumerate(answers)]
    return "project-1.csv", text_of(head, rows)


def studio_min(answers: Sequence[Answer]) -> tuple[str, str]:
    flat = [
        {"image": t, "id": n, "choice": c, "annotator": w, "annotation_id": n, "lead_time": 2.25}
        for n, (t, w, c) in enumerate(answers)
    ]
    return "project-1-min.json", json.dumps(flat)


def annotation(who: Any, choices: Sequence[str], **more: Any) -> dict[str, Any]:
    result = {"from_name": "choice", "to_name": "image", "type": "choices"}
    value = {**result, "value": {"choices": list(choices)}}
    return {"completed_by": who, "lead_time": 4.0, "result": [value], **more}


def studio_json(answers: Sequence[Answer]) -> tuple[str, str]:
    tasks = [
        {"id": n, "data": {"image": t, "day": "1"}, "annotations": [annotation({"email": w}, [c])]}
        for n, (t, w, c) in enumerate(answers)
    ]
    return "project-1.json", json.dumps(tasks)


def wide(answers: Sequence[Answer]) -> tuple[str, str]:
    who = sorted({w for _, w, _ in answers})
    cells = {(t, w): c for t, w, c in answers}
    tasks = sorted({t for t, _, _ in answers})
    rows = [(t, *(cells.get((t, w), "") for w in who)) for t in tasks]
    if len(who) < 2:  # pandas writes a column for everybody who was asked
        who, rows = [*who, "w99"], [(*row, "") for row in rows]
    return "multiannotator.csv", text_of(("task", *who), rows)


def long(answers: Sequence[Answer]) -> tuple[str, str]:
    return "answers.csv", text_of(("image", "performer", "label"), answers, ";")


WRITERS = (toloka, mturk, studio_csv, studio_min, studio_json, wide, long)

names = st.text(st.characters(categories=("L", "N", "Zs", "P")), min_size=1, max_size=8)
tasks_named = names.map(lambda name: "im" + name.strip() + ".png")
answer_sets = st.dictionaries(
    st.tuples(tasks_named, st.integers(0, 9).map(lambda n: f"w{n}")),
    st.sampled_from(CLASSES),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
@settings(deadline=None, max_examples=examples(40))
@given(cells=answer_sets)
def test_the_answers_of_every_tool_come_back(
    writer: Callable[[Sequence[Answer]], tuple[str, str]], cells: dict[tuple[str, str], str]
) -> None:
    answers = [(task, who, label) for (task, who), label in cells.items()]
    name, text = writer(answers)
    with TemporaryDirectory() as folder:
        recording = read_text(Path(folder), name, text)
    assert recording.annotator is not None
    assert recording.classes == CLASSES
    triples = {
        (recording.tasks[task], CLASSES[label])
        for task, label in zip(recording.task, recording.label, strict=True)
    }
    assert triples == {(composed(task), label) for task, _, label in answers}
    assert len(recording) == len(answers)
    per_person = sorted(np.bincount(recording.annotator).tolist())
    people = [who for _, who, _ in answers]
    assert per_person == sorted(people.count(who) for who in set(people))


def composed(name: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", name)


@settings(deadline=None, max_examples=examples(40))
@given(
    counts=st.lists(
        st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=6
    ).filter(lambda rows: any(map(any, rows))),
    named=st.booleans(),
)
def test_counts_come_back(counts: list[list[int]], named: bool) -> None:
    """Read with and without the names of the classes."""
    rows = [(f"im{n}", *row) for n, row in enumerate(counts)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "counts.csv"
        path.write_text(text_of(("image", *CLASSES), rows), newline="")
        recording = read_recording(path, CLASSES if named else None)
    assert recording.classes == CLASSES
    assert recording.annotator is None
    for name, row in zip([f"im{n}" for n in range(len(counts))], counts, strict=True):
        if any(row):
            given_here = recording.label[recording.task == recording.tasks.index(name)]
            assert np.bincount(given_here, minlength=3).tolist() == row


# --- what tools write beside answers ---


def test_toloka_s_times_controls_and_refused_answers(tmp_path: Path) -> None:
    head = (
        *("INPUT:image", "INPUT:id", "OUTPUT:result", "GOLDEN:result", "ASSIGNMENT:assignment_id"),
        *("ASSIGNMENT:worker_id", "ASSIGNMENT:status"),
        *("ASSIGNMENT:started", "ASSIGNMENT:submitted"),
    )
    rows = [
        ("a.png", 1, "cat", "dog", "s1", "w1", "APPROVED", MOMENT + "0.5", MOMENT + "6.5"),
        ("b.png", 2, "dog", "", "s1", "w1", "APPROVED", MOMENT + "0.5", MOMENT + "6.5"),
        ("a.png", 1, "owl", "dog", "s2", "w2", "SUBMITTED", MOMENT + "0", MOMENT + "4"),
        ("b.png", 2, "owl", "", "s3", "w3", "REJECTED", MOMENT + "0", MOMENT + "1"),
        ("b.png", 2, "", "", "s4", "w4", "SKIPPED", MOMENT + "0", ""),
    ]
    recording = read_text(tmp_path, "a.tsv", text_of(head, rows, "\t"))
    assert len(recording) == 3
    assert recording.seconds is not None
    assert recording.seconds.tolist() == [3.0, 3.0, 4.0]
    assert recording.gold.tolist() == [1, -1]
    notes = " ".join(recording.notes)
    assert "2 rows of rejected, skipped or unfinished assignments are left out" in notes
    assert "columns not used: INPUT:id" in notes


def test_a_rejected_answer_of_mechanical_turk_is_left_out(tmp_path: Path) -> None:
    head = ("WorkerId", "AssignmentStatus", "WorkTimeInSeconds", "Input.img", "Answer.label")
    rows = [("w1", "Approved", 12, "a", "cat"), ("w2", "Rejected", 1, "a", "dog")]
    recording = read_text(tmp_path, "b.csv", text_of(head, rows))
    assert (len(recording), recording.seconds.tolist()) == (1, [12.0])  # type: ignore[union-attr]
    assert any("1 rejected answers are left out" in note for note in recording.notes)


def test_forms_of_mechanical_turk_give_flags_or_json(tmp_path: Path) -> None:
    flags = "WorkerId,Input.img,Answer.kind.cat,Answer.kind.dog\nw,a,true,false\nw,b,false,true\n"
    assert read_text(tmp_path, "f.csv", flags).label.tolist() == [0, 1]
    dotted = flags.replace(".cat", ".cat.on").replace(".dog", ".dog.on")
    assert read_text(tmp_path, "d.csv", dotted).label.tolist() == [0, 1]
    rows = [
        ("w", "a", json.dumps([{"kind": {"cat": False, "dog": True}}])),
        ("w", "b", json.dumps([{"kind": {"label": "owl"}}])),
        ("w", "c", json.dumps([{"kind": "cat"}])),
    ]
    text = text_of(("WorkerId", "Input.img", "Answer.taskAnswers"), rows)
    assert read_text(tmp_path, "j.csv", text).label.tolist() == [1, 2, 0]
    with pytest.raises(InputError, match="row 2: 2 choices; an answer is one choice"):
        read_text(tmp_path, "f.csv", flags.replace("true,false", "true,true"))
    two = [("w", "a", json.dumps([{"kind": "cat", "why": "fur"}]))]
    text = text_of(("WorkerId", "Input.img", "Answer.taskAnswers"), two)
    with pytest.raises(InputError, match=r"row 2: this looks like a Mechanical Turk .* 2 fields"):
        read_text(tmp_path, "t.csv", text)
    apart = flags.replace("kind.dog", "size.dog")
    with pytest.raises(InputError, match=r"'Answer.kind', 'Answer.size' may all hold the answer"):
        read_text(tmp_path, "a.csv", apart)


def test_label_studio_s_cancelled_and_true_annotations(tmp_path: Path) -> None:
    address = "/data/upload/3/0a1b2c3d-im 1.png"
    local = "/data/local-files/?d=photos/im2.png"
    tasks = [
        {
            "id": 7,
            "data": {"image": address},
            "annotations": [
                annotation(1, ["cat"]),
                annotation(2, ["dog"], was_cancelled=True),
                annotation(3, ["owl"], ground_truth=True),
            ],
        },
        {"id": 8, "data": {"image": local}, "annotations": [annotation(1, ["dog"])]},
        {"id": 9, "data": {"image": "x.png"}, "annotations": []},
    ]
    recording = read_text(tmp_path, "p.json", json.dumps(tasks))
    assert recording.tasks == ("im 1.png", "photos/im2.png")
    assert recording.label.tolist() == [0, 1]
    assert recording.gold.tolist() == [2, -1]
    notes = " ".join(recording.notes)
    assert "1 cancelled annotations are left out" in notes
    assert "1 annotations marked as ground truth are true classes" in notes
    assert "2 addresses are read as names: /data/upload/3/0a1b2c3d-im 1.png is im 1.png" in notes


def test_a_version_s_answers_are_read_without_those_of_banned_annotators(tmp_path: Path) -> None:
    shares = np.array([[1.0, 0.0], [0.5, 0.5]])
    labels = LabelSet(np.array([0, 1]), shares, shares, np.array([1, 2]))
    flags = np.array([False, False, False])
    answers = Answers(
        np.array([0, 1, 1]),
        np.array([0, 0, 1]),
        np.array([0, 1, 0]),
        flags,
        np.array([True, True, False]),
    )
    facts = AnswerFacts(np.array([0.8, 0.8, 0.1]), np.array([2.0, 3.0, 1.0]), np.zeros(3))
    classes = ["=1+1", "b"]
    version = save(tmp_path, {}, labels, answers, names=["=a", "c"], classes=classes, facts=facts)
    recording = read_recording(version.path / "answers.csv", classes)
    assert recording.tasks == ("=a", "c")
    assert recording.label.tolist() == [0, 1]
    assert recording.seconds is not None
    assert recording.seconds.tolist() == [2.0, 3.0]
    assert any("1 answers of banned annotators are left out" in note for note in recording.notes)


def test_decimals_of_a_table_with_semicolons(tmp_path: Path) -> None:
    recording = read_text(tmp_path, "a.csv", "task;label;seconds\na;cat;3,5\nb;dog;4\n")
    assert recording.seconds is not None
    assert recording.seconds.tolist() == [3.5, 4.0]


# --- refusals ---


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "t.tsv",
            "INPUT:image\tOUTPUT:colour\tOUTPUT:size\tASSIGNMENT:worker_id\na\tb\tc\tw\n",
            r"this looks like a Toloka table of assignments: columns 'OUTPUT:colour', "
            r"'OUTPUT:size' may all hold the answer; keep one of them",
        ),
        (
            "t.tsv",
            "OUTPUT:result\tASSIGNMENT:worker_id\na\tw\n",
            "looks like a Toloka table of assignments, but it has no column with the image",
        ),
        (
            "m.csv",
            "WorkerId,Input.a,Input.b,Answer.label\nw,1,2,cat\n",
            "looks like a Mechanical Turk batch table: columns 'Input.a', 'Input.b' may all hold",
        ),
        (
            "l.csv",
            'annotation_id,annotator,image,choice\n1,w,a,"{""choices"": [""cat"", ""dog""]}"\n',
            "row 2: 2 choices; an answer is one choice",
        ),
        ("l.json", "{", "cannot be read as JSON"),
        ("l.json", "{}", "not a Label Studio export: it is no list of tasks"),
        ("l.json", '[{"image": "a"}]', "not a Label Studio export: its tasks hold no annotations"),
        (
            "l.json",
            json.dumps([{"id": 4, "data": {"image": "a"}, "annotations": [annotation(1, [])]}]),
            "task 4: no label; leave such rows out, or add --skip-empty",
        ),
        (
            "l.json",
            json.dumps(
                [{"id": 4, "data": {"image": "a"}, "annotations": [{"result": [{"type": "box"}]}]}]
            ),
            "task 4: an answer of type 'box' cannot be read; answers are choices",
        ),
        ("c.csv", "image,cat,dog,owl\na,1,,0\n", "'' is not a number of answers; write 0 for none"),
        ("c.csv", "image,cat,dog,emu\na,1,0,0\n", "column 'emu' is not one of the classes"),
        ("c.csv", "image,cat,cat\na,1,0\n", "two columns count one class; keep one"),
    ],
)
def test_a_file_that_cannot_be_told_is_refused_by_its_kind(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_text(tmp_path, name, text)
    assert "\n" not in str(error.value)


def test_empty_annotations_are_left_out_by_choice(tmp_path: Path) -> None:
    tasks = [
        {"id": n, "data": {"image": f"{n}.png"}, "annotations": [annotation(1, choices)]}
        for n, choices in enumerate((["cat"], []))
    ]
    choices = ReadingChoices(skip_empty=True)
    recording = read_text(tmp_path, "l.json", json.dumps(tasks), choices=choices)
    assert recording.tasks == ("0.png",)

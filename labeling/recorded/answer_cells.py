"""Answers as text, from whatever format; and the recording that they become."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from budget.errors import InputError
from labeling.recorded.recording import Recording
from labeling.tables.classes import (
    KEEP,
    NO_LABEL,
    SKIP,
    ClassNames,
    label_codes,
    match_classes,
    read_classes,
)
from labeling.tables.spelling import is_missing, lost_digits, plain_name, unguarded
from labeling.tables.text import note
from labeling.types import Floats, Ints

_FEW = 10  # classes, which few answers may name


@dataclass(frozen=True, slots=True)
class AnswerCells:
    """Answers in columns of text, an entry per answer.

    Attributes:
        origin: name of the file, for messages.
        task: name of the task, mostly its image.
        label: the answer.
        lines: the row of the file that holds it.
        annotator: who answered; None if the file does not say.
        seconds: working time; None if the file does not say.
        gold: true class of the task; None if the file does not say.
        classes: classes that the file itself lists; None for those of the labels.
        notes: what was noticed in reading, one line each.
        row: the word for a row of the file.
    """

    origin: str
    task: Sequence[str]
    label: Sequence[str]
    lines: Sequence[int]
    annotator: Sequence[str] | None = None
    seconds: Sequence[str] | None = None
    gold: Sequence[str] | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    row: str = "row"

    def where(self, keep: Sequence[int]) -> AnswerCells:
        """The answers at some places."""

        def taken(column: Sequence[str] | None) -> list[str] | None:
            return None if column is None else [column[at] for at in keep]

        return replace(
            self,
            task=[self.task[at] for at in keep],
            label=[self.label[at] for at in keep],
            lines=[self.lines[at] for at in keep],
            annotator=taken(self.annotator),
            seconds=taken(self.seconds),
            gold=taken(self.gold),
        )


@dataclass(frozen=True, slots=True)
class ReadingChoices:
    """What the user chose about rows and labels that look wrong.

    Attributes:
        keep_classes: take each spelling as a class of its own.
        skip_empty: leave out answers without a label.
    """

    keep_classes: bool = False
    skip_empty: bool = False


def to_recording(
    cells: AnswerCells, classes: Sequence[str] | None, choices: ReadingChoices
) -> Recording:
    """The recording of answers in text.

    Args:
        cells: the answers.
        classes: class names; None takes those that the file lists, or the distinct labels.
        choices: what to do about labels that look wrong.

    Raises:
        InputError: naming the row, the column and the remedy.
    """
    if not cells.label:
        raise InputError(f"{cells.origin}: it holds no answers below its first line")
    known = _classes(cells, classes, choices)
    codes = label_codes(cells.origin, "label", cells.label, cells.lines, known, cells.row)
    kept = [at for at, code in enumerate(codes) if code != NO_LABEL]
    notes = (*cells.notes, *known.notes)
    if len(kept) < len(codes):
        if not choices.skip_empty:
            raise InputError(_no_label(cells, codes))
        words = f"{len(codes) - len(kept)} answers without a label are left out ({SKIP})"
        notes = (*notes, note(cells.origin, words))
        cells, codes = cells.where(kept), [codes[at] for at in kept]
    if not codes:
        raise InputError(f"{cells.origin}: it holds no answers with a label")
    tasks, task = _coded(cells, "task", cells.task)
    annotator = None
    if any(not is_missing(name) for name in cells.annotator or ()):
        _, annotator = _coded(cells, "annotator", cells.annotator or ())
        _check_once(cells, task, annotator)
    return Recording(
        source=cells.origin.replace("\\", "/").rpartition("/")[2],
        classes=known.names,
        tasks=tasks,
        task=task,
        label=np.array(codes, dtype=np.int64),
        annotator=annotator,
        seconds=_seconds(cells),
        gold=_gold(cells, known, task, len(tasks)),
        notes=notes,
    )


def _classes(
    cells: AnswerCells, classes: Sequence[str] | None, choices: ReadingChoices
) -> ClassNames:
    column = f"{cells.origin}: column label"
    gold = cells.gold or ()
    if classes is not None:
        known = match_classes(column, (*cells.label, *gold, *(cells.classes or ())), classes)
        for name in cells.classes or ():
            if known.code(name) is None:
                raise InputError(
                    f"{cells.origin}: column {name!r} is not one of the classes; rename or drop it"
                )
        return known
    words = choices.keep_classes  # then a word for a missing value is a class
    missing = {cell for cell in {*cells.label, *gold} if not words and is_missing(cell)}
    named = [cell for cell in (*cells.label, *gold) if cell not in missing]
    read = read_classes(column, (*(cells.classes or ()), *named), choices.keep_classes)
    if len(read.names) < 2 and named:
        raise InputError(f"{column}: all answers are {read.names[0]!r}; name the classes")
    if len(read.names) > max(len(named) / 2, _FEW):
        raise InputError(
            f"{column}: {len(read.names)} classes in {len(named)} answers: hardly any label comes "
            "twice; is this the column with the answers?"
        )
    return read


def _no_label(cells: AnswerCells, codes: Sequence[int]) -> str:
    empty = [at for at, code in enumerate(codes) if code == NO_LABEL]
    cell = cells.label[empty[0]].strip()
    facts = [*([repr(cell)] if cell else []), *([f"{len(empty)} such rows"] if empty[1:] else [])]
    shown = f" ({'; '.join(facts)})" if facts else ""
    word = f", or {KEEP} to take {cell!r} as a class" if cell else ""
    return (
        f"{cells.origin}: {cells.row} {cells.lines[empty[0]]}: no label{shown}; leave such "
        f"rows out, or add {SKIP} to do so{word}"
    )


def _coded(cells: AnswerCells, column: str, values: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """Distinct names in the order of their first row, and each row's index among them."""
    places: dict[str, int] = {}
    read: dict[str, int] = {}
    codes = np.empty(len(values), dtype=np.int64)
    for at, value in enumerate(values):
        if value in read:
            codes[at] = read[value]
            continue
        name = plain_name(unguarded(value.strip()))
        if not name or (column == "annotator" and is_missing(name)):
            raise InputError(
                f"{_place(cells, at)}, column {column}: it is empty; give each answer its {column}"
            )
        if lost_digits(name):
            raise InputError(
                f"{_place(cells, at)}, column {column}: {name!r} is an id in scientific notation: "
                "the file lost digits; export the ids again as text"
            )
        codes[at] = read[value] = places.setdefault(name, len(places))
    return tuple(places), codes


def _place(cells: AnswerCells, at: int) -> str:
    return f"{cells.origin}: {cells.row} {cells.lines[at]}"


def _check_once(cells: AnswerCells, task: Ints, annotator: Ints) -> None:
    pair = task * (int(annotator.max()) + 1) + annotator
    _, first = np.unique(pair, return_index=True)
    if len(first) < len(pair) and cells.annotator is not None:
        at = int(np.setdiff1d(np.arange(len(pair)), first)[0])
        raise InputError(
            f"{_place(cells, at)}: annotator {cells.annotator[at]!r} answers task "
            f"{cells.task[at]!r} a second time; keep one of the answers"
        )


def _seconds(cells: AnswerCells) -> Floats | None:
    values = cells.seconds or ()
    if all(map(is_missing, values)):
        return None
    seconds = np.full(len(values), np.nan)
    for at, value in enumerate(values):
        try:
            seconds[at] = float(value)
        except ValueError:
            seconds[at] = np.nan if is_missing(value) else -1.0
        if math.isnan(seconds[at]):
            continue
        if not 0 < seconds[at] < math.inf:
            raise InputError(
                f"{_place(cells, at)}, column seconds: {value!r} is not a time above 0; correct "
                "it, or leave it empty where the time is unknown"
            )
    return seconds


def _gold(cells: AnswerCells, known: ClassNames, task: Ints, tasks: int) -> Ints:
    """True class by task [tasks]; -1 if no row has it."""
    gold = np.full(tasks, -1, dtype=np.int64)
    if cells.gold is None:
        return gold
    codes = label_codes(cells.origin, "gold", cells.gold, cells.lines, known, cells.row)
    for at, true in enumerate(codes):
        if true == NO_LABEL:
            continue
        if gold[task[at]] not in (NO_LABEL, true):
            raise InputError(
                f"{_place(cells, at)}, column gold: {cells.gold[at]!r}, but an earlier row has "
                "another true class for this task; correct one"
            )
        gold[task[at]] = true
    return gold

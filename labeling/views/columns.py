"""The columns that a view can use: of labels, answers and test images, with their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LABELS, ANSWERS, IMAGES = "labels", "answers", "images"
"""Kinds of the rows of a view."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        kind: text | class | id (hexadecimal, or its unique first digits) | share (0 to 1) | number
            | count | dollars | flag (true or false) | day (UTC).
        of: owner of the column: label | best label | answer | version | image.
        about: meaning and unit.
    """

    kind: str
    of: str
    about: str


COLUMNS: Mapping[str, Column] = {
    "image": Column("text", "label", "name of the image"),
    "label": Column("class", "label", "the image's most probable class"),
    "confidence": Column("share", "label", "probability of that class, 0 to 1"),
    "agreement": Column("share", "label", "share of the image's answers that say that class"),
    "answers": Column("count", "label", "usable answers behind the label"),
    "best_label": Column("class", "best label", "the image's best label, by people and model"),
    "best_confidence": Column("share", "best label", "probability of the best label, 0 to 1"),
    "changed": Column("flag", "best label", "whether the best label differs from people's label"),
    "answer": Column("class", "answer", "the class that the annotator chose"),
    "annotator": Column("text", "answer", "the annotator's number within the condition"),
    "skill": Column("share", "answer", "share of right control answers, shrunk to the crowd's"),
    "seconds": Column("number", "answer", "working time: the suite's seconds per task in it"),
    "submitted": Column("number", "answer", "minutes from the pool's opening to submission"),
    "control": Column("flag", "answer", "whether it was asked as a control task"),
    "usable": Column("flag", "answer", "whether the annotator was not banned at the order's end"),
    "version": Column("id", "version", "the label version"),
    "date": Column("day", "version", "UTC day on which the version was saved"),
    "condition": Column("id", "version", "everything that changes what annotators answer"),
    "market": Column("text", "version", "who answered: simulated, hybrid, replay, own, toloka"),
    "price": Column("dollars", "version", "dollars per task"),
    "overlap": Column("count", "version", "usable answers wanted per task"),
    "controls": Column("count", "version", "control tasks per suite"),
    "exam": Column("flag", "version", "whether an exam had to be passed"),
}
"""Columns of stored label versions. `image` is a column of answers, too."""

TRIAL_COLUMNS = {n: column for n, column in COLUMNS.items() if column.of in ("label", "answer")}
"""Columns of a trial's labels: they differ within the trial and exist before its model does."""

TEST_COLUMNS: Mapping[str, Column] = {
    "image": Column("text", "image", "name of the image"),
    "class": Column("class", "image", "its true class"),
}
"""Columns of test images; the study buys no labels for these."""

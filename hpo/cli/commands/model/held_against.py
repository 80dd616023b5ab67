"""Predictions held against labels that the model has not learned, such as a study's test labels."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from budget.errors import InputError
from labeling.tables.classes import NO_LABEL, label_codes, match_classes
from labeling.tables.columns import IMAGE, name_columns
from labeling.tables.spelling import unguarded
from labeling.tables.table import read_table

_COLUMNS = {
    "image": IMAGE,
    "label": ("label", "class"),
    "mark": ("mark",),
    "role": ("role",),
    "confidence": ("confidence",),
}


class KnownLabel(NamedTuple):
    """A label to hold a prediction against, and where it comes from; "" where that is not said."""

    label: str
    mark: str


class Hits(NamedTuple):
    """Predictions that equal a label, among those with one of a mark.

    Attributes:
        mark: of the labels.
        images: compared.
        hits: equal.
    """

    mark: str
    images: int
    hits: int

    @property
    def line(self) -> str:
        """The share of hits with its standard error, in words."""
        share = self.hits / self.images
        error = 100 * math.sqrt(share * (1 - share) / self.images)
        kind = f"{self.mark} " if self.mark else ""
        wrong = " Some bought labels are wrong." if self.mark == "bought" else ""
        return (
            f"{100 * share:.1f} % (+- {error:.1f}) of {self.images:,} {kind}labels are "
            f"predicted.{wrong}"
        )


def read_tests(path: Path, classes: Sequence[str]) -> dict[str, KnownLabel]:
    """Labels by image.

    Args:
        path: a table with columns image, label and, where there is one, mark.
        classes: of the model.

    Raises:
        InputError: naming the column or line that is wrong.
    """
    table = read_table(path)
    columns = name_columns(table, _COLUMNS)
    for needed in ("image", "label"):
        if needed not in columns.cells:
            raise InputError(f"{path}: column {needed!r} is missing; needed are image,label")
    images, labels = columns.cells["image"], columns.cells["label"]
    marks = columns.cells.get("mark", [""] * len(images))
    names = match_classes(f"{path}: label", labels, classes)
    codes = label_codes(str(path), "label", labels, columns.lines, names)
    rows = zip(images, codes, marks, strict=True)
    return {
        unguarded(image): KnownLabel(classes[code], mark)
        for image, code, mark in rows
        if code != NO_LABEL
    }


def count_hits(predictions: Path, tests: Mapping[str, KnownLabel]) -> list[Hits]:
    """How many predictions of a table equal a label, by the mark of the label."""
    compared: dict[str, list[bool]] = {}
    if not tests:
        return []
    with predictions.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            test = tests.get(unguarded(row["image"]))
            if test is not None:
                is_hit = unguarded(row["label"]) == test.label
                compared.setdefault(test.mark, []).append(is_hit)
    return [Hits(mark, len(hits), sum(hits)) for mark, hits in sorted(compared.items())]

"""Labelled images as exports need them: from a label version, or from its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.versions import LABELS, Version


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image and its best label.

    Attributes:
        name: of the image, inside its folder.
        label: its class.
        confidence: probability of the class.
        answers: usable answers behind the label.
    """

    name: str
    label: str
    confidence: float
    answers: int


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported.

    Attributes:
        version: the label version's id.
        classes: class names in code order.
        rows: the labelled images.
        folder: the images' files; None where they are not at hand.
    """

    version: str
    classes: tuple[str, ...]
    rows: Sequence[LabelledImage]
    folder: Path | None


def exported(version: Version, folder: Path | None) -> Export:
    """The labels of a version: best labels where it has them, else those of the answers.

    Args:
        version: the label version.
        folder: the images' files; None where they are not at hand.
    """
    table = version.table(LABELS)
    kind = "best_" if "best_label" in table else ""
    names = ("image", f"{kind}label", f"{kind}confidence" if kind else "confidence", "answers")
    cells = zip(*(table[name] for name in names), strict=True)
    rows = [LabelledImage(n, label, float(sure), int(count)) for n, label, sure, count in cells]
    return Export(version.id, tuple(version.manifest["classes"]), rows, folder)

"""What a page shows beside the report: annotators, confidence of labels, small images.

All of it is stored: nothing is bought, trained or written. What cannot be read is left out.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from budget.errors import InputError, VersionDamaged, VersionMissing
from hpo.answer.plan_in_words import condition_people_in_words
from hpo.trial.subjective import is_subjective
from labeling import versions
from labeling.store.annotators.totals import AnnotatorTotals, annotator_totals

if TYPE_CHECKING:
    from hpo.trial.world import World
    from labeling.types import Condition

THUMBNAIL = 96  # pixels
_BINS = 10


@dataclass(frozen=True, slots=True)
class AnnotatorRow:
    """One annotator of one condition, without the market's id.

    Attributes:
        condition: the condition in words.
        number: within the condition, as in files of answers.
        totals: sums of the annotator's work.
        skill: probability of a right answer, by control tasks, else by agreement; None for
            questions of taste.
        is_checked: whether it is that on control tasks, which may be clearer than others.
        seconds: a task.
    """

    condition: str
    number: int
    totals: AnnotatorTotals
    skill: float | None
    is_checked: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a page shows beside the report.

    Attributes:
        annotators: the annotators of all orders.
        confidence: labels by tenths of their confidence; empty where no label version can be read.
        classes: labels by class.
        images: small images by name, as addresses that hold them.
    """

    annotators: Sequence[AnnotatorRow] = ()
    confidence: Sequence[int] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)


def gather(report: Mapping[str, Any], world: World, images: bool = True) -> Gathered:
    """Read what a page of a report shows beside it.

    Args:
        report: the report.
        world: the study's world.
        images: whether small images are shown.
    """
    version = _version(report, world)
    confidence, classes = ([], {}) if version is None else _labels(version)
    small = _small_images(report, world) if images else {}
    return Gathered(_annotators(world), confidence, classes, small)


# --- annotators ---


def _annotators(world: World) -> list[AnnotatorRow]:
    """Everybody whose work is known. Another process may be buying meanwhile."""
    conditions = {r.order.condition.key: r.order.condition for r in world.store.all_orders()}
    people = {key: _people(condition, world) for key, condition in conditions.items()}
    rows = []
    for totals in annotator_totals(world.database, world.config.study):
        person = people.get(totals.condition, {}).get(totals.annotator)
        if person is not None:  # else of an order that has not ended, or that began just now
            words = _words(conditions[totals.condition])
            number, answers, skill, checked = person
            seconds = totals.seconds / answers
            rows.append(AnnotatorRow(words, number, totals, skill, checked, seconds))
    return rows


def _people(condition: Condition, world: World) -> dict[str, tuple[int, int, float | None, bool]]:
    """Number, answers, skill, and whether by control tasks, of a condition's annotators, by id."""
    from labeling.aggregation.skills import people_skills

    names = world.store.annotators(condition)  # first: answers that came since have more
    answers = world.store.answers(condition)
    given = np.bincount(answers.annotator, minlength=len(names)).tolist()
    skills: list[float | None] = [None] * len(names)
    if not is_subjective(world):
        classes = len(world.market.asked.classes)
        skills = people_skills(answers, world.control_truth, classes).tolist()
    checked = bool(answers.control.any())
    return {names[at]: (at, given[at], skills[at], checked) for at in range(len(names))}


def _words(condition: Condition) -> str:
    exam = ", exam" if condition.exam else ""
    controls = f", {condition.controls} controls" if condition.controls else ""
    return f"{condition.price} a task{controls}{exam}{condition_people_in_words(condition)}"


# --- labels ---


def _version(report: Mapping[str, Any], world: World) -> versions.Version | None:
    """The labels that the answer is about: delivered, or of the recommended plan."""
    name = None
    if report["delivery"]:
        name = report["delivery"]["labels"]["version"]
    elif best := report["recommended"]:
        key = best["plan"]["key"]
        name = next((r["version"] for r in report["front"] if r["plan"]["key"] == key), None)
    try:
        return versions.load(name, world.folder / "versions") if name else None
    except (VersionDamaged, VersionMissing):
        return None


def _labels(version: versions.Version) -> tuple[list[int], dict[str, int]]:
    table, manifest = version.table(versions.LABELS), version.manifest
    shares = table.get("best_confidence") or table["confidence"]
    counts = [0] * _BINS
    for share in map(float, filter(None, shares)):
        counts[min(_BINS - 1, int(share * _BINS + 1e-9))] += 1
    classes = manifest.get("best_label_distribution") or manifest["label_distribution"]
    return counts, dict(classes)


# --- images ---


def _small_images(report: Mapping[str, Any], world: World) -> dict[str, str]:
    from training.images import read_batch

    told, index = report.get("evaluation") or {}, world.data.images
    worst = [*told.get("worst_images", ()), *told.get("worst_labels", ())]
    row_of = {name: row for row, name in enumerate(index.names)}
    names = [n for n in dict.fromkeys(row["image"] for row in worst) if n in row_of]
    if not names:
        return {}
    try:
        batch = read_batch(index, [row_of[name] for name in names], THUMBNAIL)
    except InputError:  # vectors, or files that are gone
        return {}
    return {name: _address(pixels) for name, pixels in zip(names, batch, strict=True)}


def _address(pixels: Any) -> str:
    """An image as an address that holds it."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()

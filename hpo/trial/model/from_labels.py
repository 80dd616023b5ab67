"""A model from labels on disk, without a study: a label version, its table, or labels of one's own.

The labels of a version are shares: best labels where there are some, else those of the answers. Its
answers calibrate the model, as in a study. Labels without shares are taken as true.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from labeling import versions
from labeling.tables.classes import label_codes, read_classes
from labeling.tables.columns import IMAGE
from labeling.tables.spelling import is_missing, unguarded
from labeling.tables.table import read_table
from labeling.types import Floats, Ints

if TYPE_CHECKING:
    from training.calibration import Answered
    from training.fit import Model

Features = NDArray[np.floating]

_LABEL = ("best_label", "label", "class", "answer")
_FOLDS = 5
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class DiskLabels:
    """Labels of images, as they lie on disk.

    Attributes:
        names: N images. classes: C class names.
        shares: [N, C] probability of each class. weight: [N] weights of the images.
        answer_row, answer_label: [A] image and class of each answer behind them; none where the
            answers are not at hand.
        origin: the version's id, or the file's name.
        notes: what the user should know, one line each.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    shares: Floats
    weight: Floats
    answer_row: Ints
    answer_label: Ints
    origin: str
    notes: tuple[str, ...] = ()

    @property
    def are_true(self) -> bool:
        """Whether each image has one class, and no other is possible."""
        return bool((self.shares.max(axis=1) == 1).all())


def read_disk_labels(source: str, runs: Path) -> DiskLabels:
    """Read labels.

    Args:
        source: a version's folder or id, or a table with columns image and label, such as a study's
            labels.csv.
        runs: the folder of all studies, where an id is looked for.

    Raises:
        InputError: there is no such thing, or nothing to learn from in it.
        VersionDamaged: the version is not as it was saved.
    """
    path = Path(source)
    if path.is_dir():
        return _of_version(versions.load(path.resolve().name, path.resolve().parent))
    if not path.is_file():
        if path.suffix or len(path.parts) > 1:
            raise InputError(f"{path}: no such file or folder")
        return _of_version(versions.load(source, runs))
    content = path.read_bytes()
    for folder in versions.find(path.parent):  # a study's labels.csv is a version's, to the byte
        table = folder / versions.LABELS
        if table.is_file() and table.read_bytes() == content:
            return _of_version(versions.load(folder.name, folder.parent))
    return _of_table(path)


def _of_version(version: versions.Version) -> DiskLabels:
    labels, answers = version.table(versions.LABELS), version.table(versions.ANSWERS)
    classes = tuple(version.manifest["classes"])
    row = {name: at for at, name in enumerate(labels["image"])}
    code = {name: at for at, name in enumerate(classes)}
    kept = [
        (row[image], code[label])
        for image, label, control, usable in zip(
            *(answers[name] for name in ("image", "label", "control", "usable")), strict=True
        )
        if control == "0" and usable == "1" and image in row and label in code
    ]
    behind = np.array(kept, dtype=np.int64).reshape(-1, 2)
    shares, weight = _shares(labels, classes)
    names = tuple(labels["image"])
    return DiskLabels(names, classes, shares, weight, behind[:, 0], behind[:, 1], version.id)


def _shares(labels: dict[str, list[str]], classes: tuple[str, ...]) -> tuple[Floats, Floats]:
    """[N, C] shares and [N] weights: best labels weigh alike, others by their answers."""
    kind = "best" if f"best({classes[0]})" in labels else "p"
    shares = np.array([labels[f"{kind}({name})"] for name in classes], dtype=np.float64).T
    weight = np.ones(len(shares)) if kind == "best" else np.array(labels["answers"], np.float64)
    return shares / shares.sum(axis=1, keepdims=True), weight


def _of_table(path: Path) -> DiskLabels:
    """Labels of a table; those of a version without its answers are taken as shares, too."""
    table = read_table(path)
    place = {name.lower(): at for at, name in reversed(list(enumerate(table.header)))}
    image = next((place[name] for name in IMAGE if name in place), None)
    label = next((place[name] for name in _LABEL if name in place), None)
    if image is None or label is None:
        raise InputError(f"{path}: columns image and label are needed; there are {table.header}")
    rows = [row for row in table.rows if not is_missing(row[label])]
    notes = list(table.notes)
    if len(rows) < len(table.rows):
        notes.append(f"{path}: {len(table.rows) - len(rows)} images have no label: left out")
    if not rows:
        raise InputError(f"{path}: no image has a label")
    names = tuple(unguarded(row[image].strip()) for row in rows)
    said = [row[label] for row in rows]
    classes = tuple(name[2:-1] for name in table.header if name.startswith("p("))
    if classes:
        columns = {name: [row[at] for row in rows] for at, name in enumerate(table.header)}
        shares, weight, changed = _shares_of(path, columns, said, classes)
        notes += changed
    else:
        read = read_classes(f"{path}: {table.header[label]}", said)
        lines = range(2, len(rows) + 2)
        codes = label_codes(str(path), table.header[label], said, lines, read)
        classes, shares, weight = read.names, np.eye(len(read.names))[codes], np.ones(len(rows))
        notes += read.notes
    _check(path, names, classes)
    nothing = np.empty(0, dtype=np.int64)
    return DiskLabels(names, classes, shares, weight, nothing, nothing, path.name, tuple(notes))


def _shares_of(
    path: Path, columns: dict[str, list[str]], said: list[str], classes: tuple[str, ...]
) -> tuple[Floats, Floats, list[str]]:
    """Shares and weights of a version's table away from its version, and notes.

    A label that its probabilities do not support was written by hand: it is taken as true.
    """
    try:
        shares, weight = _shares(columns, classes)
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: its probabilities cannot be read ({error})") from None
    if not (np.isfinite(shares).all() and np.isfinite(weight).all() and (shares >= 0).all()):
        raise InputError(f"{path}: its probabilities are not numbers from 0 to 1")
    code = {name: at for at, name in enumerate(classes)}
    strange = [name for name in (unguarded(cell) for cell in said) if name not in code]
    if strange:
        raise InputError(f"{path}: {strange[0]!r} has no column p({strange[0]})")
    codes = np.array([code[unguarded(cell)] for cell in said])
    by_hand = shares[np.arange(len(codes)), codes] < shares.max(axis=1) - _ROUNDING
    shares[by_hand] = np.eye(len(classes))[codes[by_hand]]
    notes = [f"{path}: the answers behind it are not at hand: no calibration"]
    if by_hand.any():
        notes.append(f"{path}: {by_hand.sum()} labels were changed by hand: taken as true")
    return shares, weight, notes


def _check(path: Path, names: tuple[str, ...], classes: tuple[str, ...]) -> None:
    if len(classes) < 2:
        raise InputError(f"{path}: label: only {classes[0]!r}; at least two classes are needed")
    if len(set(names)) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise InputError(f"{path}: image {twice!r} is listed twice; keep one row")


@dataclass(frozen=True, slots=True, eq=False)
class MadeModel:
    """A model made from labels.

    Attributes:
        model: with its temperature, where the labels give one.
        agreement: share of the images whose most probable label a model gives that did not learn
            it.
    """

    model: Model
    agreement: float


def train_from(labels: DiskLabels, values: Features, seed: int) -> MadeModel:
    """Train a model; penalty and temperature by cross-validation on the labels.

    Args:
        labels: the labels.
        values: [N, D] features of their images.
        seed: deals the folds.
    """
    from training.calibration import Answered, Known, fit_temperature
    from training.fit import train

    rng = np.random.default_rng(seed)
    shares, weight = labels.shares, labels.weight
    model = train(values, {"labels": shares}, shares, weight, rng)
    logits = _held_out(model, labels, values, rng)
    truth = shares.argmax(axis=1)
    agreement = float((logits.argmax(axis=1) == truth).mean())
    nothing = np.empty(0, dtype=np.int64)
    known = Known(logits if labels.are_true else logits[:0], truth if labels.are_true else nothing)
    answered: Answered = Answered(logits, labels.answer_row, labels.answer_label)
    if model.lam == 0 or not (len(known.truth) or len(answered.row)):
        return MadeModel(model, agreement)
    return MadeModel(replace(model, temperature=fit_temperature(answered, known)), agreement)


def _held_out(
    model: Model, labels: DiskLabels, values: Features, rng: np.random.Generator
) -> Floats:
    """Logits [N, C] of each image from a head that did not learn its label."""
    from training.cross_validation import deal_folds, unfloored
    from training.fit import refit

    folds = min(_FOLDS, len(values))
    fold = deal_folds(labels.shares, folds, rng)
    masks = labels.weight * (fold[None] != np.arange(folds)[:, None])
    masks[masks.sum(axis=1) == 0] = labels.weight
    heads = refit(model, values, labels.shares, masks, values)
    own = heads[fold, np.arange(len(values))]
    return np.asarray(np.log(np.maximum(unfloored(own, model.floor), 1e-15)))

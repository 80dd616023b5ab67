"""The study's images: who is asked about which, and which true labels go where."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from hpo.data.labels_csv import ROLES, LabelLine, read_lines
from hpo.settings.config import StudyConfig
from labeling.seeds import generator
from training.evaluate import Z95

if TYPE_CHECKING:
    from training.images import ImageIndex

_MOST_CLASSES = 200
DIGITS3 = {0: 0, 6: 0, 8: 0, 9: 0, 1: 1, 4: 1, 7: 1, 2: 2, 3: 2, 5: 2}
# The split of the 1,797 scans; other data without roles is split in the same proportions.
_SPLIT = {"pool": 980, "control": 50, "validation": 367, "final": 400}
_ADVISED = {"control": 20, "validation": 200, "final": 200}
_NAMED = 5  # how many files an error names before it counts the rest


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images with roles. Rows are positions in the image index.

    Attributes:
        images: the index of all images in use.
        classes: class names in code order.
        rows: role -> rows of that role, ascending.
        truth: [n] class code of each image, -1 where unknown. Only `hpo` reads it, and hands it
            to three places: the simulated crowd, the control tasks, evaluation.
        left_out: images left out as unusable.
        notes: what the user should know, one line each.
        urls: [n] address of each image as the labels file gives it, "" where it gives none.
        groups: [n] what the labels file says an image was taken by, in or for: every plan holds the
            pool's groups in proportion. "" where it says nothing.
    """

    images: ImageIndex
    classes: tuple[str, ...]
    rows: dict[str, NDArray[np.int64]]
    truth: NDArray[np.int64]
    left_out: int
    notes: tuple[str, ...]
    urls: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def key(self, *roles: str) -> str:
        """Content hash of the images of some roles (all when none is named) and their order.

        Groups count where there are any: they decide which images a plan takes first.
        """
        digest = hashlib.blake2b(digest_size=16)
        for role in roles or ROLES:
            digest.update(role.encode())
            for row in self.rows[role]:
                digest.update(self.images.hashes[row].encode())
                digest.update(self.groups[row].encode() if self.groups else b"")
        return digest.hexdigest()

    def strata(self, role: str) -> NDArray[np.int64] | None:
        """[m] a code of each of a role's images' group; None without groups."""
        if not self.groups:
            return None
        names = np.array([self.groups[row] for row in self.rows[role]], dtype=np.str_)
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    def with_pool(self, rows: Sequence[int]) -> Dataset:
        """The same images with other ones of them for the pool."""
        return replace(self, rows={**self.rows, "pool": np.array(rows, dtype=np.int64)})


def load(config: StudyConfig) -> Dataset:
    """Read and check the images that a configuration names. Nothing is bought before this.

    Raises:
        InputError: naming the file, row or role that is wrong, and the remedy.
    """
    kind, _, rest = config.data.partition(":")
    if kind == "folder":
        data = _from_folder(Path(rest), Path(str(config.labels)), config)
    else:
        data = _from_arrays(kind, rest, config)
    _check_sizes(data, config)
    return data


# --- arrays: one seeded, stratified split ---


def _from_arrays(kind: str, path: str, config: StudyConfig) -> Dataset:
    from training import images as reader

    if kind == "npz":
        images, labels = reader.load_npz(Path(path))
        names, truth = np.unique(labels, return_inverse=True)
        classes = tuple(str(name) for name in names)
    else:
        images, digits = reader.load_digits()
        if kind == "digits3":
            truth = np.array([DIGITS3[int(digit)] for digit in digits])
            classes = ("loop", "straight", "open")
        else:
            truth, classes = digits, tuple("0123456789")
    truth = np.asarray(truth, dtype=np.int64)
    _check_classes(classes, config.data)
    keep = _first_of_each(images.hashes)
    notes = []
    if len(keep) < len(truth):
        notes.append(f"{len(truth) - len(keep)} images with the content of another are left out")
    rows = split(truth, keep, config.seed)
    return Dataset(images, classes, rows, truth, len(truth) - len(keep), tuple(notes))


def _first_of_each(hashes: tuple[str, ...]) -> NDArray[np.int64]:
    first: dict[str, int] = {}
    for row, content in enumerate(hashes):
        first.setdefault(content, row)
    return np.array(sorted(first.values()), dtype=np.int64)


def split(
    truth: NDArray[np.int64], keep: NDArray[np.int64], seed: int
) -> dict[str, NDArray[np.int64]]:
    """Split rows into the four roles, once, by seed, stratified by class.

    Each class's rows get evenly spaced positions with a random start in a random order; sorted by
    position, any run of rows holds each class in proportion (systematic sampling).

    Args:
        truth: [n] class codes.
        keep: rows to split.
        seed: the study's seed.

    Returns:
        Role -> ascending rows; sizes in the proportions of the 1,797 digits (980 pool, 50
        control, 367 validation, 400 final).
    """
    rng = generator(seed, "split")
    position = np.empty(len(truth))
    for code in np.unique(truth[keep]):
        members = keep[truth[keep] == code]
        ranks = rng.permutation(len(members)) + rng.random()
        position[members] = ranks / len(members)
    order = keep[np.argsort(position[keep], kind="stable")]
    total, whole = len(order), sum(_SPLIT.values())
    sizes = {
        role: round(total * _SPLIT[role] / whole) for role in ("control", "validation", "final")
    }
    rows, start = {}, 0
    for role, size in sizes.items():
        rows[role] = np.sort(order[start : start + size])
        start += size
    rows["pool"] = np.sort(order[start:])
    return rows


# --- a folder with a CSV of labels and roles ---


def _from_folder(root: Path, labels: Path, config: StudyConfig) -> Dataset:
    from training import images as reader

    if not root.is_dir():
        raise InputError(f"--data: {root} is not a folder")
    lines = read_lines(labels)
    images, bad = reader.scan_images(root, [line.image for line in lines])
    if bad and not config.skip_bad_images:
        listed = "; ".join(f"{item.name} ({item.reason})" for item in bad[:_NAMED])
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise InputError(
            f"{root}: {len(bad)} images cannot be used: {listed}{more}; "
            "mend them, or add --skip-bad-images to leave them out"
        )
    by_name = {line.image: line for line in lines}
    used = [by_name[name] for name in images.names]
    left_out, notes = len(bad), []
    if bad:
        notes.append(f"{len(bad)} images that cannot be read are left out")
    keep = _unique_lines(images.hashes, used, labels, config)
    if len(keep) < len(used):
        left_out += len(used) - len(keep)
        notes.append(f"{len(used) - len(keep)} images with the content of another are left out")
    classes = tuple(sorted({line.label for line in lines if line.label}))
    _check_classes(classes, str(labels))
    codes = {name: code for code, name in enumerate(classes)}
    truth = np.array([codes.get(line.label, -1) for line in used], dtype=np.int64)
    rows = {
        role: np.array([row for row in keep if used[row].role == role], dtype=np.int64)
        for role in ROLES
    }
    _check_labelled(used, rows, truth, labels, real=config.market_kind.real_money)
    urls = tuple(line.url for line in used)
    groups = tuple(line.group for line in used) if any(line.group for line in used) else ()
    return Dataset(images, classes, rows, truth, left_out, tuple(notes), urls, groups)


def _unique_lines(
    hashes: tuple[str, ...], used: list[LabelLine], path: Path, config: StudyConfig
) -> list[int]:
    """Rows with content of their own. Equal content in two roles would leak answers."""
    first: dict[str, int] = {}
    keep = []
    for row, content in enumerate(hashes):
        other = first.setdefault(content, row)
        if other == row:
            keep.append(row)
            continue
        a, b = used[other], used[row]
        if (a.role != b.role or a.label != b.label) and not config.skip_bad_images:
            what = f"roles {a.role} and {b.role}" if a.role != b.role else "two labels"
            raise InputError(
                f"{path}: lines {a.number} and {b.number}: {a.image} and {b.image} have the same "
                f"content and {what}; keep one, or add --skip-bad-images"
            )
    return keep


def _check_labelled(
    used: list[LabelLine],
    rows: dict[str, NDArray[np.int64]],
    truth: NDArray[np.int64],
    path: Path,
    real: bool,
) -> None:
    for role, why in (
        ("control", "control tasks need their right answer"),
        ("validation", "accuracy is measured on them"),
        ("final", "accuracy is measured on them"),
        ("pool", "the simulated crowd answers from them"),
    ):
        for row in rows[role] if role != "pool" or not real else ():
            if truth[row] < 0:
                line = used[row]
                raise InputError(
                    f"{path}: line {line.number}: label: missing for {line.image} "
                    f"with role {role}; {why}"
                )


# --- checks common to all ---


def _check_classes(classes: tuple[str, ...], origin: str) -> None:
    if len(classes) < 2:
        only = f"only {classes[0]!r}" if classes else "no label at all"
        raise InputError(f"{origin}: label: {only}; at least two classes are needed")
    if len(classes) > _MOST_CLASSES:
        raise InputError(
            f"{origin}: label: {len(classes)} classes, and an annotator chooses among at most "
            f"{_MOST_CLASSES}; merge classes, or check that the column holds classes"
        )
    if strange := [name for name in classes if not name.isprintable()]:
        raise InputError(f"{origin}: label: {strange[0]!r} holds characters that cannot be printed")


def _check_sizes(data: Dataset, config: StudyConfig) -> None:
    sizes = {role: len(data.rows[role]) for role in ROLES}
    for role in ROLES:
        if sizes[role] == 0:
            raise InputError(f"{config.data}: role {role}: no images; each role needs some")
    for role, advised in _ADVISED.items():
        if sizes[role] < advised and not config.few_labels_ok:
            raise InputError(
                f"{config.data}: role {role}: {sizes[role]} images, at least {advised} are "
                "advised; give more, or add --few-labels-ok to go on with wider intervals"
            )
    if max(config.controls) > sizes["control"]:
        raise InputError(
            f"--controls: {max(config.controls)} per suite, but there are only "
            f"{sizes['control']} control images"
        )


def few_labels_notes(data: Dataset) -> tuple[str, ...]:
    """A line for each role with fewer images than advised, saying how wide its interval is."""
    notes = []
    for role, advised in _ADVISED.items():
        size = len(data.rows[role])
        if size < advised:
            half = 100 * Z95 * math.sqrt(0.1 * 0.9 / size)
            extra = f": +-{half:.1f} points at 90 %" if role != "control" else ""
            notes.append(f"few labels: {size} {role} images (advised: {advised}){extra}")
    return tuple(notes)


def class_counts(data: Dataset, role: str) -> dict[str, int]:
    """Images of each class among a role's rows."""
    counts = Counter(int(code) for code in data.truth[data.rows[role]])
    return {name: counts.get(code, 0) for code, name in enumerate(data.classes)}

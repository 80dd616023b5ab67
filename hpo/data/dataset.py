"""The study's images: who is asked about which, and which true labels go where."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from hpo.data.folder import read_folder
from hpo.data.labels_csv import ROLES, LabelLine
from hpo.data.listing import list_images
from hpo.data.roles import ROLES_FILE, kept_roles
from hpo.settings.config import StudyConfig
from labeling.seeds import generator
from labeling.tables.classes import NO_LABEL, read_classes
from training.evaluate import Z95

if TYPE_CHECKING:
    from training.images import ImageIndex

DIGITS3 = {0: 0, 6: 0, 8: 0, 9: 0, 1: 1, 4: 1, 7: 1, 2: 2, 3: 2, 5: 2}
# The split of the 1,797 scans; other data without roles is split in the same proportions.
_SPLIT = {"pool": 980, "control": 50, "validation": 367, "final": 400}
_ADVISED = {"control": 20, "validation": 200, "final": 200}
_FEW = 5  # images of a class in a role: fewer are said
_NAMED = 5  # how many classes a note names before it counts the rest


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
        drawn: [n] each image of a folder with the role that was drawn for it; empty where a file
            gives the roles.
    """

    images: ImageIndex
    classes: tuple[str, ...]
    rows: dict[str, NDArray[np.int64]]
    truth: NDArray[np.int64]
    left_out: int
    notes: tuple[str, ...]
    urls: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    drawn: tuple[LabelLine, ...] = ()

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


def load(config: StudyConfig, run_folder: Path | None = None) -> Dataset:
    """Read and check the images that a configuration names. Nothing is bought before this.

    Args:
        config: the study's configuration.
        run_folder: the study's folder, which may keep roles that were drawn.

    Raises:
        InputError: naming the file, row or role that is wrong, and the remedy.
    """
    kind, _, rest = config.data.partition(":")
    if kind == "folder":
        data = _from_folder(Path(rest), config, run_folder)
    else:
        data = _from_arrays(kind, rest, config)
    _check_sizes(data, config)
    return replace(data, notes=(*data.notes, *class_notes(data)))


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
    rows = split(truth, keep, config.seed, _weights(config))
    return Dataset(images, classes, rows, truth, len(truth) - len(keep), tuple(notes))


def _first_of_each(hashes: tuple[str, ...]) -> NDArray[np.int64]:
    first: dict[str, int] = {}
    for row, content in enumerate(hashes):
        first.setdefault(content, row)
    return np.array(sorted(first.values()), dtype=np.int64)


def _weights(config: StudyConfig) -> dict[str, Fraction]:
    """How the images are shared among the roles, where no file gives roles."""
    if config.roles is not None:
        return dict(zip(ROLES, config.roles, strict=True))
    return {role: Fraction(size) for role, size in _SPLIT.items()}


def split(
    truth: NDArray[np.int64],
    keep: NDArray[np.int64],
    seed: int,
    weights: Mapping[str, Fraction] | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Split rows into the four roles, once, by seed, stratified by class.

    Each class's rows get evenly spaced positions with a random start in a random order; sorted by
    position, any run of rows holds each class in proportion (systematic sampling).

    Args:
        truth: [n] class codes.
        keep: rows to split.
        seed: the study's seed.
        weights: of the roles; None for the proportions of the 1,797 digits (980 pool, 50
            control, 367 validation, 400 final).

    Returns:
        Role -> ascending rows.
    """
    rng = generator(seed, "split")
    position = np.empty(len(truth))
    for code in np.unique(truth[keep]):
        members = keep[truth[keep] == code]
        ranks = rng.permutation(len(members)) + rng.random()
        position[members] = ranks / len(members)
    order = keep[np.argsort(position[keep], kind="stable")]
    shares = weights or _SPLIT
    total, whole = len(order), sum(shares.values())
    sizes = {
        role: round(total * shares[role] / whole) for role in ("control", "validation", "final")
    }
    rows, start = {}, 0
    for role, size in sizes.items():
        rows[role] = np.sort(order[start : start + size])
        start += size
    rows["pool"] = np.sort(order[start:])
    return rows


# --- a folder ---


def _from_folder(root: Path, config: StudyConfig, run_folder: Path | None) -> Dataset:
    listing = list_images(root, config.labels)
    if listing.has_roles and config.roles is not None:
        raise InputError(f"--roles: {listing.origin} gives each image's role; leave --roles out")
    kept = None if listing.has_roles else kept_roles(run_folder)
    read = read_folder(root, listing, config, kept)
    lines = read.lines
    labels = [line.label for line in lines]
    names = read_classes(f"{listing.origin}: labels", labels, config.keep_classes)
    _check_classes(names.names, listing.origin)
    codes = [names.code(label) if label else NO_LABEL for label in labels]
    truth = np.array([NO_LABEL if code is None else code for code in codes], dtype=np.int64)
    keep = np.array(read.keep, dtype=np.int64)
    notes = [*listing.notes, *names.notes, *read.notes]
    rows = {role: keep[[lines[row].role == role for row in keep]] for role in ROLES}
    if not listing.has_roles:
        if kept is None:
            unset = keep[[not lines[row].role for row in keep]]
            rows = _drawn(rows, unset, truth, config)
        sizes = ", ".join(f"{len(rows[role])} {role}" for role in ROLES)
        notes.append(f"roles are drawn by seed {config.seed}: {sizes}; {ROLES_FILE} keeps them")
    _check_labelled(lines, rows, truth, listing.origin, real=config.market_kind.real_money)
    return Dataset(
        read.images,
        names.names,
        rows,
        truth,
        read.left_out,
        tuple(notes),
        tuple(line.url for line in lines),
        tuple(line.group for line in lines) if any(line.group for line in lines) else (),
        () if listing.has_roles else _with_roles(lines, rows, read.twins),
    )


def _drawn(
    given: dict[str, NDArray[np.int64]],
    unset: NDArray[np.int64],
    truth: NDArray[np.int64],
    config: StudyConfig,
) -> dict[str, NDArray[np.int64]]:
    """Roles of images of which some have one: the roles that none has are drawn.

    Args:
        given: role -> rows that have it.
        unset: rows without a role.
        truth: [n] class codes; images without a label stay in the pool.
        config: gives the seed and the shares.
    """
    free = np.sort(np.concatenate([unset, given["pool"]]))
    known, unknown = free[truth[free] >= 0], free[truth[free] < 0]
    absent = [role for role in ROLES[1:] if not len(given[role])]
    whole = _weights(config)
    weights = {role: whole[role] for role in ("pool", *absent)}
    drawn = split(truth, known, config.seed, {**dict.fromkeys(ROLES, Fraction(0)), **weights})
    rows = {role: drawn[role] if role in absent else given[role] for role in ROLES[1:]}
    return {**rows, "pool": np.sort(np.concatenate([drawn["pool"], unknown]))}


def _with_roles(
    lines: Sequence[LabelLine], rows: dict[str, NDArray[np.int64]], twins: Mapping[int, int]
) -> tuple[LabelLine, ...]:
    """Each image's line with its drawn role; repeated content has the role of its twin."""
    role_of = {int(row): role for role, members in rows.items() for row in members}
    return tuple(replace(line, role=role_of[twins.get(row, row)]) for row, line in enumerate(lines))


def _check_labelled(
    used: Sequence[LabelLine],
    rows: dict[str, NDArray[np.int64]],
    truth: NDArray[np.int64],
    origin: str,
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
                where = f" line {line.number}:" if line.number else ""
                raise InputError(
                    f"{origin}:{where} label: missing for {line.image} with role {role}; {why}"
                )


# --- checks common to all ---


def _check_classes(classes: tuple[str, ...], origin: str) -> None:
    if len(classes) < 2:
        only = f"only {classes[0]!r}" if classes else "no label at all"
        raise InputError(f"{origin}: label: {only}; at least two classes are needed")


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


def class_notes(data: Dataset) -> tuple[str, ...]:
    """A line for each role in which classes are absent or have few images."""
    notes = []
    for role in ROLES:
        if (data.truth[data.rows[role]] < 0).any():
            continue
        counts = class_counts(data, role)
        absent = [name for name, count in counts.items() if not count]
        rare = [f"{name!r} ({count})" for name, count in counts.items() if 0 < count < _FEW]
        said = []
        if absent:
            said.append(f"no image of {_listed([repr(name) for name in absent])}")
        if rare:
            said.append(f"fewer than {_FEW} images of {_listed(rare)}")
        if said:
            notes.append(f"role {role}: {' and '.join(said)}")
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more classes" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def class_counts(data: Dataset, role: str) -> dict[str, int]:
    """Images of each class among a role's rows."""
    counts = Counter(int(code) for code in data.truth[data.rows[role]])
    return {name: counts.get(code, 0) for code, name in enumerate(data.classes)}

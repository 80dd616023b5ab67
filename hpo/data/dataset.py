"""The study's images: who is asked about which, and which true labels go where."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from hpo.data.drawing import draw_missing, split, weights_of
from hpo.data.folder import FolderImages, read_folder
from hpo.data.labels_csv import ROLES, LabelLine, class_codes
from hpo.data.listing import Listing, list_images
from hpo.data.roles import ROLES_FILE, kept_roles
from hpo.data.unlabelled import (
    ADVISED,
    TESTS,
    deal_roles,
    has_enough,
    is_for_tests,
    test_notes,
    unlabelled_notes,
    with_tests,
)
from hpo.settings.config import StudyConfig
from training.evaluate import Z95

if TYPE_CHECKING:
    from training.images import ImageIndex

_MOST_CLASSES = 200
DIGITS3 = {0: 0, 6: 0, 8: 0, 9: 0, 1: 1, 4: 1, 7: 1, 2: 2, 3: 2, 5: 2}
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
        stand_in: [n] class code that a simulated crowd answers from where no label is known
            (`hpo.data.stand_ins`); None where none was drawn.
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
    stand_in: NDArray[np.int64] | None = None

    @property
    def answered(self) -> NDArray[np.int64]:
        """[n] class code that a simulated crowd takes for true: known, else drawn, else 0."""
        drawn = np.zeros_like(self.truth) if self.stand_in is None else self.stand_in
        return np.where(self.truth >= 0, self.truth, drawn)

    @property
    def known(self) -> NDArray[np.bool_]:
        """[n] whether an image's true label is known: all that may be asked of final images."""
        return np.asarray(self.truth) >= 0

    @property
    def asked_tests(self) -> NDArray[np.int64]:
        """Rows of validation and final images whose labels are to be bought, and of a check.

        As many with a known label are asked about, too: they tell how often bought labels are
        wrong. Empty where every label is known.
        """
        rows = np.concatenate([self.rows[role] for role in TESTS])
        bare, known = rows[~self.known[rows]], rows[self.known[rows]]
        return np.sort(np.concatenate([bare, known[: len(bare)]]))

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


def load(config: StudyConfig, run_folder: Path | None = None, cache: Path | None = None) -> Dataset:
    """Read and check the images that a configuration names. Nothing is bought before this.

    Args:
        config: the study's configuration.
        run_folder: the study's folder, which may keep roles that were drawn.
        cache: folder that keeps what was decoded of files; None keeps nothing.

    Raises:
        InputError: naming the file, row or role that is wrong, and the remedy.
    """
    kind, _, rest = config.data.partition(":")
    if kind == "folder":
        data = _from_folder(Path(rest), config, run_folder, cache)
    else:
        data = _from_arrays(kind, rest, config)
    _check_sizes(data, config)
    notes = (*data.notes, *class_notes(data), *test_notes(data.rows, data.truth, config))
    return replace(data, notes=(*unlabelled_notes(data.known, config), *notes))


# --- arrays: one seeded, stratified split ---


def _from_arrays(kind: str, path: str, config: StudyConfig) -> Dataset:
    from training import images as reader

    if kind == "npz" and reader.holds_vectors(Path(path)):
        return _from_vectors(Path(path), config)
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
    rows = split(truth, keep, config.seed, weights_of(config))
    return Dataset(images, classes, rows, truth, len(truth) - len(keep), tuple(notes))


def _first_of_each(hashes: tuple[str, ...]) -> NDArray[np.int64]:
    first: dict[str, int] = {}
    for row, content in enumerate(hashes):
        first.setdefault(content, row)
    return np.array(sorted(first.values()), dtype=np.int64)


def _from_vectors(path: Path, config: StudyConfig) -> Dataset:
    """Features in place of images: labels, names and roles as the file gives them."""
    from training.images import load_vectors

    read = load_vectors(path)
    roles = read.roles or ("",) * len(read.labels)
    for row, role in enumerate(roles):
        if role and role not in ROLES:
            raise InputError(
                f"{path}: roles: {role!r} of row {row} is not one of {', '.join(ROLES)}"
            )
    lines = tuple(
        LabelLine(0, name, label.strip(), role)
        for name, label, role in zip(read.index.names, read.labels, roles, strict=True)
    )
    keep = tuple(int(row) for row in _first_of_each(read.index.hashes))
    notes = ["the file's features are used as they are: no backbone is"]
    if len(keep) < len(lines):
        notes.append(f"{len(lines) - len(keep)} items with the content of another are left out")
    listing = Listing(lines, str(path), all(roles), ())
    first = {read.index.hashes[row]: row for row in keep}
    twins = {row: first[content] for row, content in enumerate(read.index.hashes)}
    out = len(lines) - len(keep)
    found = FolderImages(read.index, lines, keep, twins, out, tuple(notes))
    return _assembled(listing, found, None, config)


# --- a folder ---


def _from_folder(
    root: Path, config: StudyConfig, run_folder: Path | None, cache: Path | None
) -> Dataset:
    listing = list_images(root, config.labels, config.classes)
    if listing.has_roles and config.roles is not None:
        raise InputError(f"--roles: {listing.origin} gives each image's role; leave --roles out")
    kept = None if listing.has_roles else kept_roles(run_folder)
    return _assembled(listing, read_folder(root, listing, config, kept, cache), kept, config)


def _assembled(
    listing: Listing, read: FolderImages, kept: Mapping[str, str] | None, config: StudyConfig
) -> Dataset:
    """Images with classes and roles, drawn where neither a file nor the study's folder has them."""
    lines = read.lines
    names, codes = class_codes(listing.origin, lines, config)
    _check_classes(names.names, listing.origin)
    truth = np.array(codes, dtype=np.int64)
    keep = np.array(read.keep, dtype=np.int64)
    notes = [*listing.notes, *names.notes, *read.notes]
    rows = {role: keep[[lines[row].role == role for row in keep]] for role in ROLES}
    if not listing.has_roles:
        if kept is None:
            unset = keep[[not lines[row].role for row in keep]]
            rows = _drawn(rows, unset, truth, config)
        said = f"roles are drawn by seed {config.seed}"
        notes.append(f"{said}; the study's folder keeps them in {ROLES_FILE}")
    else:
        rows = with_tests(rows, truth, config)
    _check_labelled(lines, rows, truth, listing.origin, config)
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
    """Roles of images that no file gives one, with images to buy test labels of."""
    if is_for_tests(given, unset, truth) and config.roles is None:
        rows = deal_roles(truth, np.sort(np.concatenate([unset, given["pool"]])), config.seed)
    else:
        rows = draw_missing(given, unset, truth, config)
    return with_tests(rows, truth, config)


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
    config: StudyConfig,
) -> None:
    """Refuse missing labels of control images, and of test images whose labels are not bought."""
    for role, why in (
        ("control", "control tasks need their right answer"),
        ("validation", "accuracy is measured on them"),
        ("final", "accuracy is measured on them"),
    ):
        missing = rows[role][truth[rows[role]] < 0]
        if len(missing) and (role == "control" or has_enough(role, rows, truth, config)):
            line = used[missing[0]]
            where = f" line {line.number}:" if line.number else ""
            raise InputError(
                f"{origin}:{where} label: missing for {line.image} with role {role}; {why}"
            )


# --- checks common to all ---


def _check_classes(classes: tuple[str, ...], origin: str) -> None:
    if len(classes) < 2:
        only = f"only {classes[0]!r}" if classes else "no label at all"
        raise InputError(
            f"{origin}: label: {only}; at least two classes are needed: label images of another, "
            "or name the classes, as in --classes cat,dog"
        )
    if len(classes) > _MOST_CLASSES:
        raise InputError(
            f"{origin}: label: {len(classes)} classes, and an annotator chooses among at most "
            f"{_MOST_CLASSES}; merge classes, or check that the column holds classes"
        )
    if strange := [name for name in classes if not _printable(name)]:
        raise InputError(f"{origin}: label: {strange[0]!r} holds characters that cannot be printed")


def _printable(name: str) -> bool:
    """Whether a name holds no character that a terminal obeys; line ends and tabs are allowed."""
    return "".join(letter for letter in name if letter not in "\n\r\t").isprintable()


def _check_sizes(data: Dataset, config: StudyConfig) -> None:
    sizes = {role: len(data.rows[role]) for role in ROLES}
    is_checked = max(config.controls) > 0 or True in config.exam
    for role in ROLES:
        if sizes[role] == 0 and (role != "control" or is_checked):
            raise InputError(f"{config.data}: role {role}: no images; {_remedy(role, data)}")
    for role, advised in ADVISED.items():
        # Where roles are drawn, more images of one role are fewer of another: a note says enough.
        is_drawn = data.drawn or sizes[role] == 0 or (role in TESTS and len(data.asked_tests))
        if sizes[role] < advised and not (config.few_labels_ok or is_drawn):
            raise InputError(
                f"{config.data}: role {role}: {sizes[role]} images, at least {advised} are "
                "advised; give more, or add --few-labels-ok to go on with wider intervals"
            )
    if max(config.controls) > sizes["control"]:
        raise InputError(
            f"--controls: {max(config.controls)} per suite, but there are only "
            f"{sizes['control']} control images"
        )


def _remedy(role: str, data: Dataset) -> str:
    if role == "control" and not data.known.any():
        return "no label is known: add --controls 0 --exam off, or label about 60 images"
    if role in TESTS and not data.known.any():
        return "no label is known: let test labels be bought, with --test-images above 0"
    return "each role needs some"


def few_labels_notes(data: Dataset) -> tuple[str, ...]:
    """A line for each role with fewer images than advised, saying how wide its interval is."""
    notes = []
    for role, advised in ADVISED.items():
        size = len(data.rows[role])
        if 0 < size < advised:
            half = 100 * Z95 * math.sqrt(0.1 * 0.9 / size)
            extra = f": +-{half:.1f} points at 90 %" if role != "control" else ""
            notes.append(f"few labels: {size} {role} images (advised: {advised}){extra}")
    return tuple(notes)


def class_notes(data: Dataset) -> tuple[str, ...]:
    """A line for each role in which classes are absent or have few images."""
    notes = []
    for role in ROLES:
        if not len(data.rows[role]) or (data.truth[data.rows[role]] < 0).any():
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

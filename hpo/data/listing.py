"""The images of a folder and what is known of each, in the shapes that people have.

A table lists them: the one that is named, or `labels.csv` or `metadata.csv` in the folder. Without
a table the sub-folders are the classes, as ImageFolder of torchvision and datasets reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from budget.errors import InputError
from hpo.data.image_names import NameMatch, files_in, is_absolute, match_names
from hpo.data.labels_csv import LabelLine, LabelsTable, read_labels, read_new_lines
from labeling.tables.spelling import plain_name

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif")
"""Endings of images' names. A file of another ending is read where a table lists it."""

_TABLES = ("labels.csv", "metadata.csv")
_ROLE_FOLDERS = {
    "pool": "pool",
    "train": "pool",
    "training": "pool",
    "control": "control",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "final",
    "testing": "final",
    "final": "final",
}
_WITHOUT_LABEL = ("unlabelled", "unlabeled")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Listing:
    """The images of a folder.

    Attributes:
        lines: an entry an image, named by its file; `number` is the line of a table, 0 without one.
        origin: the table, or the folder, for messages.
        has_roles: whether every image has its role; else images without one are drawn.
        notes: what the user should know, one line each.
    """

    lines: tuple[LabelLine, ...]
    origin: str
    has_roles: bool
    notes: tuple[str, ...]


def list_images(root: Path, labels: str | None, classes: Sequence[str] | None = None) -> Listing:
    """The images of a folder, by a table or by sub-folders named by class.

    Args:
        root: the folder.
        labels: the table; None for one in the folder, or the sub-folders.
        classes: their names, where the user gives them; images then need no label.

    Raises:
        InputError: naming the folder, file or line that is wrong, and the remedy.
    """
    if not root.is_dir():
        raise InputError(f"--data: {root} is not a folder")
    files = files_in(root)
    if labels is not None:
        return _from_table(root, Path(labels), files)
    tables = [root / name for name in _TABLES if name in files]
    if len(tables) > 1:
        both = " and ".join(path.name for path in tables)
        raise InputError(f"{root}: holds {both}; name one with --labels FILE.csv")
    if tables:
        listing = _from_table(root, tables[0], files)
        note = f"{_folder(root)}: labels are those of its {tables[0].name}"
        return replace(listing, notes=(note, *listing.notes))
    return _from_sub_folders(root, files, classes)


def list_new_images(root: Path, labels: str | None) -> Listing:
    """New images beside a study's: those that a table lists, or all of a folder."""
    if not root.is_dir():
        raise InputError(f"--images: {root} is not a folder")
    files = files_in(root)
    if labels is not None:
        table = read_new_lines(Path(labels))
        return _matched(root, Path(labels), table, files)
    lines = tuple(LabelLine(0, name) for name in _images_of(files))
    if not lines:
        raise InputError(f"--images: {root}: no images there; name them with --labels FILE.csv")
    return Listing(lines, str(root), False, ())


# --- a table ---


def _from_table(root: Path, path: Path, files: Sequence[str]) -> Listing:
    listing = _matched(root, path, read_labels(path), files)
    listed = {line.image for line in listing.lines}
    others = [name for name in _images_of(files) if name not in listed]
    if not others:
        return listing
    count = (
        f"{path.name}: {len(others)} images of {_folder(root)} are not listed, such as {others[0]}"
    )
    if listing.has_roles:
        return replace(listing, notes=(*listing.notes, f"{count}: left out"))
    lines = (*listing.lines, *(LabelLine(0, name) for name in others))
    note = f"{count}: they are pool images without a label"
    return replace(listing, lines=lines, notes=(*listing.notes, note))


def _matched(root: Path, path: Path, table: LabelsTable, files: Sequence[str]) -> Listing:
    """A table whose images have the names of their files."""
    names = [line.image for line in table.lines]
    match = match_names(names, files)
    _refuse_absolute(root, path, table.lines, match)
    if not match.files:
        holds = f"the folder holds {files[0]}" if files else "the folder is empty"
        raise InputError(
            f"{path}: none of its {len(names)} images is in {root}, such as {names[0]}; {holds}: "
            "write names as they are inside the folder"
        )
    lines = tuple(
        replace(line, image=match.files.get(line.image, line.image)) for line in table.lines
    )
    notes = (*table.notes, *match.note(path.name, len(names)))
    return Listing(lines, str(path), table.has_roles, notes)


def _refuse_absolute(root: Path, path: Path, lines: Sequence[LabelLine], match: NameMatch) -> None:
    absolute = [line for line in lines if is_absolute(line.image)]
    if not absolute:
        return
    first = absolute[0]
    more = f" and {len(absolute) - 1} more are paths" if len(absolute) > 1 else " is a path"
    found = match.files.get(first.image)
    prefix = first.image.replace("\\", "/").removesuffix(found or "")
    hint = f"; did you mean without {prefix!r}?" if found else ""
    raise InputError(
        f"{path}: line {first.number}: {first.image}{more} outside the folder; write names as they "
        f"are inside {root}{hint}"
    )


# --- sub-folders ---


def _from_sub_folders(root: Path, files: Sequence[str], classes: Sequence[str] | None) -> Listing:
    names = _images_of(files)
    if not names:
        raise InputError(f"--data: {root}: no images there; their names end in {_endings()}")
    paths = {name: name.split("/") for name in names}
    roles = _role_folders(root, list(paths.values()))
    depth = 1 if roles else _wrapping(list(paths.values()))
    known = None if classes is None else {plain_name(name) for name in classes}
    lines = []
    for name, parts in paths.items():
        label = parts[depth] if len(parts) > depth + 1 else ""
        is_class = label.lower() not in _WITHOUT_LABEL and (
            known is None or plain_name(label) in known
        )
        lines.append(LabelLine(0, name, label if is_class else "", roles.get(parts[0], "")))
    if not any(line.label for line in lines):
        if known is None:
            _refuse_unlabelled(root, len(lines))
        note = f"{_folder(root)}: {len(lines)} images, none in a folder named by a class"
        return Listing(tuple(lines), str(root), False, (note,))
    notes = [f"{_folder(root)}: no table of labels: the class of an image is its sub-folder"]
    if roles:
        pairs = ", ".join(f"{folder} is {role}" for folder, role in sorted(roles.items()))
        notes.append(f"{_folder(root)}: folders give roles: {pairs}")
    bare = [line.image for line in lines if not line.label]
    if bare:
        notes.append(
            f"{_folder(root)}: {len(bare)} images lie outside the classes' folders, such as "
            f"{bare[0]}: they have no label"
        )
    return Listing(tuple(lines), str(root), False, tuple(notes))


def _role_folders(root: Path, paths: Sequence[Sequence[str]]) -> dict[str, str]:
    """Folder -> role, where all folders at the top are named by role, such as train and test.

    Raises:
        InputError: they are, and images lie in them without a folder that names their class.
    """
    tops = {parts[0] for parts in paths if len(parts) > 1}
    if not tops or not all(top.lower() in _ROLE_FOLDERS for top in tops):
        return {}
    flat = [parts for parts in paths if len(parts) == 2]
    if flat:
        raise InputError(
            f"--data: {root}: its folders {', '.join(sorted(tops))} name roles, and images such as "
            f"{'/'.join(flat[0])} lie in no folder of their class: give --labels FILE.csv "
            "(image,label), or put them into sub-folders named by class"
        )
    return {top: _ROLE_FOLDERS[top.lower()] for top in tops}


def _wrapping(paths: Sequence[Sequence[str]]) -> int:
    """How many folders hold all others and nothing else: `images/cat/1.png` has one."""
    depth = 0
    while all(len(parts) > depth + 2 for parts in paths) and (
        len({parts[depth] for parts in paths}) == 1
    ):
        depth += 1
    return depth


def _refuse_unlabelled(root: Path, count: int) -> None:
    beside = root.with_name(f"{root.resolve().name}.csv")
    hint = f"; did you mean --labels {beside}?" if beside.is_file() else ""
    raise InputError(
        f"--data: {root}: {count} images and no labels: give --labels FILE.csv (image,label), "
        "put labelled images into sub-folders named by class, or name the classes, as in "
        f"--classes cat,dog{hint}"
    )


def _images_of(files: Sequence[str]) -> list[str]:
    return [name for name in files if name.lower().endswith(SUFFIXES)]


def _folder(root: Path) -> str:
    """A folder in a note: reports hold notes, and no paths."""
    return root.resolve().name


def _endings() -> str:
    return ", ".join(SUFFIXES)

"""Label sets on disk: one folder per version, named by the hash of its content.

A version is manifest.json (plan, condition, cost, hashes, label distribution), labels.csv and
answers.csv. It appears whole or not at all, is never changed, and is verified when it is read.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from budget.errors import InputError, StorageError
from budget.files import sync_folder
from budget.money import Money
from labeling.types import Answers, LabelSet

MANIFEST = "manifest.json"
LABELS = "labels.csv"
ANSWERS = "answers.csv"

_ID = re.compile(r"[0-9a-f]{32}")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Version:
    """A label set on disk.

    Attributes:
        id: hash of its content.
        path: its folder.
        manifest: the content of manifest.json.
    """

    id: str
    path: Path
    manifest: dict[str, Any]


class VersionDamaged(StorageError):  # noqa: N818
    """What a version's folder holds is not what was saved."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(str(path), problem, "delete this folder; running the study saves it again")


def save(
    root: Path,
    manifest: Mapping[str, Any],
    labels: LabelSet,
    answers: Answers,
    *,
    names: Sequence[str],
    classes: Sequence[str],
    annotators: Sequence[str] | None = None,
) -> Version:
    """Save a label set under its content's hash. Saving the same again changes nothing.

    Args:
        root: the folder of all versions; made if missing.
        manifest: what the caller knows of the set (plan, condition, cost, hash of the images...):
            JSON types, Money, fractions and dataclasses. The hashes of the two tables and the
            label distribution are added.
        labels: the aggregated labels.
        answers: the answers behind them, control answers included.
        names: name of each image, by row.
        classes: name of each class.
        annotators: name of each annotator, by code; the codes themselves if not given.

    Raises:
        InputError: the manifest holds something that JSON does not, or uses a name that is added.
        StorageError: the folder cannot be written.
        VersionDamaged: the version is there already, but is not as it was saved.
    """
    tables = {
        LABELS: _labels_table(labels, names, classes),
        ANSWERS: _answers_table(answers, names, classes, annotators),
    }
    added = {
        "files": {name: _hash(content) for name, content in tables.items()},
        "label_distribution": _distribution(labels, classes),
    }
    if taken := sorted(set(manifest) & set(added)):
        raise InputError(f"manifest: {taken[0]!r} is added when the version is saved; rename it")
    try:
        text = json.dumps(
            {**manifest, **added}, default=_plain, allow_nan=False, sort_keys=True, indent=1
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"manifest: {error}") from error
    content = {MANIFEST: text.encode() + b"\n", **tables}
    version_id = _hash(content[MANIFEST])
    try:
        _publish(root, root / version_id, content)
    except OSError as error:
        raise StorageError(
            str(root),
            f"the label version cannot be written ({error.strerror or error})",
            "check its permissions and the free space, then run the same command again",
        ) from error
    return load(root, version_id)


def load(root: Path, version_id: str) -> Version:
    """Open a version and verify all its files.

    Raises:
        InputError: that is no version's id, or there is no such version.
        VersionDamaged: a file is missing or differs from what was saved.
    """
    if not _ID.fullmatch(version_id):
        raise InputError(f"version: {version_id!r} is not an id of 32 hexadecimal digits")
    folder = root / version_id
    if not folder.is_dir():
        raise InputError(f"version: there is no {version_id} in {root}")
    raw = _read(folder, MANIFEST)
    if _hash(raw) != version_id:
        raise VersionDamaged(folder, f"{MANIFEST} is not as it was saved")
    manifest: dict[str, Any] = json.loads(raw)
    for name, digest in manifest["files"].items():
        if _hash(_read(folder, name)) != digest:
            raise VersionDamaged(folder, f"{name} is not as it was saved")
    return Version(version_id, folder, manifest)


def _publish(root: Path, target: Path, content: Mapping[str, bytes]) -> None:
    """Write all files into a new folder beside the target, then rename it: all or nothing."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if target.exists():
        return
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=root))  # mode 0700
    try:
        for name, raw in content.items():
            handle = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
        sync_folder(draft)
        try:
            draft.rename(target)
        except OSError:
            if not target.exists():  # else another process was faster, with the same content
                raise
        sync_folder(root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise VersionDamaged(folder, f"{name} cannot be read ({error.strerror})") from error


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _plain(value: object) -> Any:
    """JSON form of what the manifest may hold beside JSON types."""
    if isinstance(value, Money):
        return {"usd": value.exact(), "micros": value.micros}
    if isinstance(value, Fraction):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{value!r} has no JSON form")


def _distribution(labels: LabelSet, classes: Sequence[str]) -> dict[str, int]:
    """Number of tasks by their most probable class."""
    counts = np.bincount(labels.posterior.argmax(axis=1), minlength=len(classes))
    return {name: int(count) for name, count in zip(classes, counts, strict=True)}


def _labels_table(labels: LabelSet, names: Sequence[str], classes: Sequence[str]) -> bytes:
    best = labels.posterior.argmax(axis=1)
    header = ["image", "label", "confidence", "answers", *(f"p({name})" for name in classes)]
    rows = (
        [
            _text(names[task]),
            _text(classes[label]),
            f"{posterior[label]:.6f}",
            str(count),
            *(f"{probability:.6f}" for probability in posterior),
        ]
        for task, label, posterior, count in zip(
            labels.task, best, labels.posterior, labels.answers, strict=True
        )
    )
    return _table(header, rows)


def _answers_table(
    answers: Answers,
    names: Sequence[str],
    classes: Sequence[str],
    annotators: Sequence[str] | None,
) -> bytes:
    columns = (answers.task, answers.annotator, answers.label, answers.control, answers.usable)
    rows = (
        [
            _text(names[task]),
            _text(annotators[annotator]) if annotators is not None else str(annotator),
            _text(classes[label]),
            str(int(control)),
            str(int(usable)),
        ]
        for task, annotator, label, control, usable in zip(*columns, strict=True)
    )
    return _table(["image", "annotator", "label", "control", "usable"], rows)


def _text(text: str) -> str:
    """A text that a spreadsheet takes for a text, not for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()

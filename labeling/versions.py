"""Label sets on disk: one folder per version, named by the hash of its content.

A version is manifest.json (plan, condition, cost, hashes, label distribution), labels.csv and
answers.csv. labels.csv holds the label that people's answers give and, where known, the best label,
which combines people and a model. A version appears whole or not at all, never changes, and is
verified on every read.

    from labeling import versions
    version = versions.load("3fa2c1")              # from runs/*/versions, verified
    version.table(versions.LABELS)["confidence"]   # columns of text, as in the file
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from budget.errors import InputError, StorageError, VersionDamaged, VersionMissing
from budget.files import private_folder, sync_folder, write_whole
from budget.money import Money
from labeling.aggregation.facts import (
    MINUTE_DIGITS,
    SECOND_DIGITS,
    SHARE_DIGITS,
    AnswerFacts,
    LabelFacts,
    label_facts,
)
from labeling.tables.spelling import guarded, unguarded
from labeling.tables.writing import csv_text
from labeling.types import Answers, Floats, LabelSet

MANIFEST = "manifest.json"
LABELS = "labels.csv"
ANSWERS = "answers.csv"

_BEST_DISTRIBUTION = "best_label_distribution"
_ID = re.compile(r"[0-9a-f]{4,32}")
_FULL = 32  # digits of a whole id
_TEXTS = ("image", "label", "best_label", "annotator")
_ROUNDING = 1e-3  # by which rounded probabilities may miss their sum of 1


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

    def table(self, name: str) -> dict[str, list[str]]:
        """The columns of labels.csv or answers.csv, with the texts as given to `save`.

        labels.csv: image, label (most probable class), confidence (its probability), agreement
        (share of usable answers with this class), answers (number of usable answers), tied (1
        where another class is as probable, else 0: the label is then the first of them), p(class)
        of every class. A version with best labels has, after `tied`, also best_label (most
        probable class given people and model), best_confidence (its probability) and changed (1
        where best_label differs from label, else 0), and at the end best(class) of every class:
        its probability given people and model.

        answers.csv: image, annotator (number within the condition), label, control and usable (1
        or 0), skill (share of right control answers, shrunk to the crowd's; empty for a subjective
        question), seconds (working time), submitted (minutes from the opening of the pool).

        Raises:
            VersionDamaged: the file differs from the saved file.
        """
        raw = _checked(self.path, name, self.manifest)
        header, *rows = csv.reader(io.StringIO(raw.decode(), newline=""))
        columns = zip(*rows, strict=True) if rows else [()] * len(header)
        return {
            head: [unguarded(cell) for cell in column] if head in _TEXTS else list(column)
            for head, column in zip(header, columns, strict=True)
        }


def save(
    root: Path,
    manifest: Mapping[str, Any],
    labels: LabelSet,
    answers: Answers,
    *,
    names: Sequence[str],
    classes: Sequence[str],
    annotators: Sequence[str] | None = None,
    facts: AnswerFacts | None = None,
    best: Floats | None = None,
) -> Version:
    """Save a label set under its content's hash. Saving the same set again changes nothing.

    Args:
        root: the folder of all versions; created if missing.
        manifest: the caller's facts of the set (plan, condition, cost, hash of the images, ...):
            JSON types, Money, fractions and dataclasses. This function adds the hashes of the two
            tables and the label distribution, also that of the best labels where they are given.
        labels: the aggregated labels.
        answers: the answers behind the labels, control answers included.
        names: name of each image, by row.
        classes: name of each class.
        annotators: name of each annotator, by code; None for the codes themselves.
        facts: skill and times of the answers, or None.
        best: [N, C] probability of each class given people and model, beside `labels.posterior`;
            None where there are no best labels.

    Raises:
        ValueError: `best` does not fit the labels, or its rows are no probabilities.
        InputError: the manifest holds a value without a JSON form, or a name that this function
            adds.
        StorageError: the folder cannot be written.
        VersionDamaged: the version exists, but differs from what was saved.
    """
    if best is not None:
        _check_best(best, labels)
    tables = {
        LABELS: _labels_table(labels, label_facts(labels, answers), best, names, classes),
        ANSWERS: _answers_table(answers, names, classes, annotators, facts),
    }
    added = {
        "files": {name: _hash(content) for name, content in tables.items()},
        "label_distribution": _distribution(labels.posterior, classes),
    }
    if best is not None:
        added[_BEST_DISTRIBUTION] = _distribution(best, classes)
    if taken := sorted(set(manifest) & {*added, _BEST_DISTRIBUTION}):
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
        raise _unwritable(root, error) from error
    return _open(root / version_id)


def load(version_id: str, folder: str | Path = "runs") -> Version:
    """Open a version and verify all its files.

    Args:
        version_id: the id, or its first digits: at least 4, and unique in the folder.
        folder: a folder of versions, a study's folder, or the folder of all studies.

    Raises:
        VersionMissing: the folder holds no such version; an InputError.
        InputError: the text is no version's id, or several ids start with it.
        VersionDamaged: a file is missing or differs from the saved file.
    """
    if not _ID.fullmatch(version_id):
        raise InputError(f"version: {version_id!r} is not an id of 4 to 32 hexadecimal digits")
    fitting = {path.name: path for path in find(folder) if path.name.startswith(version_id)}
    if not fitting:
        raise VersionMissing(f"version: there is no {version_id} in {folder}")
    if len(fitting) > 1:
        raise InputError(
            f"version: {len(fitting)} versions in {folder} begin with {version_id!r}; "
            "give more of its id"
        )
    return _open(next(iter(fitting.values())))


def find(folder: str | Path) -> list[Path]:
    """Folders of all versions in a folder of versions, a study's folder, or all studies' folder."""
    root = Path(folder)
    patterns = ("*", "versions/*", "*/versions/*")
    paths = (path for pattern in patterns for path in sorted(root.glob(pattern)))
    return [p for p in paths if len(p.name) == _FULL and _ID.fullmatch(p.name) and p.is_dir()]


def copy(version: Version, folder: Path) -> None:
    """Put a version's three files into a folder; never replace a file of other content.

    Raises:
        InputError: the folder holds a file of the same name with other content.
        StorageError: the folder cannot be written.
        VersionDamaged: a file differs from the saved file.
    """
    names = (*version.manifest["files"], MANIFEST)
    content = {name: _checked(version.path, name, version.manifest) for name in names}
    try:
        private_folder(folder)
        for name, raw in content.items():
            path = folder / name
            if path.exists() and path.read_bytes() != raw:
                raise InputError(f"{path}: another file is there already; give another folder")
        for name, raw in content.items():
            write_whole(folder / name, raw)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _open(folder: Path) -> Version:
    raw = _read(folder, MANIFEST)
    if _hash(raw) != folder.name:
        raise VersionDamaged(str(folder), f"{MANIFEST} is not as it was saved")
    manifest: dict[str, Any] = json.loads(raw)
    for name in manifest["files"]:
        _checked(folder, name, manifest)
    return Version(folder.name, folder, manifest)


def _checked(folder: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    """A file's content, verified; `_open` has verified the manifest itself."""
    raw = _read(folder, name)
    if name != MANIFEST and _hash(raw) != manifest["files"][name]:
        raise VersionDamaged(str(folder), f"{name} is not as it was saved")
    return raw


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
            # If the target exists, another process was faster, with the same content.
            if not target.exists():
                raise
        sync_folder(root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        str(folder),
        f"the label version cannot be written ({error.strerror or error})",
        "check its permissions and the free space, then run the same command again",
    )


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise VersionDamaged(str(folder), f"{name} cannot be read ({error.strerror})") from error


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _plain(value: object) -> Any:
    """JSON form of the manifest's values that are no JSON types."""
    if isinstance(value, Money):
        return {"usd": value.exact(), "micros": value.micros}
    if isinstance(value, Fraction):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{value!r} has no JSON form")


def _check_best(best: Floats, labels: LabelSet) -> None:
    if best.shape != labels.posterior.shape:
        raise ValueError(
            f"best labels of shape {best.shape} beside labels of {labels.posterior.shape}"
        )
    # `not all`: a comparison with nan is false.
    if not (np.all(best >= 0) and np.all(abs(best.sum(axis=1) - 1) <= _ROUNDING)):
        raise ValueError("best labels: each row must hold probabilities that sum to 1")


def _distribution(probabilities: Floats, classes: Sequence[str]) -> dict[str, int]:
    """Number of tasks by their most probable class."""
    counts = np.bincount(probabilities.argmax(axis=1), minlength=len(classes))
    return {name: int(count) for name, count in zip(classes, counts, strict=True)}


_Columns = list[tuple[str, list[str]]]


def _labels_table(
    labels: LabelSet,
    facts: LabelFacts,
    best: Floats | None,
    names: Sequence[str],
    classes: Sequence[str],
) -> bytes:
    columns: _Columns = [
        ("image", [guarded(names[task]) for task in labels.task]),
        ("label", [guarded(classes[label]) for label in facts.label]),
        ("confidence", _shares(facts.confidence)),
        ("agreement", _shares(facts.agreement)),
        ("answers", [str(count) for count in labels.answers]),
        ("tied", [str(int(tied)) for tied in facts.tied]),
    ]
    if best is not None:
        likeliest = best.argmax(axis=1)
        columns += [
            ("best_label", [guarded(classes[label]) for label in likeliest]),
            ("best_confidence", _shares(best.max(axis=1, initial=0.0))),
            ("changed", [str(int(differs)) for differs in likeliest != facts.label]),
        ]
    columns += _by_class("p", labels.posterior, classes)
    if best is not None:
        columns += _by_class("best", best, classes)
    rows = zip(*(column for _, column in columns), strict=True)
    return csv_text([head for head, _ in columns], rows).encode()


def _by_class(head: str, probabilities: Floats, classes: Sequence[str]) -> _Columns:
    """A column of each class's probabilities."""
    return [
        (f"{head}({name})", _shares(column))
        for name, column in zip(classes, probabilities.T, strict=True)
    ]


def _answers_table(
    answers: Answers,
    names: Sequence[str],
    classes: Sequence[str],
    annotators: Sequence[str] | None,
    facts: AnswerFacts | None,
) -> bytes:
    who = annotators or [str(code) for code in range(answers.annotator.max(initial=-1) + 1)]
    unknown = [""] * len(answers)
    columns = (
        [guarded(names[task]) for task in answers.task],
        [guarded(who[annotator]) for annotator in answers.annotator],
        [guarded(classes[label]) for label in answers.label],
        [str(int(control)) for control in answers.control],
        [str(int(usable)) for usable in answers.usable],
        _shares(facts.skill) if facts else unknown,
        [f"{value:.{SECOND_DIGITS}f}" for value in facts.seconds] if facts else unknown,
        [f"{value:.{MINUTE_DIGITS}f}" for value in facts.submitted] if facts else unknown,
    )
    header = ["image", "annotator", "label", "control", "usable", "skill", "seconds", "submitted"]
    return csv_text(header, zip(*columns, strict=True)).encode()


def _shares(values: Floats) -> list[str]:
    """Shares as text with the saved digits; an unknown share is empty."""
    return [
        "" if np.isnan(value) else f"{value:.{SHARE_DIGITS}f}"
        for value in np.round(values, SHARE_DIGITS)
    ]

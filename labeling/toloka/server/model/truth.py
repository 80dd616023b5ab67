"""The true answers that the simulated annotators try to give.

A rehearsal gives the server a file with the same items that the in-process crowd answers. Without a
file, a control task's truth is its known solution; another task's truth is drawn from the seed and
the task's input.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from budget.errors import InputError
from budget.files import regular
from labeling.crowd.people.items import Items
from labeling.crowd.people.opinions import Opinions


@dataclass(frozen=True, slots=True)
class Truth:
    """The items of a rehearsal, one row per image of the study's index.

    Attributes:
        question: the question that control tasks check.
        row: row of each image, by its address.
        items: truth, difficulty and distractor of every row, with the final difficulty of control
            tasks.
        further: items or opinions of the campaign's other questions, by name.
        path: the file.
        digest: content hash of the file.
    """

    question: str
    row: Mapping[str, int]
    items: Items
    further: Mapping[str, Items | Opinions] = field(default_factory=dict)
    path: Path | None = None
    digest: str = ""


def write_truth(
    path: Path,
    question: str,
    addresses: Sequence[str],
    items: Items,
    further: Mapping[str, Items | Opinions] | None = None,
) -> None:
    """Write the file that `toloka-server --truth` reads.

    Args:
        path: the file.
        question: name of the question that control tasks check.
        addresses: address of each row's image, as in the tasks.
        items: items of every row, with the lowered errors of control tasks.
        further: items of the other questions, by name.
    """
    document = {
        "question": question,
        "address": list(addresses),
        "items": _plain(items),
        "further": {name: _plain(seen) for name, seen in (further or {}).items()},
    }
    path.write_text(json.dumps(document), encoding="utf-8")


def read_truth(path: Path) -> Truth:
    """Read a file of `write_truth`.

    Raises:
        InputError: the file cannot be read, or its columns differ in length.
    """
    try:
        raw = regular(path).read_bytes()
        document = json.loads(raw)
        addresses = document["address"]
        truth = Truth(
            question=str(document["question"]),
            row={address: row for row, address in enumerate(addresses)},
            items=_items(document["items"], len(addresses)),
            further={
                name: _seen(seen, len(addresses)) for name, seen in document["further"].items()
            },
            path=path,
            digest=hashlib.blake2b(raw, digest_size=16).hexdigest(),
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(f"{path}: not a file of true answers: {error}") from None
    if len(truth.row) < len(addresses):
        raise InputError(f"{path}: an image address is given twice")
    return truth


def _plain(seen: Items | Opinions) -> dict[str, Any]:
    if isinstance(seen, Opinions):
        return {"appeal": seen.appeal.tolist()}
    return {name: getattr(seen, name).tolist() for name in Items.__slots__}


def _seen(document: Mapping[str, Any], rows: int) -> Items | Opinions:
    if "appeal" not in document:
        return _items(document, rows)
    appeal = np.array(document["appeal"], dtype=np.float64)
    if appeal.ndim != 2 or len(appeal) != rows:
        raise ValueError(f"appeal must have {rows} rows")
    return Opinions(appeal)


def _items(document: Mapping[str, Any], rows: int) -> Items:
    items = Items(
        np.array(document["truth"], dtype=np.int64),
        np.array(document["error"], dtype=np.float64),
        np.array(document["distractor"], dtype=np.int64),
    )
    if any(len(getattr(items, name)) != rows for name in Items.__slots__):
        raise ValueError(f"each column must have {rows} rows")
    return items

"""The forms of an export, a row each.

Tables and JSON name an image as the study does. Forms that hold the files themselves copy them
under flat names. Names and classes are anybody's text: a file lies inside the folder that was
given, on both sides.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from budget.errors import InputError
from budget.files import private_folder, write_whole
from hpo.data.exported.labelled import Export, LabelledImage
from labeling.tables.spelling import guarded
from labeling.tables.writing import csv_text
from labeling.views.export import write_table

_KINDS = {"image": "text", "label": "text", "confidence": "share", "answers": "count"}
_QUESTION, _IMAGE = "class", "image"
"""Names of the choice and of the image in Label Studio's labeling configuration."""


class ExportForm(NamedTuple):
    """A form of an export.

    Attributes:
        name: as `--as` takes it.
        write: writes an export into an empty folder.
        needs_images: whether the images' files have to be at hand.
    """

    name: str
    write: Callable[[Export, Path], None]
    needs_images: bool = False


def _table(export: Export) -> dict[str, list[object]]:
    return {
        "image": [row.name for row in export.rows],
        "label": [row.label for row in export.rows],
        "confidence": [row.confidence for row in export.rows],
        "answers": [row.answers for row in export.rows],
    }


def _csv(export: Export, to: Path) -> None:
    write_table(to / "labels.csv", _table(export), _KINDS)


def _parquet(export: Export, to: Path) -> None:
    write_table(to / "labels.parquet", _table(export), _KINDS)


def _label_studio(export: Export, to: Path) -> None:
    """Tasks with the label as a prediction, which a reviewer accepts or corrects."""
    tasks = [
        {
            "data": {_IMAGE: f"/data/local-files/?d={quote(row.name)}"},
            "predictions": [
                {
                    "model_version": export.version[:12],
                    "score": row.confidence,
                    "result": [
                        {
                            "type": "choices",
                            "from_name": _QUESTION,
                            "to_name": _IMAGE,
                            "value": {"choices": [row.label]},
                        }
                    ],
                }
            ],
        }
        for row in export.rows
    ]
    _json(to / "tasks.json", tasks)


def _coco(export: Export, to: Path) -> None:
    """A category for each class, and one annotation without a box for each image."""
    code = {name: at for at, name in enumerate(export.classes, 1)}
    _json(
        to / "annotations.json",
        {
            "info": {"description": "image classification", "version": export.version},
            "categories": [{"id": number, "name": name} for name, number in code.items()],
            "images": [
                {"id": at, "file_name": row.name, **_size(row, export)}
                for at, row in enumerate(export.rows, 1)
            ],
            "annotations": [
                {
                    "id": at,
                    "image_id": at,
                    "category_id": code[row.label],
                    "score": row.confidence,
                }
                for at, row in enumerate(export.rows, 1)
            ],
        },
    )


def _size(row: LabelledImage, export: Export) -> dict[str, int]:
    if export.folder is None:
        return {}
    from training.decoding import BadImageError, size_of

    try:
        width, height = size_of(_file(row, export))
    except BadImageError as error:
        raise InputError(f"--images: {export.folder}: {row.name}: {error.reason}") from None
    return {"width": width, "height": height}


def _image_folder(export: Export, to: Path) -> None:
    """A folder a class, as ImageFolder of torchvision reads it."""
    names = {name: _folder_name(name) for name in export.classes}
    flat = _flat_names(export)
    for row in export.rows:
        _copy(_file(row, export), to / names[row.label] / flat[row.name])
    rows = [(folder, guarded(name)) for name, folder in names.items()]
    if any(folder != name for folder, name in rows):
        write_whole(to / "classes.csv", csv_text(("folder", "class"), rows).encode())


def _hugging_face(export: Export, to: Path) -> None:
    """The images and a metadata.csv, as `datasets.load_dataset("imagefolder")` reads them."""
    flat = _flat_names(export)
    for row in export.rows:
        _copy(_file(row, export), to / "images" / flat[row.name])
    # No guard against spreadsheets: datasets takes cells as they are.
    rows = [(f"images/{flat[r.name]}", r.label, f"{r.confidence:.6f}") for r in export.rows]
    table = csv_text(("file_name", "label", "confidence"), rows)
    write_whole(to / "metadata.csv", table.encode())


def _flat_names(export: Export) -> dict[str, str]:
    """A file name of its own for each image: folders become part of it."""
    flat = {row.name: row.name.replace("/", "__") for row in export.rows}
    if len(set(flat.values())) < len(flat):
        names = list(flat.values())
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise InputError(f"two images would both be written as {twice!r}; rename one of them")
    return flat


def _folder_name(name: str) -> str:
    """A class as a folder's name: what a path would take apart is written as its code."""
    safe = quote(name, safe=" ()+,;=@&'!$")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


def _file(row: LabelledImage, export: Export) -> Path:
    from training.decoding import BadImageError, inside

    assert export.folder is not None  # noqa: S101 - forms that need it say so
    try:
        return inside(export.folder.resolve(), row.name)
    except BadImageError as error:
        raise InputError(f"--images: {export.folder}: {row.name}: {error.reason}") from None


def _copy(source: Path, target: Path) -> None:
    private_folder(target.parent)
    shutil.copyfile(source, target)


def _json(path: Path, value: object) -> None:
    write_whole(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


FORMS = (
    ExportForm("csv", _csv),
    ExportForm("parquet", _parquet),
    ExportForm("label-studio", _label_studio),
    ExportForm("coco", _coco),
    ExportForm("imagefolder", _image_folder, needs_images=True),
    ExportForm("huggingface", _hugging_face, needs_images=True),
)
BY_NAME = {form.name: form for form in FORMS}

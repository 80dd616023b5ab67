"""Label Studio's exports: JSON, JSON-MIN and CSV of one question with one choice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from budget.errors import InputError
from budget.toml import parse_json
from labeling.recorded.answer_cells import AnswerCells
from labeling.recorded.formats.table_format import (
    TableFormat,
    column_of,
    image_column,
    label_column,
    read_as,
)
from labeling.tables.columns import IMAGE
from labeling.tables.table import RowTable
from labeling.tables.text import note, read_text

_NAME = "a Label Studio export"
_OWN = {"annotation_id", "annotator", "created_at", "updated_at", "id", "lead_time"}
_IMAGES = (*IMAGE, "image_url", "img", "photo", "picture", "url")
_UPLOADED = re.compile(r"/data/upload/\d+/[0-9a-f]{8}-")


# --- CSV and JSON-MIN ---


def _is_table(table: RowTable, classes: Sequence[str] | None) -> bool:
    return "annotation_id" in table.header and bool({"lead_time", "annotator"} & set(table.header))


def _read_table(table: RowTable) -> AnswerCells:
    others = [name for name in table.header if name not in _OWN]
    image = image_column(table.origin, _NAME, [n for n in others if n.lower() in _IMAGES])
    label = label_column(table.origin, _NAME, [n for n in others if n.lower() not in _IMAGES])
    tasks, notes = _files(table.origin, table.column(table.header.index(image)))
    labels = [
        _choice(table.origin, f"row {line}", cell)
        for line, cell in zip(table.lines, table.column(table.header.index(label)), strict=True)
    ]
    return read_as(
        table,
        _NAME,
        image,
        label,
        tuple(_OWN),
        annotator="annotator",
        task=tasks,
        labels=labels,
        seconds=column_of(table, "lead_time"),
        notes=notes,
    )


def _choice(origin: str, where: str, cell: str) -> str:
    """The answer in a cell: a text, or JSON with one choice."""
    if not cell.lstrip().startswith(("{", "[")):
        return cell
    try:
        value = parse_json(cell)
    except ValueError:
        return cell
    return _one(origin, where, value.get("choices", []) if isinstance(value, dict) else value)


def _one(origin: str, where: str, choices: Any) -> str:
    several = choices if isinstance(choices, list) else [choices]
    if len(several) > 1:
        raise InputError(
            f"{origin}: {where}: {len(several)} choices; an answer is one choice: keep one"
        )
    return str(several[0]) if several else ""


def _files(origin: str, cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the images that the addresses of uploaded and local files stand for."""
    names = [_file(cell) for cell in cells]
    changed = [(cell, name) for cell, name in zip(cells, names, strict=True) if cell != name]
    if not changed:
        return names, []
    first = f"{changed[0][0]} is {changed[0][1]}"
    return names, [note(origin, f"{len(changed)} addresses are read as names: {first}")]


def _file(cell: str) -> str:
    address = cell.strip()
    parts = urlsplit(address)
    if parts.path.endswith("/data/local-files/"):
        return parse_qs(parts.query).get("d", [address])[0]
    match = _UPLOADED.search(address)
    return address[match.end() :] if match else address


# --- JSON ---


def read_label_studio_json(path: Path) -> AnswerCells | RowTable:
    """The answers of an export as JSON, or the table of one as JSON-MIN.

    Raises:
        InputError: the file is no such export, or a task's answer is not one choice.
    """
    text, notes = read_text(path)
    try:
        tasks = parse_json(text)
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InputError(f"{path}: not {_NAME}: it is no list of tasks; export as JSON or CSV")
    if any("annotations" in task for task in tasks):
        try:
            return _read_tasks(str(path), tasks, notes)
        except InputError:
            raise
        except (TypeError, AttributeError, KeyError, ValueError, OverflowError) as error:
            raise InputError(f"{path}: not {_NAME}: a task is damaged ({error})") from None
    if any("annotation_id" in task for task in tasks):
        return _flat(str(path), tasks, notes)
    raise InputError(
        f"{path}: not {_NAME}: its tasks hold no annotations; export as JSON or JSON-MIN"
    )


def _flat(origin: str, tasks: Sequence[Mapping[str, Any]], notes: tuple[str, ...]) -> RowTable:
    header = tuple(dict.fromkeys(name for task in tasks for name in task))
    rows = tuple(tuple(_text(task.get(name)) for name in header) for task in tasks)
    return RowTable(origin, header, rows, tuple(range(1, len(rows) + 1)), ",", notes)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _read_tasks(
    origin: str, tasks: Sequence[Mapping[str, Any]], notes: tuple[str, ...]
) -> AnswerCells:
    found = list(_annotations(tasks))
    kept = [(task, one) for task, one in found if not one.get("was_cancelled")]
    truths = [(task, one) for task, one in kept if one.get("ground_truth")]
    answers = [(task, one) for task, one in kept if not one.get("ground_truth")]
    image = image_column(origin, _NAME, _data_keys(tasks))
    question = label_column(origin, _NAME, _questions(origin, kept))
    gold = {str(task["id"]): _answer(origin, task, one, question) for task, one in truths}
    said = [note(origin, f"read as {_NAME}: image {image}, label {question}")]
    if len(kept) < len(found):
        said.append(note(origin, f"{len(found) - len(kept)} cancelled annotations are left out"))
    if truths:
        words = "annotations marked as ground truth are true classes, no answers"
        said.append(note(origin, f"{len(truths)} {words}"))
    names, renamed = _files(origin, [_text(task["data"].get(image)) for task, _ in answers])
    return AnswerCells(
        origin=origin,
        task=names,
        label=[_answer(origin, task, one, question) for task, one in answers],
        lines=[int(task["id"]) for task, _ in answers],
        annotator=[_person(one.get("completed_by")) for _, one in answers],
        seconds=[_text(one.get("lead_time")) for _, one in answers],
        gold=[gold.get(str(task["id"]), "") for task, _ in answers],
        notes=(*notes, *said, *renamed),
        row="task",
    )


def _annotations(
    tasks: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for number, task in enumerate(tasks, start=1):
        for annotation in task.get("annotations") or ():
            yield {"id": number, "data": {}, **task}, annotation


def _data_keys(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = list(dict.fromkeys(key for task in tasks for key in task.get("data") or {}))
    return [key for key in keys if key.lower() in _IMAGES] or keys


def _questions(
    origin: str, found: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> list[str]:
    """Names of the questions; each answer must be a choice."""
    names: dict[str, None] = {}
    for task, annotation in found:
        for result in annotation.get("result") or ():
            if result.get("type") != "choices":
                raise InputError(
                    f"{origin}: task {task['id']}: an answer of type {result.get('type')!r} cannot "
                    "be read; answers are choices"
                )
            names[str(result.get("from_name"))] = None
    return list(names)


def _answer(
    origin: str, task: Mapping[str, Any], annotation: Mapping[str, Any], question: str
) -> str:
    for result in annotation.get("result") or ():
        if str(result.get("from_name")) == question:
            return _one(origin, f"task {task['id']}", result.get("value", {}).get("choices", []))
    return ""


def _person(who: Any) -> str:
    if isinstance(who, dict):
        return _text(who.get("email") or who.get("id"))
    return _text(who)


LABEL_STUDIO = TableFormat(_NAME, _is_table, _read_table)

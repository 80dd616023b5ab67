"""The label versions of a study's folder, entered in its database so that views can query them.

from hpo.study.views.version_catalogue import rows
found = rows("runs/digits3", "confidence >= 0.8 and label != 'loop'")
found["image"], found["label"]                  # lists, one entry per label inside
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from budget.errors import InputError, nearest
from budget.money import MICROS_PER_DOLLAR
from hpo.settings.run_folder import open_store, read_config
from hpo.study.journal import told_versions
from labeling import versions
from labeling.store.catalogue import NO_LABEL, Catalogue, CatalogueEntry, NamedView, columns_of
from labeling.versions import ANSWERS, LABELS, Version
from labeling.views import View, parse_view
from labeling.views.columns import COLUMNS

_NAME = re.compile(r"([A-Za-z][\w.-]{0,79})(?:@([0-9a-f]{4,32}))?", re.ASCII)


@contextmanager
def open_catalogue(folder: Path) -> Iterator[Catalogue]:
    """The catalogue of a study's folder, every version on disk entered.

    Raises:
        InputError: there is no study in the folder.
        VersionDamaged: a version that is not entered yet is not as it was saved.
    """
    config = read_config(folder)
    engine = open_store(folder, config)
    try:
        catalogue = Catalogue(engine, config.study)
        entered = catalogue.entries()
        fresh = [path for path in versions.find(folder / "versions") if path.name not in entered]
        days = _days(folder) if fresh else {}
        for path in fresh:
            enter(catalogue, versions.load(path.name, path.parent), days.get(path.name))
        yield catalogue
    finally:
        engine.dispose()


def enter(catalogue: Catalogue, version: Version, day: date | None = None) -> None:
    """Enter a version; a known one changes nothing.

    Args:
        catalogue: where to.
        version: the version, verified.
        day: UTC day on which it was saved; None for the day of its files.
    """
    labels, answers = version.table(LABELS), version.table(ANSWERS)
    place = {image: position for position, image in enumerate(labels["image"])}
    label_columns: dict[str, Sequence[Any]] = {
        "image": labels["image"],
        "label": labels["label"],
        "confidence": _numbers(labels["confidence"]),
        "agreement": _numbers(labels["agreement"]),
        "answers": [int(count) for count in labels["answers"]],
    }
    if "best_label" in labels:
        label_columns |= {
            "best_label": labels["best_label"],
            "best_confidence": _numbers(labels["best_confidence"]),
            "changed": [flag == "1" for flag in labels["changed"]],
        }
    images, control = answers["image"], [flag == "1" for flag in answers["control"]]
    answer_columns: dict[str, Sequence[Any]] = {
        "label_position": [
            NO_LABEL if is_control else place.get(image, NO_LABEL)
            for image, is_control in zip(images, control, strict=True)
        ],
        "image": images,
        "answer": answers["label"],
        "annotator": answers["annotator"],
        **{name: _numbers(answers[name]) for name in ("skill", "seconds", "submitted")},
        "control": control,
        "usable": [flag == "1" for flag in answers["usable"]],
    }
    catalogue.add(_entry(version, day), label_columns, answer_columns)


def find_view(catalogue: Catalogue, text: str, over: str | None = None, name: str = "view") -> View:
    """A named view (NAME, or NAME@VERSION for an earlier one), or an expression.

    Args:
        catalogue: where it will be asked.
        text: the name or expression.
        over: labels | answers, for an expression; None for what its columns say.
        name: what it is called in error messages.

    Raises:
        InputError: there is no such view, or the expression is wrong.
    """
    match = _NAME.fullmatch(text.strip())
    named = catalogue.named()
    # An older release, which had fewer columns, may have given a view the name of a new column.
    columns = COLUMNS.keys() - {view.name for view in named}
    if match is None or match[1] in columns:
        return catalogue.bind(parse_view(text, name, COLUMNS, over), name)
    fitting = [v for v in named if v.name == match[1] and v.version.startswith(match[2] or "")]
    if not fitting:
        names = tuple(dict.fromkeys((*(view.name for view in named), *COLUMNS)))
        raise InputError(
            f"{name}: there is no view named {text.strip()!r}; {nearest(match[1], names)}"
        )
    return fitting[-1].open()


def keep_view(catalogue: Catalogue, name: str, view: View) -> NamedView:
    """Give a view a name.

    Raises:
        InputError: the name is a column's, or not one.
    """
    match = _NAME.fullmatch(name)
    if match is None or match[2] or match[1] in COLUMNS:
        raise InputError(
            f"--name: {name!r} is not a name of letters, digits, . _ and - that no column has"
        )
    return catalogue.keep(name, view)


def rows(run: str | Path, expression: str, over: str | None = None) -> dict[str, list[Any]]:
    """The rows of a study's versions inside a view, as columns of Python values.

    Args:
        run: the study's folder, such as "runs/digits3".
        expression: a view, or the name of one.
        over: labels | answers; None for what the view's columns say.

    Raises:
        InputError: there is no study in the folder, or the view is wrong.
    """
    with open_catalogue(Path(run)) as catalogue:
        return table(catalogue, find_view(catalogue, expression, over))


def table(catalogue: Catalogue, view: View) -> dict[str, list[Any]]:
    """The rows inside a bound view as columns: dates as dates, dollars as Decimal."""
    names = columns_of(view.over)
    rows_inside = catalogue.rows(view)
    columns = zip(*rows_inside, strict=True) if rows_inside else [()] * len(names)
    made = {name: list(column) for name, column in zip(names, columns, strict=True)}
    made["date"] = [date.fromordinal(day) for day in made["date"]]
    made["price"] = [
        None if micros is None else Decimal(micros) / MICROS_PER_DOLLAR for micros in made["price"]
    ]
    return made


def _entry(version: Version, day: date | None) -> CatalogueEntry:
    manifest = version.manifest
    if day is None:
        seconds = (version.path / versions.MANIFEST).stat().st_mtime
        day = datetime.fromtimestamp(seconds, UTC).date()
    try:
        condition, is_merged = manifest["condition"], manifest.get("merged", False)
        return CatalogueEntry(
            version=version.id,
            day=day.toordinal(),
            condition=None if is_merged else condition["key"],
            market=condition["market"].partition(":")[0],
            price_micros=None if is_merged else condition["price"]["micros"],
            overlap=manifest.get("plan", {}).get("overlap"),
            controls=None if is_merged else condition["controls_per_suite"],
            exam=None if is_merged else condition["exam"],
            classes=tuple(manifest["classes"]),
        )
    except KeyError as error:
        raise InputError(
            f"{version.path}: {versions.MANIFEST} has no {error}; it is no version of a study"
        ) from None


def _days(folder: Path) -> Mapping[str, date]:
    """The UTC day on which each version was saved, as the journal tells."""
    journal = folder / "journal.jsonl"
    days: dict[str, date] = {}
    lines = journal.read_text().splitlines() if journal.exists() else []
    for line in lines:
        if '"version"' in line and line.endswith("}"):  # else not a version, or cut by a crash
            event = json.loads(line)
            for version in told_versions(event):
                days.setdefault(version, date.fromisoformat(event["at"][:10]))
    return days


def _numbers(column: Sequence[str]) -> list[float | None]:
    return [float(text) if text else None for text in column]

"""Recorded answers of real people as a market: a replay."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.data.image_names import NameMatch, match_names
from hpo.market.market import Market, Opening
from hpo.market.simulated import crowd_seed_of
from hpo.settings.config import StudyConfig
from labeling.recorded.answer_cells import ReadingChoices
from labeling.recorded.own_labels import OwnLabels, own_label_page
from labeling.recorded.reading import read_recording, task_rows
from labeling.recorded.recording import Recording
from labeling.recorded.source import ReplaySource
from labeling.types import LabelPlan


def read_answers(file: str, data: Dataset, config: StudyConfig) -> Recording:
    """Recorded answers in the classes of a study's data, with tasks named as its images.

    Raises:
        InputError: the file cannot be read, or holds labels that are none of the classes.
    """
    choices = ReadingChoices(config.keep_classes, config.skip_empty)
    recording = read_recording(Path(file), data.classes, choices)
    names = data.images.names
    if set(names) <= set(recording.tasks):
        return recording
    found = _matched(recording.tasks, names)
    if not found.rule:
        return recording
    tasks = tuple(found.files.get(name, name) for name in recording.tasks)
    notes = (*recording.notes, *found.note(Path(file).name, len(tasks)))
    return replace(recording, tasks=tasks, notes=notes)


def _matched(tasks: Sequence[str], names: Sequence[str]) -> NameMatch:
    """Image of each task; the images of an array are numbers, and have no extension."""
    found = match_names(tasks, names)
    bare = {posixpath.splitext(task)[0]: task for task in tasks}
    if found.files or len(bare) < len(tasks) or any(map(_extension, names)):
        return found
    found = match_names(list(bare), names)
    rule = f"{found.rule} and without extension" if found.rule else "without extension"
    return NameMatch({bare[name]: image for name, image in found.files.items()}, rule)


def _extension(name: str) -> str:
    return posixpath.splitext(name)[1]


def read_own_labels(config: StudyConfig, data: Dataset, market: Market) -> OwnLabels | None:
    """The answers of `--own-labels`, when there are any.

    Raises:
        InputError: the file cannot be read or does not fit the study's images and classes.
    """
    if config.own_labels is None:
        return None
    recording = read_answers(config.own_labels, data, config)
    return own_label_page(
        recording,
        task_rows(recording, data.images.names),
        market.campaign,
        market.data,
        [int(row) for row in data.rows["control"]],
    )


def open_market(opening: Opening) -> Market:
    """A recording as a market.

    Raises:
        InputError: the recording lacks images of the pool, answers, or what the plans ask for.
    """
    config, data, file = opening.config, opening.data, opening.file
    recording = read_answers(file, data, config)
    source = ReplaySource(
        recording,
        task_rows(recording, data.images.names),
        opening.campaign,
        {int(row): int(data.truth[row]) for row in data.rows["control"]},
        config.tariff,
        crowd_seed_of(opening),
        opening.ended_orders,
    )
    _check_pool(opening, recording, source)
    notes = ["Answers are replayed from a recording, which knows nothing about price."]
    notes += recording.notes
    if recording.annotator is None:
        notes.append(
            "The recording does not say who answered: no skills, no control tasks and no bans."
        )
    if not source.knows_time:
        notes.append("The recording has no working times: minutes are not known, and not shown.")
    stem = Path(file).stem
    market = opening.market(f"replay:{stem}:{recording.key}", source, notes, stem)
    market = replace(
        market,
        most_answers=lambda row: source.most_overlap([row]),
        file_notes=recording.notes,
    )
    for exam in config.exam:
        for controls in config.controls:
            source.check(market.condition(LabelPlan(config.price[0], 1, controls, 1, exam)))
    return market


def _check_pool(opening: Opening, recording: Recording, source: ReplaySource) -> None:
    """Refuse a recording without answers to the pool, or with too few for the plans."""
    data, file = opening.data, opening.file
    rows = task_rows(recording, data.images.names)
    missing = [data.images.names[row] for row in data.rows["pool"] if int(row) not in rows]
    if missing:
        raise InputError(
            f"{file}: {len(missing)} images of the pool have no recorded answer, such as "
            f"{missing[0]!r}; leave them out of the pool"
        )
    most = source.most_overlap(data.rows["pool"].tolist())
    asked = opening.config.most_asked
    if asked > most:
        raise InputError(
            f"--overlap: {asked} answers per task, but {file} has {most} on "
            f"some image of the pool; give at most {most}"
        )

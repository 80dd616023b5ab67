"""Recorded answers of real people as a market: a replay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.market.market import Market, Opening, most_asked
from hpo.market.simulated import crowd_seed_of
from labeling.recorded.reading import read_recording, task_rows
from labeling.recorded.recording import Recording
from labeling.recorded.source import ReplaySource
from labeling.types import LabelPlan


def read_answers(file: str, data: Dataset) -> Recording:
    """Recorded answers in the classes of a study's data."""
    return read_recording(Path(file), data.classes)


def open_market(opening: Opening) -> Market:
    """A recording as a market.

    Raises:
        InputError: the recording lacks images of the pool, answers, or what the plans ask for.
    """
    config, data, file = opening.config, opening.data, opening.file
    recording = read_answers(file, data)
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
    if not source.knows_time:
        notes.append("The recording has no working times: minutes are not known and shown as 0.")
    stem = Path(file).stem
    market = opening.market(f"replay:{stem}:{recording.key}", source, notes, stem)
    market = replace(market, most_answers=lambda row: source.most_overlap([row]))
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
    if most_asked(opening.config) > most:
        raise InputError(
            f"--overlap: {most_asked(opening.config)} answers per task, but {file} has {most} on "
            f"some image of the pool; give at most {most}"
        )

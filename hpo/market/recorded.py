"""Recorded answers as a market."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.market.market import Market, make_market
from hpo.market.simulated import crowd_seed_of, most_asked
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import Campaign
from labeling.recorded.reading import Recording, read_recording, task_rows
from labeling.recorded.source import ReplaySource
from labeling.store import Store
from labeling.types import Condition, LabelPlan, Order


def read_answers(file: str, data: Dataset) -> Recording:
    """Recorded answers in the classes of a study's data."""
    return read_recording(Path(file), data.classes)


def open_replay(
    config: StudyConfig,
    data: Dataset,
    campaign: Campaign,
    question: int,
    file: str,
    store: Store | None,
    crowd_seed: int | None,
) -> Market:
    """A recording as a market.

    Raises:
        InputError: the recording lacks images of the pool, answers, or what the plans ask for.
    """
    recording = read_answers(file, data)
    rows = task_rows(recording, data.images.names)
    control_truth = {int(row): int(data.truth[row]) for row in data.rows["control"]}
    source = ReplaySource(
        recording,
        rows,
        campaign,
        control_truth,
        config.tariff,
        crowd_seed_of(config, crowd_seed),
        ended_orders(store),
    )
    missing = [data.images.names[row] for row in data.rows["pool"] if int(row) not in rows]
    if missing:
        raise InputError(
            f"{file}: {len(missing)} images of the pool have no recorded answer, such as "
            f"{missing[0]!r}; leave them out of the pool"
        )
    most = source.most_overlap(data.rows["pool"].tolist())
    if most_asked(config) > most:
        raise InputError(
            f"--overlap: {most_asked(config)} answers per task, but {file} has {most} on some "
            f"image of the pool; give at most {most}"
        )
    notes = ["Answers are replayed from a recording, which knows nothing about price."]
    if not source.knows_time:
        notes.append("The recording has no working times: minutes are not known and shown as 0.")
    name = f"replay:{Path(file).stem}:{recording.key}"
    market = make_market("replay", name, source, campaign, data, question, tuple(notes))
    for exam in config.exam:
        for controls in config.controls:
            source.check(market.condition(LabelPlan(config.price[0], 1, controls, 1, exam)))
    return market


def ended_orders(store: Store | None) -> Callable[[Condition], list[Order]]:
    """Ended orders of a condition, by tranche: what its annotators have been through."""

    def orders(condition: Condition) -> list[Order]:
        records = store.orders(condition) if store else []
        return [record.order for record in records if record.end is not None]

    return orders

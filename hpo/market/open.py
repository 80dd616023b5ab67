"""Opens the market of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.market import toloka
from hpo.market.market import Market, make_campaign, make_market
from hpo.market.recorded import ended_orders, open_replay, read_answers
from hpo.market.simulated import (
    check_overlap,
    crowd_seed_of,
    further_items,
    pool_items,
    scenario_of,
)
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import Campaign
from labeling.campaign.exam_tasks import set_apart
from labeling.campaign.templates import stands_for
from labeling.crowd.scenario import Scenario
from labeling.crowd.source import CrowdSource
from labeling.recorded.reading import Recording
from labeling.source import LabelSource
from labeling.store import Store


def open_market(
    config: StudyConfig,
    data: Dataset,
    store: Store | None = None,
    crowd_seed: int | None = None,
    features: Callable[[], NDArray[np.float32]] | None = None,
    folder: Path | None = None,
) -> Market:
    """The market of a configuration; with a store it can go on where orders ended.

    Args:
        config: the study's configuration.
        data: its images.
        store: its orders.
        crowd_seed: draws other annotators over the same items; None for the study's own.
        features: gives the images' features, for difficulty that follows them; without it
            difficulty is independent (quotes do not depend on it).
        folder: the study's folder, to buy through Toloka's API; without it nothing but quotes
            and simulated answers can be had.

    Raises:
        InputError: a scenario or recording is unknown or wrong, or cannot bear the plans.
    """
    campaign = make_campaign(config, data.classes)
    question = campaign.question(config.question) if config.question else 0
    kind, _, file = config.market.partition(":")
    if kind == "replay":
        return open_replay(config, data, campaign, question, file, store, crowd_seed)
    scenario = scenario_of(config)
    recording = read_answers(file, data) if kind == "hybrid" else None
    seed = crowd_seed_of(config, crowd_seed)
    crowd = CrowdSource(
        scenario=scenario,
        campaign=campaign,
        items=pool_items(config, data, scenario, recording, features),
        controls=[int(row) for row in data.rows["control"]],
        tariff=config.tariff,
        seed=seed,
        earlier=ended_orders(store),
        further=further_items(config, data, scenario, campaign, features),
    )
    _check_exam(config, campaign, data)
    source: LabelSource = crowd
    if kind in ("rehearsal", "toloka"):
        where = toloka.check(config, data, campaign, question)
        if folder is not None:
            door = toloka.real if kind == "toloka" else toloka.rehearsal
            source = door(config, data, crowd, seed, where, folder)
    if kind != "toloka":
        check_overlap(config, scenario)
    name = _name(config, scenario, recording)
    notes = _notes(config, data, campaign, recording)
    market = make_market(kind, name, source, campaign, data, question, notes)
    return replace(market, crowd=crowd)


def _name(config: StudyConfig, scenario: Scenario, recording: Recording | None) -> str:
    """Who answers: a rehearsal's annotators are the simulated crowd's."""
    kind = config.market.partition(":")[0]
    if kind == "toloka":
        return f"toloka:{config.toloka_environment}"
    kind = "simulated" if kind == "rehearsal" else kind
    name = f"{kind}:{scenario.name}:{scenario.key}"
    if config.difficulty == "images":
        name += ":images"
    return f"{name}:{recording.key}" if recording is not None else name


def _notes(
    config: StudyConfig, data: Dataset, campaign: Campaign, recording: Recording | None
) -> tuple[str, ...]:
    notes = []
    if config.market == "toloka":
        notes.append(
            f"Labels were bought on Toloka {config.toloka_environment}. The fee is taken to be "
            f"{float(config.fee_share):.0%} of the reward, at least {config.fee_minimum}; minutes "
            f"beforehand are those of the simulated crowd {config.scenario!r}."
        )
    else:
        notes.append(
            "Labels come from a simulated crowd: no money was spent, and prices act as its model "
            "says."
        )
    if config.market == "rehearsal":
        notes.append(toloka.REHEARSED)
        if not (config.image_url_prefix or any(data.urls)):
            notes.append(toloka.NO_ADDRESSES)
    if (stand_in := stands_for(campaign, data.classes)) is not None:
        notes.append(stand_in)
    if recording is not None:
        notes.append("How hard each image is, and what it is mistaken for, is from a recording.")
    return tuple(notes)


def _check_exam(config: StudyConfig, campaign: Campaign, data: Dataset) -> None:
    size = len(data.rows["control"])
    if True in config.exam and size < campaign.exam.tasks + max(config.controls):
        raise InputError(
            f"--exam: an exam of {campaign.exam.tasks} tasks and {max(config.controls)} control "
            f"tasks per suite need more than {size} control images; give more, or --exam off"
        )
    if True in config.exam and campaign.judged is not None:
        rows, names = data.rows["control"], campaign.questions[campaign.judged].classes
        set_apart(campaign.exam, rows, data.truth[rows], names)

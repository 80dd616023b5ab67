"""The simulated crowd as a market."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import OBJECTIVE, Campaign
from labeling.crowd.fitting.hybrid import hybrid_items
from labeling.crowd.people.difficulty import difficulty_from_features
from labeling.crowd.people.items import Items, make_items
from labeling.crowd.people.opinions import Opinions, opinions_from_features
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.recorded.reading import Recording, task_rows
from labeling.seeds import derive


def scenario_of(config: StudyConfig) -> Scenario:
    """The simulated crowd, with the configuration's own selection exponent if it has one."""
    scenario = load_scenario(config.scenario)
    if config.selection is None:
        return scenario
    return replace(scenario, selection=config.selection)


def crowd_seed_of(config: StudyConfig, crowd_seed: int | None) -> int:
    """The seed of who the annotators are: the study's own, or another draw of them."""
    return derive(config.seed, "crowd") if crowd_seed is None else crowd_seed


def pool_items(
    config: StudyConfig,
    data: Dataset,
    scenario: Scenario,
    recording: Recording | None,
    features: Callable[[], NDArray[np.float32]] | None,
) -> Items:
    """How hard each image is for the simulated crowd, and what it is mistaken for."""
    classes, seed = len(data.classes), derive(config.seed, "items")
    if config.market == "toloka":  # unknown labels: nobody answers from these, time is all
        data = replace(data, truth=np.maximum(data.truth, 0))
    if recording is None and config.difficulty == "images" and features is not None:
        errors = difficulty_from_features(features(), data.truth, classes, scenario, seed)
        return make_items(scenario, data.truth, classes, seed=seed, difficulty=errors)
    if recording is None:
        return make_items(scenario, data.truth, classes, seed=seed)
    rows = task_rows(recording, data.images.names)
    difficulty, distractor = hybrid_items(recording, data.truth, classes, seed, rows)
    return make_items(
        scenario, data.truth, classes, seed=seed, difficulty=difficulty, distractor=distractor
    )


def further_items(
    config: StudyConfig,
    data: Dataset,
    scenario: Scenario,
    campaign: Campaign,
    features: Callable[[], NDArray[np.float32]] | None,
) -> dict[str, Items | Opinions]:
    """What annotators see in the campaign's other questions: the data's classes, or an appeal."""
    seen: dict[str, Items | Opinions] = {}
    for at, question in enumerate(campaign.questions):
        if at == campaign.judged:
            continue
        seed, classes = derive(config.seed, "items", question.name), len(question.classes)
        if question.kind == OBJECTIVE:
            truth = np.maximum(data.truth, 0)  # -1 where a real market needs no label
            seen[question.name] = make_items(scenario, truth, classes, seed=seed)
        elif features is not None:
            seen[question.name] = opinions_from_features(
                scenario, features(), classes, seed, question.name
            )
    return seen


def most_asked(config: StudyConfig) -> int:
    """The most answers that any plan may want on one task."""
    return max((*config.overlap, *(rule.most for rule in config.dynamic_overlap)))


def check_overlap(config: StudyConfig, scenario: Scenario) -> None:
    """Refuse an overlap above the annotators that the crowd has in time."""
    most, asked = scenario.most_overlap(config.max_minutes), most_asked(config)
    if asked > most:
        raise InputError(
            f"--overlap: {asked} answers per task are more than the crowd "
            f"{scenario.name!r} can bear (at most {most} different annotators in time)"
        )

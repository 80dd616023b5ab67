"""Who answers: the simulated crowd, recorded answers, or recorded images under simulated people."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from hpo import real_market
from hpo.data import Dataset
from hpo.door import Door
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import OBJECTIVE, Campaign, Question
from labeling.campaign.exam_tasks import set_apart
from labeling.campaign.templates import load_campaign, sized, stands_for
from labeling.crowd.fitting.hybrid import hybrid_items
from labeling.crowd.people.difficulty import difficulty_from_features
from labeling.crowd.people.items import Items, make_items
from labeling.crowd.people.opinions import Opinions, opinions_from_features
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.crowd.source import CrowdSource
from labeling.recorded.reading import Recording, read_recording, task_rows
from labeling.recorded.source import ReplaySource
from labeling.seeds import derive
from labeling.source import LabelSource
from labeling.store import Store
from labeling.types import Condition, LabelPlan, Order

QUESTIONS = {
    "digits3": "Which strokes make this digit: a closed loop, straight lines or open curves?",
    "digits": "Which digit is this?",
}


@dataclass(frozen=True, slots=True)
class Market:
    """Who answers, without any money: enough to quote plans.

    Attributes:
        kind: simulated | hybrid | replay.
        name: the market's name in a condition: kind, name and content.
        campaign: what is asked.
        data: content hash of the pool's and the control tasks' images.
        question: place in the campaign of the question that the model learns.
        notes: what the answer must say about it.
        crowd: the crowd in process, which answers or at least says how long things take; None for
            a replay.
    """

    kind: str
    name: str
    source: LabelSource
    campaign: Campaign
    campaign_key: str
    data: str
    question: int
    notes: tuple[str, ...]
    crowd: CrowdSource | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What a report says of it."""
        return {"name": self.name, "kind": self.kind, "real_money": self.kind == "toloka"}

    def sweep(self, unfinished: Collection[str]) -> list[str]:
        """Close pools that a killed process left open, but for those of unfinished orders.

        To be called before anything else is done on the market.

        Returns:
            Ids of the pools that were closed.
        """
        return self.source.sweep(unfinished) if isinstance(self.source, Door) else []

    @property
    def asked(self) -> Question:
        """The question that the model learns."""
        return self.campaign.questions[self.question]

    def condition(self, plan: LabelPlan) -> Condition:
        """The pool that a plan is bought in."""
        return Condition(
            self.data,
            self.name,
            self.campaign_key,
            plan.price,
            plan.controls,
            self.campaign.suite_size,
            plan.exam,
            plan.dynamic,
        )


def make_campaign(config: StudyConfig, classes: tuple[str, ...]) -> Campaign:
    """What is asked: the configuration's campaign, else one question about the class."""
    if config.campaign is not None:
        return sized(load_campaign(config.campaign, classes), config.suite_size)
    text = QUESTIONS.get(config.data, "Which class does this image show?")
    question = Question("class", text, classes)
    return Campaign(config.data.partition(":")[0], (question,), text, config.suite_size)


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
        return _replay(config, data, campaign, question, file, store, crowd_seed)
    scenario = scenario_of(config)
    recording = read_answers(file, data) if kind == "hybrid" else None
    seed = _crowd_seed(config, crowd_seed)
    crowd = CrowdSource(
        scenario=scenario,
        campaign=campaign,
        items=_items(config, data, scenario, recording, features),
        controls=[int(row) for row in data.rows["control"]],
        tariff=config.tariff,
        seed=seed,
        earlier=_ended(store),
        further=_further(config, data, scenario, campaign, features),
    )
    _check_exam(config, campaign, data)
    source: LabelSource = crowd
    if kind in ("rehearsal", "toloka"):
        where = real_market.check(config, data, campaign, question)
        if folder is not None:
            door = real_market.real if kind == "toloka" else real_market.rehearsal
            source = door(config, data, crowd, seed, where, folder)
    if kind != "toloka":
        _check_overlap(config, scenario)
    name = _name(config, scenario, recording)
    notes = _notes(config, data, campaign, recording)
    market = _market(kind, name, source, campaign, data, question, notes)
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
        notes.append(real_market.REHEARSED)
        if not (config.image_url_prefix or any(data.urls)):
            notes.append(real_market.NO_ADDRESSES)
    if (stand_in := stands_for(campaign, data.classes)) is not None:
        notes.append(stand_in)
    if recording is not None:
        notes.append("How hard each image is, and what it is mistaken for, is from a recording.")
    return tuple(notes)


def scenario_of(config: StudyConfig) -> Scenario:
    """The simulated crowd, with the configuration's own selection exponent if it has one."""
    scenario = load_scenario(config.scenario)
    if config.selection is None:
        return scenario
    return replace(scenario, selection=config.selection)


def _market(
    kind: str,
    name: str,
    source: LabelSource,
    campaign: Campaign,
    data: Dataset,
    question: int,
    notes: tuple[str, ...],
) -> Market:
    content = data.key("pool", "control")
    return Market(kind, name, source, campaign, campaign.key, content, question, notes)


def _crowd_seed(config: StudyConfig, crowd_seed: int | None) -> int:
    return derive(config.seed, "crowd") if crowd_seed is None else crowd_seed


def read_answers(file: str, data: Dataset) -> Recording:
    """Recorded answers in the classes of a study's data."""
    return read_recording(Path(file), data.classes)


def _items(
    config: StudyConfig,
    data: Dataset,
    scenario: Scenario,
    recording: Recording | None,
    features: Callable[[], NDArray[np.float32]] | None,
) -> Items:
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


def _further(
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


def _replay(
    config: StudyConfig,
    data: Dataset,
    campaign: Campaign,
    question: int,
    file: str,
    store: Store | None,
    crowd_seed: int | None,
) -> Market:
    recording = read_answers(file, data)
    rows = task_rows(recording, data.images.names)
    control_truth = {int(row): int(data.truth[row]) for row in data.rows["control"]}
    source = ReplaySource(
        recording,
        rows,
        campaign,
        control_truth,
        config.tariff,
        _crowd_seed(config, crowd_seed),
        _ended(store),
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
    market = _market("replay", name, source, campaign, data, question, tuple(notes))
    for exam in config.exam:
        for controls in config.controls:
            source.check(market.condition(LabelPlan(config.price[0], 1, controls, 1, exam)))
    return market


def most_asked(config: StudyConfig) -> int:
    """The most answers that any plan may want on one task."""
    return max((*config.overlap, *(rule.most for rule in config.dynamic_overlap)))


def _ended(store: Store | None) -> Callable[[Condition], list[Order]]:
    """Ended orders of a condition, by tranche: what its annotators have been through."""

    def orders(condition: Condition) -> list[Order]:
        records = store.orders(condition) if store else []
        return [record.order for record in records if record.end is not None]

    return orders


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


def _check_overlap(config: StudyConfig, scenario: Scenario) -> None:
    most, asked = scenario.most_overlap(config.max_minutes), most_asked(config)
    if asked > most:
        raise InputError(
            f"--overlap: {asked} answers per task are more than the crowd "
            f"{scenario.name!r} can bear (at most {most} different annotators in time)"
        )

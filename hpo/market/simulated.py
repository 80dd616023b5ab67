"""The simulated crowd as a market, and as what says how long things take on others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.market.market import Market, Opening
from hpo.market.prelabels import read_prelabels
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import OBJECTIVE, Campaign
from labeling.campaign.exam_tasks import set_apart
from labeling.campaign.templates import stands_for
from labeling.crowd.fitting.hybrid import hybrid_items
from labeling.crowd.office.source import OfficeSource
from labeling.crowd.office.staff import staff_names
from labeling.crowd.people.difficulty import difficulty_from_features
from labeling.crowd.people.items import Items, make_items
from labeling.crowd.people.opinions import Opinions, opinions_from_features
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.crowd.source import CrowdSource
from labeling.recorded.reading import task_rows
from labeling.recorded.recording import Recording
from labeling.seeds import derive

STAFF_NOTE = (
    "The same people answer in all conditions; what they earn is wage times measured working time, "
    "not an invoice."
)
_SIMULATED = (
    "Labels come from a simulated crowd: no money was spent, and prices act as its model says."
)


def open_market(opening: Opening) -> Market:
    """The simulated crowd of a scenario, or the own annotators of an office."""
    if opening.config.has_staff:
        return _open_office(opening)
    crowd = crowd_of(opening)
    check_overlap(opening.config, crowd.scenario)
    name = simulated_name(opening.config, crowd.scenario)
    return opening.market(name, crowd, notes_of(opening), crowd.scenario.name, crowd)


def _open_office(opening: Opening) -> Market:
    prelabels = read_prelabels(opening)
    office = office_of(opening, prelabels.shown)
    check_overlap(opening.config, office.scenario)
    name = simulated_name(opening.config, office.scenario)
    notes = notes_of(opening, STAFF_NOTE, *prelabels.notes)
    return opening.market(name, office, notes, office.scenario.name, prelabels=prelabels.key)


def office_of(opening: Opening, prelabels: Mapping[int, int]) -> OfficeSource:
    """Simulated own annotators in process, over the study's images.

    Args:
        opening: what is asked about what.
        prelabels: class that is shown with each task, in conditions that show predictions.

    Raises:
        InputError: the scenario is unknown, or has no own annotators.
    """
    config, data = opening.config, opening.data
    scenario = scenario_of(config)
    _check_groups(config, scenario)
    return OfficeSource(
        scenario,
        opening.campaign,
        _items(opening, scenario, None),
        {int(row): int(data.truth[row]) for row in data.rows["control"]},
        config.staff_tariff,
        crowd_seed_of(opening),
        opening.ended_orders,
        _further_items(opening, scenario),
        prelabels,
    )


def _check_groups(config: StudyConfig, scenario: Scenario) -> None:
    """Refuse a group with somebody who is not in the simulated office."""
    names = staff_names(scenario.office_people)
    for group in config.staff_groups:
        if strangers := [name for name in group.members if name not in names]:
            raise InputError(
                f"--wages: group {group.name}: {strangers[0]} is not in the simulated office; its "
                f"people are {names[0]} to {names[-1]}"
            )


def crowd_of(opening: Opening, recording: Recording | None = None) -> CrowdSource:
    """The crowd in process, over the study's images.

    Args:
        opening: what is asked about what.
        recording: says how hard each image is, and what it is mistaken for; None for the scenario.

    Raises:
        InputError: the scenario is unknown, or the control images are too few for the exam.
    """
    config, data = opening.config, opening.data
    scenario = scenario_of(config)
    crowd = CrowdSource(
        scenario=scenario,
        campaign=opening.campaign,
        items=_items(opening, scenario, recording),
        controls=[int(row) for row in data.rows["control"]],
        tariff=config.tariff,
        seed=crowd_seed_of(opening),
        earlier=opening.ended_orders,
        further=_further_items(opening, scenario),
    )
    _check_exam(config, opening.campaign, data)
    return crowd


def notes_of(opening: Opening, *further: str) -> list[str]:
    """The notes that the answer must carry about labels from simulated people.

    Args:
        opening: the market's.
        further: notes of a market that these people answer on.
    """
    stand_in = stands_for(opening.campaign, opening.data.classes)
    return [_SIMULATED, *further, *([stand_in] if stand_in is not None else [])]


def simulated_name(config: StudyConfig, scenario: Scenario, kind: str = "simulated") -> str:
    """The name of a simulated crowd in a condition."""
    name = f"{kind}:{scenario.name}:{scenario.key}"
    return f"{name}:images" if config.difficulty == "images" else name


def scenario_of(config: StudyConfig) -> Scenario:
    """The simulated crowd, with the configuration's own selection exponent if it has one."""
    scenario = load_scenario(config.scenario)
    if config.has_staff and config.people is not None:
        scenario = replace(scenario, office_people=config.staff_people)
    if config.selection is None:
        return scenario
    return replace(scenario, selection=config.selection)


def crowd_seed_of(opening: Opening) -> int:
    """The seed of who the annotators are: the study's own, or another draw of them."""
    if opening.crowd_seed is not None:
        return opening.crowd_seed
    return derive(opening.config.seed, "crowd")


def check_overlap(config: StudyConfig, scenario: Scenario) -> None:
    """Refuse an overlap above the annotators that the crowd has in time."""
    most, asked = scenario.most_overlap(config.max_minutes), config.most_asked
    if asked > most:
        raise InputError(
            f"--overlap: {asked} answers per task are more than the crowd "
            f"{scenario.name!r} can bear (at most {most} different annotators in time)"
        )


def _items(opening: Opening, scenario: Scenario, recording: Recording | None) -> Items:
    """Each image's difficulty for the crowd, and the class that it is mistaken for."""
    config, data, features = opening.config, opening.data, opening.features
    classes, seed = len(data.classes), derive(config.seed, "items")
    truth = data.answered
    if recording is None and config.difficulty == "images" and features is not None:
        errors = difficulty_from_features(features(), truth, classes, scenario, seed)
        return make_items(scenario, truth, classes, seed=seed, difficulty=errors)
    if recording is None:
        return make_items(scenario, truth, classes, seed=seed)
    rows = task_rows(recording, data.images.names)
    difficulty, distractor = hybrid_items(recording, truth, classes, seed, rows)
    return make_items(
        scenario, truth, classes, seed=seed, difficulty=difficulty, distractor=distractor
    )


def _further_items(opening: Opening, scenario: Scenario) -> dict[str, Items | Opinions]:
    """The items of the campaign's other questions: the data's classes, or an appeal."""
    config, features = opening.config, opening.features
    seen: dict[str, Items | Opinions] = {}
    for at, question in enumerate(opening.campaign.questions):
        if at == opening.campaign.judged:
            continue
        seed, classes = derive(config.seed, "items", question.name), len(question.classes)
        if question.kind == OBJECTIVE:
            truth = opening.data.answered
            seen[question.name] = make_items(scenario, truth, classes, seed=seed)
        elif features is not None:
            seen[question.name] = opinions_from_features(
                scenario, features(), classes, seed, question.name
            )
    return seen


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

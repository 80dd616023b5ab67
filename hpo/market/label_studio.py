"""Own annotators on a Label Studio server as a market, and the rehearsal with scripted people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from hpo.data.image_urls import addresses, inlined, refuse_hidden
from hpo.market import stop_signals
from hpo.market.lazy_source import LazyComparedSource, ReachedSource, say_who
from hpo.market.market import Market, Opening
from hpo.market.prelabels import read_prelabels
from hpo.market.simulated import (
    STAFF_NOTE,
    check_overlap,
    crowd_seed_of,
    notes_of,
    office_of,
    scenario_of,
    simulated_name,
)
from hpo.market.toloka import shown_rows
from labeling.timesheet.orders import staff_minutes
from labeling.types import Condition

if TYPE_CHECKING:
    from budget.tariffs.staff import StaffTariff
    from labeling.crowd.office.source import OfficeSource
    from labeling.crowd.scenario import Scenario
    from labeling.label_studio.source import LabelStudioSource, ScriptedPeople

NAME = "label-studio"
_VISIBLE = (
    "Label Studio Community shows each annotator the others' answers on request, and enforces no "
    "overlap: answers of one condition are not strictly independent."
)
_REHEARSED = (
    "Rehearsal: scripted people answered through a real Label Studio server's queue; times are "
    "those of the simulated office."
)
_GRACE_S, _POLL_S, _SCRIPTED_POLL_S = 60.0, 3.0, 0.5


def open_market(opening: Opening) -> Market:
    """A Label Studio server as a market; with simulated people, the rehearsal on it.

    Raises:
        InputError: the campaign cannot be asked, or an image has no address that can be shown.
    """
    config = opening.config
    scenario = scenario_of(config)
    check_overlap(config, scenario)
    prelabels = read_prelabels(opening)
    is_scripted = opening.kind.answers_from_truth
    office = office_of(opening, prelabels.shown) if is_scripted else None
    if office is None:
        name, notes = NAME, [STAFF_NOTE, _VISIBLE, *prelabels.notes]
    else:
        name = simulated_name(config, scenario)
        notes = notes_of(opening, STAFF_NOTE, _REHEARSED, *prelabels.notes)
    address = _addresses(opening)
    if opening.folder is None and office is not None:
        return opening.market(name, office, notes, scenario.name, prelabels=prelabels.key)
    reach = partial(_reach, opening, address, office, prelabels.shown)
    tariff = config.staff_tariff
    source = LazyComparedSource(reach, tariff, partial(_minutes, tariff, scenario))
    return opening.market(
        name, source, notes, scenario.name, prelabels=prelabels.key, compared=source
    )


def _addresses(opening: Opening) -> Callable[[int], str]:
    """Address of each image: on the web where it has one, else the image itself."""
    config, data = opening.config, opening.data
    if not (config.image_url_prefix or any(data.urls)):
        return partial(inlined, data)
    where = addresses(config, data, shown_rows(opening))
    refuse_hidden(where, data)
    return where.__getitem__


def _reach(
    opening: Opening,
    address: Callable[[int], str],
    office: OfficeSource | None,
    prelabels: Mapping[int, int],
) -> ReachedSource[LabelStudioSource]:
    """Connect to the server; in a rehearsal, send the scripted people there."""
    from labeling.label_studio.client import connect
    from labeling.label_studio.source import LabelStudioSource, StudioSettings

    config, data, folder = opening.config, opening.data, opening.folder
    tariff = config.staff_tariff
    assert folder is not None  # noqa: S101 - quotes reach nothing
    client = connect()
    staff: ScriptedPeople | None = None
    if office is not None:
        from labeling.crowd.office.staff import staff_names
        from labeling.label_studio.rehearsal.people import ScriptedStaff

        names = staff_names(config.staff_people)
        staff = ScriptedStaff(client, opening.campaign, office.staff, names)
    settings = StudioSettings(
        study=config.study,
        seed=crowd_seed_of(opening),
        minutes=partial(_minutes, tariff, scenario_of(config)),
        poll_s=_POLL_S if staff is None else _SCRIPTED_POLL_S,
        grace_s=_GRACE_S * config.grace_minutes,
        remove_banned=config.remove_banned,
        stopping=stop_signals.asked,
        waits=say_who,
        staff=staff,
    )
    source = LabelStudioSource(
        client,
        opening.campaign,
        address,
        {int(row): int(data.truth[row]) for row in data.rows["control"]},
        tariff,
        folder / "market",
        opening.ended_orders,
        settings,
        prelabels,
    )
    return ReachedSource(source)


def _minutes(tariff: StaffTariff, scenario: Scenario, condition: Condition, answers: int) -> float:
    """How long a number of answers is expected to take."""
    people = condition.people(tariff.people)
    return staff_minutes(answers, tariff, people, scenario.office_hours)

"""Recorded images under simulated people: difficulty from a recording, skill from a scenario."""

from __future__ import annotations

from dataclasses import replace

from hpo.market.market import Market, Opening
from hpo.market.recorded import read_answers
from hpo.market.simulated import check_overlap, crowd_of, notes_of, simulated_name


def open_market(opening: Opening) -> Market:
    """The simulated crowd on images as hard as a recording says.

    Raises:
        InputError: the recording cannot be read, or its classes are not the data's.
    """
    recording = read_answers(opening.file, opening.data, opening.config)
    crowd = crowd_of(opening, recording)
    check_overlap(opening.config, crowd.scenario)
    name = simulated_name(opening.config, crowd.scenario, opening.kind.name)
    notes = notes_of(opening)
    notes.append("How hard each image is, and what it is mistaken for, is from a recording.")
    notes += recording.notes
    full_name = f"{name}:{recording.key}"
    market = opening.market(full_name, crowd, notes, crowd.scenario.name, crowd)
    return replace(market, file_notes=recording.notes)

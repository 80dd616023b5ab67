"""A machine whose answers lie in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from budget.errors import InputError
from budget.money import ZERO
from hpo.data.image_names import match_names
from hpo.market.machines.machine import MachineOpening, OpenedModel, asked_rows
from labeling.machine.file import FileModel
from labeling.machine.tables import read_machine_file


def open_model(opening: MachineOpening) -> OpenedModel:
    """The machine of a file: FILE, or FILE.npz#ARRAY.

    Raises:
        InputError: the file cannot be read, names no price, or lacks an image of the pool.
    """
    data = opening.data
    name, _, array = opening.where.partition("#")
    table = read_machine_file(Path(name), array, data.classes)
    found = match_names(table.images, data.images.names)
    row_of = {image: row for row, image in enumerate(data.images.names)}
    rows = {row_of[file]: at for at, n in enumerate(table.images) if (file := found.files.get(n))}
    asked = asked_rows(data)
    able = np.array([row for row in asked if int(row) in rows], dtype=np.int64)
    missing = [int(row) for row in asked if int(row) not in rows]
    if missing and (not len(able) or set(missing) & set(data.rows["pool"].tolist())):
        raise InputError(
            f"--machine: {name}: {len(missing)} images have no answer, such as "
            f"{data.images.names[missing[0]]!r}; the machine has to answer about each image of the "
            "pool"
        )
    notes = (*table.notes, *found.note(Path(name).name, len(table.images)))
    if missing:
        notes += (f"{Path(name).name}: {len(missing)} control or validation images have no answer",)
    price = ZERO if table.cost else opening.price
    return OpenedModel(FileModel(table, rows, price), able, "", notes)

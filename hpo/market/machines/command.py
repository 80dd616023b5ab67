"""A machine that is a program of the user's."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from hpo.data.dataset import Dataset
from hpo.market.machines.endpoint import png_of
from hpo.market.machines.machine import MachineOpening, OpenedModel
from labeling.machine.program import ProgramModel

_SIDE = 256  # pixels of an image that has no file of its own


def open_model(opening: MachineOpening) -> OpenedModel:
    """The machine of a program: its command line.

    Raises:
        InputError: there is no such program, or its answers have no price.
    """
    data, price = opening.data, opening.price
    path = partial(_path, data, Path(tempfile.gettempdir()) / "labelworth-images")
    return OpenedModel(ProgramModel(opening.where, path, data.classes, price))


def _path(data: Dataset, folder: Path, row: int) -> Path:
    """An image's file; of an array's image one that is written for it."""
    if data.images.paths is not None:
        return data.images.paths[row]
    from budget.files import private_folder, write_whole

    private_folder(folder)
    file = folder / f"{data.images.hashes[row]}.png"
    if not file.exists():
        write_whole(file, png_of(data, _SIDE, row))
    return file

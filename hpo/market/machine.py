"""A machine that sells labels beside the market's people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from budget.errors import InputError
from budget.money import ZERO
from hpo.data.dataset import Dataset
from hpo.data.image_names import match_names
from hpo.market.market import Market
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import OBJECTIVE
from labeling.machine import MACHINE
from labeling.machine.file import FileModel
from labeling.machine.replies import MachineModel
from labeling.machine.source import MachineSource
from labeling.machine.tables import read_machine_file
from labeling.types import Condition, Ints

_KEPT = ".machine"  # beside the studies: replies are paid once for all of them


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as a study sees it.

    Attributes:
        source: sells its answers.
        condition: the condition in which it answers.
        rows: images that it can be asked about.
        spare: share of calls that may be repeated after an unusable reply.
        network: name of the network behind it, where that is known; "" else.
        notes: what the answer must say of it.
    """

    source: MachineSource
    condition: Condition
    rows: Ints
    spare: Fraction
    network: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A model, with what its kind says of it."""

    model: MachineModel
    rows: Ints | None = None
    network: str = ""
    notes: tuple[str, ...] = ()


def open_machine(
    config: StudyConfig, data: Dataset, market: Market, runs: Path | None
) -> Machine | None:
    """The machine of a configuration; None where it names none.

    Args:
        config: the study's configuration.
        data: its images.
        market: whose campaign the machine answers.
        runs: folder of all studies; None where nothing is to be bought.

    Raises:
        InputError: the machine cannot be read, or does not fit images and classes.
    """
    if config.machine is None:
        return None
    if market.asked.kind != OBJECTIVE:
        raise InputError(
            f"--machine: question {market.asked.name!r} is a matter of taste, which a machine "
            "has none of; leave it out"
        )
    kind, _, where = config.machine.partition(":")
    opened = _KINDS[kind](where, config, data)
    model = opened.model
    model_name = f"{kind}:{model.version}{MACHINE}"
    condition = Condition(
        data.key("pool", "control", "validation"),
        model_name,
        market.campaign_key,
        model.most,
        controls=0,
        suite_size=1,
        exam=False,
    )
    source = MachineSource(model, data.images.hashes, (runs or Path()) / _KEPT)
    rows = asked_rows(data) if opened.rows is None else opened.rows
    return Machine(source, condition, rows, model.spare, opened.network, opened.notes)


def asked_rows(data: Dataset) -> Ints:
    """Images that a machine is asked about: of the pool, and those that tell how good it is."""
    tests = data.rows["validation"]
    known = tests[data.known[tests]]
    return np.concatenate([data.rows["pool"], data.rows["control"], known])


def _open_file(where: str, config: StudyConfig, data: Dataset) -> _Opened:
    """A file of answers."""
    name, _, array = where.partition("#")
    table = read_machine_file(Path(name), array, data.classes)
    found = match_names(table.images, data.images.names)
    row_of = {image: row for row, image in enumerate(data.images.names)}
    rows = {row_of[file]: at for at, n in enumerate(table.images) if (file := found.files.get(n))}
    if config.machine_cost is None and not table.cost:
        raise InputError(
            f"--machine: {name} does not say what an answer costs; give --machine-cost, such as "
            "0.001, or 0"
        )
    asked = asked_rows(data)
    able = np.array([row for row in asked if int(row) in rows], dtype=np.int64)
    pool = set(data.rows["pool"].tolist())
    missing = [row for row in asked if int(row) not in rows]
    if len(missing) == len(asked) or any(int(row) in pool for row in missing):
        first = data.images.names[int(missing[0])]
        raise InputError(
            f"--machine: {name}: {len(missing)} images have no answer, such as {first!r}; the "
            "machine has to answer about each image of the pool"
        )
    notes = (*table.notes, *found.note(Path(name).name, len(table.images)))
    if missing:
        notes += (f"{Path(name).name}: {len(missing)} control or validation images have no answer",)
    price = ZERO if config.machine_cost is None else config.machine_cost
    return _Opened(FileModel(table, rows, price), able, "", notes)


_KINDS: Mapping[str, Callable[[str, StudyConfig, Dataset], _Opened]] = {"file": _open_file}

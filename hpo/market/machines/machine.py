"""A machine that sells labels beside the market's people."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np

from budget.errors import InputError
from budget.money import ZERO, Money
from hpo.data.dataset import Dataset
from hpo.market.market import Market
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import OBJECTIVE
from labeling.machine import MACHINE
from labeling.machine.replies import MachineModel
from labeling.machine.source import MachineSource
from labeling.store.records import limit_of
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

    def expected(self, count: int) -> Money:
        """What its answers about a number of images are expected to cost."""
        return self.source.tariff.expected(count, self.condition.price)

    def most(self, count: int) -> Money:
        """The most that its answers about a number of images can cost, repeated calls included."""
        if not count:
            return ZERO
        limit = limit_of(count, 1, 1, self.spare)
        return self.source.tariff.most(limit, self.condition.price)


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model, with what its kind says of it.

    Attributes:
        model: the model.
        rows: images that it can be asked about; None for all that a machine is asked about.
        network: name of the network behind it, where that is known; "" else.
        notes: what the answer must say of it.
    """

    model: MachineModel
    rows: Ints | None = None
    network: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineOpening:
    """The parts from which the module of a kind opens a model, by `open_model`.

    Attributes:
        where: what follows the kind in `--machine`.
        config: the study's configuration.
        data: its images.
        market: whose campaign is answered.
    """

    where: str
    config: StudyConfig
    data: Dataset
    market: Market

    @property
    def price(self) -> Money:
        """The price of an answer.

        Raises:
            InputError: none is given.
        """
        if self.config.machine_cost is None:
            raise InputError(
                f"--machine: {self.where} does not say what an answer costs; give --machine-cost, "
                "such as 0.001, or 0"
            )
        return self.config.machine_cost


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
    module = import_module(f"hpo.market.machines.{kind}")
    opened: OpenedModel = module.open_model(MachineOpening(where, config, data, market))
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
    source = MachineSource(model, data.images.hashes, (runs or Path()) / _KEPT, config.study)
    rows = asked_rows(data) if opened.rows is None else opened.rows
    return Machine(source, condition, rows, model.spare, opened.network, opened.notes)


def asked_rows(data: Dataset) -> Ints:
    """Images that a machine is asked about: of the pool, and those that tell how good it is."""
    tests = data.rows["validation"]
    known = tests[data.known[tests]]
    return np.concatenate([data.rows["pool"], data.rows["control"], known])

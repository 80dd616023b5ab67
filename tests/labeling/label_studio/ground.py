"""A real Label Studio server for tests, on loopback, and studies' sources on it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budget.errors import InputError
from budget.money import Money
from budget.secret import Secret
from budget.tariff import expected_assignments
from budget.tariffs.hourly import HourlyTariff
from budget.tariffs.staff import Group, StaffTariff, WorkTime
from labeling.campaign.campaign import Campaign, Question
from labeling.crowd.office.source import OfficeSource
from labeling.crowd.office.staff import staff_names
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import load_scenario
from labeling.label_studio.client import StudioClient
from labeling.label_studio.rehearsal.people import ScriptedStaff, account
from labeling.label_studio.rehearsal.server import StudioServer, executable, start
from labeling.label_studio.source import LabelStudioSource, StudioSettings
from labeling.types import Condition, Order, Page

TASKS, CONTROLS = 12, 8
CAMPAIGN = Campaign("ground", (Question("class", "Which one?", ("a", "b & c", 'd "e"')),), "Look.")
TRUTH = np.random.default_rng(0).integers(0, 3, TASKS + CONTROLS)
PRELABELS = {row: int(label + row % 2) % 3 for row, label in enumerate(TRUTH)}
TARIFF = HourlyTariff(WorkTime(18_000), people=4)
PEOPLE = 4


@contextmanager
def studio(folder: Path) -> Iterator[StudioServer]:
    """A server that knows nobody but its administrator; skips where label-studio is missing."""
    try:
        program = executable()
    except InputError as error:
        pytest.skip(str(error))
    shutil.copytree(_empty(Path(program)), folder, dirs_exist_ok=True)
    server = start(folder, program=program)
    try:
        yield server
    finally:
        server.stop()


def _empty(program: Path) -> Path:
    """The data of a server that nobody has used, made once per installation: that takes long."""
    made = program.parent.parent / "empty"
    if not made.exists():
        making = made.with_name("making")
        shutil.rmtree(making, ignore_errors=True)
        start(making, program=str(program)).stop()
        making.rename(made)
    return made


def client(server: StudioServer) -> StudioClient:
    return StudioClient(server.url, Secret(server.token_file.read_text(), "test"))


@dataclass
class StudioGround:
    """One study on the server.

    Attributes:
        people: scripted annotators; 0 for none.
        careless: share of them who guess most answers.
    """

    server: StudioServer
    folder: Path
    market: str
    people: int = PEOPLE
    careless: float = 0.0
    tariff: StaffTariff = TARIFF
    ended: list[Order] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    client_of: Any = client

    def office(self) -> OfficeSource:
        """The same people in process."""
        changes = {
            "careless": self.careless,
            "careless_guess": 0.95,
            "office_people": max(1, self.people),
        }
        scenario = dataclasses.replace(load_scenario("office"), **changes)  # type: ignore[arg-type]
        items = make_items(scenario, TRUTH, 3, 0)
        return OfficeSource(
            scenario,
            CAMPAIGN,
            items,
            self.controls,
            self.tariff,
            0,
            self.earlier,
            prelabels=PRELABELS,
        )

    @property
    def controls(self) -> dict[int, int]:
        return {row: int(TRUTH[row]) for row in range(TASKS, TASKS + CONTROLS)}

    def earlier(self, condition: Condition) -> list[Order]:
        return [order for order in self.ended if order.condition == condition]

    def open(self) -> LabelStudioSource:
        """The source as a new process would open it."""
        on = self.client_of(self.server)
        office = self.office()
        staff = None
        if self.people:
            names = staff_names(self.people)
            with closing(client(self.server)) as admin:
                staff = ScriptedStaff(admin, CAMPAIGN, office.staff, names)
        settings = {"poll_s": 0.1, "grace_s": 1.0, **self.settings}
        return LabelStudioSource(
            on,
            CAMPAIGN,
            lambda row: f"https://images.example/{row}.png",
            self.controls,
            self.tariff,
            self.folder,
            self.earlier,
            StudioSettings("ground", 0, office.expected_minutes, staff=staff, **settings),
            PRELABELS,
        )

    def order(
        self,
        rows: range = range(TASKS),
        overlap: int = 2,
        tranche: int = 0,
        limit: int | None = None,
        minutes: float | None = None,
        controls: int = 1,
        prelabels: str = "",
        group: Group | None = None,
    ) -> Order:
        condition = Condition(
            "ground",
            self.market,
            CAMPAIGN.key,
            Money.parse("18"),
            controls,
            10,
            False,
            one_by_one=True,
            prelabels=prelabels,
            group=group,
        )
        most = 3 * expected_assignments(len(rows), overlap, condition.real_per_assignment)
        wanted = tuple((row, overlap) for row in rows)
        return Order(condition, tranche, wanted, limit or most, minutes)

    def person(self, number: int) -> StudioClient:
        """The client of an annotator who is no script."""
        with closing(client(self.server)) as admin:
            return account(admin, f"person{number}@office.example")


def collect(source: LabelStudioSource, order: Order) -> list[Page]:
    return list(source.collect(source.place(order)))

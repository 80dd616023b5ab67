"""People: the annotators who look at a pool, their arrival, wages and traits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from budget.money import Money
from labeling.crowd.scenario import Scenario
from labeling.types import Bools, Floats, Ints

HONEST, CARELESS, SPAM_RANDOM, SPAM_SAME, SPAM_REPEAT, SPAM_COLLUDE, SPAM_PASTE = range(7)
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Traits:
    """Traits of annotators, one entry per person in the order of arrival.

    Attributes:
        arrival: [P] seconds of pool time at which the person first looks.
        joins: [P] whether the wage is above the person's reservation wage.
        reluctance: [P] uniform in [0, 1): share of others with a lower reservation wage.
        kind: [P] HONEST, CARELESS or one of the SPAM_ kinds.
        skill: [P] theta, logits.
        pace: [P] the person's median seconds per task.
        suites: [P] suites wanted on the first visit.
        favourite: [P] uniform in [0, 1); it decides the answer of SPAM_SAME.
    """

    arrival: Floats
    joins: Bools
    reluctance: Floats
    kind: Ints
    skill: Floats
    pace: Floats
    suites: Ints
    favourite: Floats

    def __len__(self) -> int:
        return len(self.arrival)


def hourly_wage(scenario: Scenario, price: Money) -> float:
    """Dollars per hour at the median pace; a control task is paid like a real task."""
    return float(price.dollars / scenario.task_seconds * 3600)


def participation(scenario: Scenario, wage: float) -> float:
    """Share of lookers who take part: Phi(ln(wage / reservation_wage) / reservation_sd).

    Lognormal reservation wages after Horton & Chilton 2010.
    """
    if wage <= 0:
        return 0.0
    return NormalDist().cdf(math.log(wage / scenario.reservation_wage) / scenario.reservation_sd)


def bad_share(scenario: Scenario, wage: float) -> float:
    """Share of careless annotators and spammers: odds times (wage / reference_wage)^-g."""
    share = scenario.careless + scenario.spammers
    if wage <= 0 or scenario.selection == 0:
        return share
    better = (wage / scenario.reference_wage) ** -scenario.selection
    odds = share / (1 - share) * better
    return float(odds / (1 + odds))


class People:
    """The endless row of people who look at one pool, drawn in blocks from one stream."""

    def __init__(self, scenario: Scenario, price: Money, rng: np.random.Generator) -> None:
        wage = hourly_wage(scenario, price)
        self._scenario = scenario
        self._joins = participation(scenario, wage)
        self._bad = bad_share(scenario, wage)
        self._rng = rng
        self.traits = self._block(0.0, 0)

    def _reach(self, person: int) -> None:
        """Draw blocks up to this person."""
        while person >= len(self.traits):
            last = self.traits
            block = self._block(float(last.arrival[-1]), len(last))
            joined = {
                name: np.concatenate((getattr(last, name), getattr(block, name)))
                for name in Traits.__slots__
            }
            self.traits = Traits(**joined)

    def next_joining(self, after: int) -> int | None:
        """The first person after `after` who takes part; None if the population is exhausted."""
        start = after + 1
        while True:
            if start >= self._scenario.population:
                return None
            self._reach(start)
            # argmax stops at the first True, and is 0 if there is none: hence the check.
            person = start + int(self.traits.joins[start:].argmax())
            if self.traits.joins[person]:
                return person if person < self._scenario.population else None
            start = len(self.traits)

    def reprice(self, price: Money, now: float) -> None:
        """Apply a new price to annotators who look after `now`, seconds of pool time.

        The kinds of annotators already drawn stay as they are.
        """
        wage = hourly_wage(self._scenario, price)
        self._joins = participation(self._scenario, wage)
        self._bad = bad_share(self._scenario, wage)
        drawn = self.traits
        later = drawn.arrival > now
        joins = np.where(later, drawn.reluctance < self._joins, drawn.joins)
        self.traits = replace(drawn, joins=joins)

    def looked(self, start: float, end: float) -> int:
        """Number of people who first looked within (start, end], seconds of pool time."""
        arrivals = self.traits.arrival[: self._scenario.population]
        return int(
            np.searchsorted(arrivals, end, "right") - np.searchsorted(arrivals, start, "right")
        )

    def _block(self, start: float, size: int) -> Traits:
        s, rng = self._scenario, self._rng
        # Blocks double the row, so joining them stays linear in the number of people.
        count = max(_BLOCK, size)
        gaps = rng.exponential(60 / s.looks_per_minute, count)
        chance = rng.random((4, count))
        normal = rng.standard_normal((3, count))
        kind = self._kinds(chance[1], chance[2])
        mean, _ = s.skill_of_people
        pace = np.array([s.task_seconds, s.careless_seconds, *[s.spam_seconds] * 5])[kind]
        return Traits(
            arrival=start + np.cumsum(gaps),
            joins=chance[0] < self._joins,
            reluctance=chance[0],
            kind=kind,
            skill=mean + s.skill_sd * normal[0] + s.skill_by_activity * s.suites_sd * normal[2],
            pace=pace * np.exp(s.seconds_between * normal[1]),
            suites=wanted_suites(s, normal[2]),
            favourite=chance[3],
        )

    def _kinds(self, bad: Floats, which: Floats) -> Ints:
        """Kinds of people, from two uniform numbers each."""
        # One number decides whether a person is bad, the other one the kind. So a person who is bad
        # at two wages is of the same kind at both.
        s = self._scenario
        shares = np.array(s.spam_kinds)
        both = s.careless + s.spammers
        careless = s.careless / both if both else 1.0
        steps = careless + (1 - careless) * np.cumsum(np.concatenate(([0.0], shares[:-1])))
        kind = CARELESS + (which[:, None] >= steps).sum(axis=1)
        chosen: Ints = np.where(bad < self._bad, kind, HONEST)
        return chosen


def wanted_suites(scenario: Scenario, normal: Floats) -> Ints:
    """Suites an annotator wants to do in one visit: lognormal, rounded up, at least 1."""
    wanted = np.exp(math.log(scenario.suites_median) + scenario.suites_sd * normal)
    suites: Ints = np.ceil(np.minimum(wanted, 1e6)).astype(np.int64)
    return suites

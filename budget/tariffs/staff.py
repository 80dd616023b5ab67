"""What tariffs of own annotators share: the paid time of an answer, and what it earns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from budget.errors import InputError
from budget.money import Money
from budget.tariff import Tariff

MOST_TIMES_USUAL = 3
"""An answer is paid for at most so many times the person's median working time."""


@dataclass(frozen=True, slots=True)
class WorkTime:
    """Bounds of an answer's paid time, in milliseconds.

    Attributes:
        most_ms: longest paid time.
        least_ms: shortest paid time.
        expected_ms: paid time that an answer is expected to take.
    """

    most_ms: int
    least_ms: int = 1_000
    expected_ms: int = 6_000

    def __post_init__(self) -> None:
        if not 0 <= self.least_ms <= self.expected_ms <= self.most_ms or not self.most_ms:
            raise InputError(
                f"paid seconds of an answer: {self.least_ms / 1000:g} at least, "
                f"{self.expected_ms / 1000:g} expected and {self.most_ms / 1000:g} at most are not "
                "in this order; change --least-seconds, --seconds-per-answer or --most-seconds"
            )

    def paid_ms(self, seconds: float, usual_ms: float | None = None) -> int:
        """The milliseconds that an answer is paid for.

        Args:
            seconds: its working time.
            usual_ms: median of the person's paid times so far; None while it is not known.
        """
        most = self.most_ms
        if usual_ms is not None:
            most = min(most, max(self.least_ms, round(MOST_TIMES_USUAL * usual_ms)))
        if not seconds >= 0:  # below zero, or no number
            return self.least_ms
        return min(most, max(self.least_ms, round(min(seconds, most / 1000) * 1000)))


@dataclass(frozen=True, slots=True)
class Group:
    """Own annotators who answer together, without the others.

    Attributes:
        name: such as "seniors".
        members: the annotators, sorted.
    """

    name: str
    members: tuple[str, ...]


class StaffTariff(Tariff, Protocol):
    """A tariff of own annotators, who submit one answer at a time."""

    @property
    def time(self) -> WorkTime:
        """Bounds of paid times."""
        ...

    @property
    def people(self) -> int:
        """Annotators who work at once: each may submit one answer above a limit."""
        ...

    def among(self, group: Group | None) -> StaffTariff:
        """The tariff where only a group answers; None for everybody."""
        ...

    def earned(self, annotator: str, rate: Money, paid_ms: int) -> Money:
        """What an answer earns an annotator at a condition's rate."""
        ...

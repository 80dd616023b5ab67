"""A tariff by the hour: an answer earns a wage times its working time, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from budget.errors import InputError
from budget.money import ZERO, Money

_HOUR_MS = 3_600_000
MOST_TIMES_USUAL = 3
"""An answer is paid for at most so many times the person's median working time."""


@dataclass(frozen=True, slots=True)
class HourlyTariff:
    """A wage per hour, paid for the working time of each answer.

    Attributes:
        most_ms: longest paid time of an answer, in milliseconds.
        least_ms: shortest paid time of an answer.
        expected_ms: paid time that an answer is expected to take.
        people: annotators who work at once: each may submit one answer above a limit.
        wages: (annotator, wage per hour) of those with a wage of their own.
    """

    most_ms: int
    least_ms: int = 1_000
    expected_ms: int = 6_000
    people: int = 0
    wages: tuple[tuple[str, Money], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.least_ms <= self.expected_ms <= self.most_ms:
            raise InputError(
                f"paid seconds of an answer: {self.least_ms / 1000:g} at least, "
                f"{self.expected_ms / 1000:g} expected and {self.most_ms / 1000:g} at most are not "
                "in this order; change --least-seconds, --seconds-per-answer or --most-seconds"
            )
        if self.people < 0 or any(wage < ZERO for _, wage in self.wages):
            raise InputError("wages: a wage per hour is at least 0")

    @property
    def rewards_vary(self) -> bool:
        """Each answer earns its own time."""
        return True

    def wage(self, annotator: str, rate: Money) -> Money:
        """An annotator's wage per hour: the annotator's own, or the condition's rate."""
        return dict(self.wages).get(annotator, rate)

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

    def pay(self, annotator: str, rate: Money, paid_ms: int) -> Money:
        """What an answer earns: wage times paid time, rounded up once to a micro-dollar."""
        return self.wage(annotator, rate).share(Fraction(paid_ms, _HOUR_MS))

    def cost(self, assignments: int, reward: Money) -> Money:
        """Own annotators are paid without a fee."""
        return reward * assignments

    def fee(self, assignments: int, reward: Money) -> Money:
        """None."""
        return ZERO

    def expected(self, assignments: int, rate: Money) -> Money:
        """Rewards of a number of answers of the expected time, at the condition's wage."""
        return rate.share(Fraction(self.expected_ms * assignments, _HOUR_MS))

    def most(self, assignments: int, rate: Money) -> Money:
        """A limit of answers, and one more of each person, at the highest wage and longest time."""
        if not assignments:
            return ZERO
        highest = max([rate, *(wage for _, wage in self.wages)])
        return highest.share(Fraction(self.most_ms, _HOUR_MS)) * (assignments + self.people)

    def check_rate(self, rate: Money, name: str = "wage per hour") -> None:
        """Refuse a wage that pays nothing.

        Raises:
            InputError: the wage is not above 0.
        """
        if rate <= ZERO:
            raise InputError(f"{name}: {rate} an hour; give a wage above $0, such as 18")

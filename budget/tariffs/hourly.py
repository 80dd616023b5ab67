"""A tariff by the hour: an answer earns a wage times its working time, within bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from budget.errors import InputError
from budget.money import ZERO, Money
from budget.tariffs.staff import Group, WorkTime

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class HourlyTariff:
    """A wage per hour, paid for the working time of each answer.

    Attributes:
        time: bounds of an answer's paid time.
        people: annotators who work at once: each may submit one answer above a limit.
        wages: (annotator, wage per hour) of those with a wage of their own.
        names: the only annotators who answer; none where anybody may.
    """

    time: WorkTime
    people: int = 0
    wages: tuple[tuple[str, Money], ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.people < 0 or any(wage < ZERO for _, wage in self.wages):
            raise InputError("wages: a wage per hour is at least 0")

    @property
    def rewards_vary(self) -> bool:
        """Each answer earns its own time."""
        return True

    def among(self, group: Group | None) -> HourlyTariff:
        """The wages of a group's people."""
        if group is None:
            return self
        return replace(self, people=len(group.members), names=group.members)

    def earned(self, annotator: str, rate: Money, paid_ms: int) -> Money:
        """Wage times paid time, rounded up once to a micro-dollar.

        The wage is the annotator's own, else the condition's rate.
        """
        return dict(self.wages).get(annotator, rate).share(Fraction(paid_ms, _HOUR_MS))

    def cost(self, assignments: int, reward: Money) -> Money:
        """Own annotators are paid without a fee."""
        return reward * assignments

    def fee(self, assignments: int, reward: Money) -> Money:
        """None."""
        return ZERO

    def expected(self, assignments: int, rate: Money) -> Money:
        """Rewards of a number of answers of the expected time, at the condition's wage.

        Where only some people answer, their mean wage counts.
        """
        shares = Fraction(self.time.expected_ms * assignments, _HOUR_MS * max(1, len(self.names)))
        return sum(self._of_names(rate), ZERO).share(shares)

    def most(self, assignments: int, rate: Money) -> Money:
        """A limit of answers, and one more of each person, at the highest wage and longest time."""
        if not assignments:
            return ZERO
        everybody = [rate, *(wage for _, wage in self.wages)]
        highest = max(self._of_names(rate) if self.names else everybody)
        return highest.share(Fraction(self.time.most_ms, _HOUR_MS)) * (assignments + self.people)

    def _of_names(self, rate: Money) -> list[Money]:
        """Wages of the people who answer; the condition's where anybody may."""
        own = dict(self.wages)
        return [own.get(name, rate) for name in self.names] or [rate]

    def check_rate(self, rate: Money, name: str = "wage per hour") -> None:
        """Refuse a wage that pays nothing.

        Raises:
            InputError: the wage is not above 0.
        """
        if rate <= ZERO:
            raise InputError(f"{name}: {rate} an hour; give a wage above $0, such as 18")

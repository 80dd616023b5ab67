"""A tariff by the answer for own annotators: no platform, no fee."""

from __future__ import annotations

from dataclasses import dataclass, replace

from budget.errors import InputError
from budget.money import ZERO, Money
from budget.tariffs.staff import Group, WorkTime


@dataclass(frozen=True, slots=True)
class PieceTariff:
    """A price per answer.

    Attributes:
        time: bounds of the time that counts for an answer.
        people: annotators who work at once: each may submit one answer above a limit.
    """

    time: WorkTime
    people: int = 0

    @property
    def rewards_vary(self) -> bool:
        """The price is fixed by the condition."""
        return False

    def among(self, group: Group | None) -> PieceTariff:
        """The same price, to fewer people."""
        return self if group is None else replace(self, people=len(group.members))

    def earned(self, annotator: str, rate: Money, paid_ms: int) -> Money:
        """The condition's price, whoever answered, and however long."""
        return rate

    def cost(self, assignments: int, reward: Money) -> Money:
        """Own annotators are paid without a fee."""
        return reward * assignments

    def fee(self, assignments: int, reward: Money) -> Money:
        """None."""
        return ZERO

    def expected(self, assignments: int, rate: Money) -> Money:
        """Rewards of a number of answers."""
        return rate * assignments

    def most(self, assignments: int, rate: Money) -> Money:
        """A limit of answers, and one more of each person."""
        return rate * (assignments + self.people) if assignments else ZERO

    def check_rate(self, rate: Money, name: str = "price per answer") -> None:
        """Refuse a price that pays nothing.

        Raises:
            InputError: the price is not above 0.
        """
        if rate <= ZERO:
            raise InputError(f"{name}: {rate} an answer; give a price above $0, such as 0.05")

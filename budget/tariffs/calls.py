"""A tariff by the call: a machine's answer costs what its call cost, up to a known most."""

from __future__ import annotations

from dataclasses import dataclass

from budget.errors import InputError
from budget.money import ZERO, Money


@dataclass(frozen=True, slots=True)
class CallTariff:
    """A price per call without a fee. A condition's rate is the most that a call can cost.

    Attributes:
        usual: what a call is expected to cost; None for its most.
    """

    usual: Money | None = None

    @property
    def rewards_vary(self) -> bool:
        """A call costs what it used."""
        return True

    def cost(self, assignments: int, reward: Money) -> Money:
        """The calls' own prices."""
        return reward * assignments

    def fee(self, assignments: int, reward: Money) -> Money:
        """None."""
        return ZERO

    def expected(self, assignments: int, rate: Money) -> Money:
        """What a number of calls is expected to cost."""
        return (rate if self.usual is None else self.usual) * assignments

    def most(self, assignments: int, rate: Money) -> Money:
        """A limit of calls, each at its most."""
        return rate * assignments

    def check_rate(self, rate: Money, name: str = "price per call") -> None:
        """Refuse a price below nothing.

        Raises:
            InputError: the price is negative.
        """
        if rate < ZERO:
            raise InputError(f"{name}: {rate} is negative; give at least $0")

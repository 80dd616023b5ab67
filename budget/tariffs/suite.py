"""A platform's tariff: reward per assignment, platform fee, smallest reward."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from budget.errors import InputError
from budget.money import Money

_FEE_MINIMUM = Money(1_000)
_SMALLEST_REWARD = Money(5_000)


@dataclass(frozen=True, slots=True)
class SuiteTariff:
    """A reward per suite that is fixed beforehand, and a fee on it.

    The fee of one assignment is the larger of a share of its reward (rounded up to a
    micro-dollar) and a minimum. Toloka last documented 30 % and $0.001 (December 2022).

    Attributes:
        fee_share: platform fee as a share of the reward.
        fee_minimum: smallest fee of one assignment.
        smallest_reward: smallest reward that the platform accepts for one assignment.
    """

    fee_share: Fraction = Fraction(3, 10)
    fee_minimum: Money = _FEE_MINIMUM
    smallest_reward: Money = _SMALLEST_REWARD

    def __post_init__(self) -> None:
        if self.fee_share < 0 or self.fee_minimum.micros < 0 or self.smallest_reward.micros < 0:
            raise InputError("tariff: fee share, fee minimum and smallest reward are at least 0")

    @property
    def rewards_vary(self) -> bool:
        """The reward is fixed by the condition."""
        return False

    def fee(self, assignments: int, reward: Money) -> Money:
        """The platform's fee for a number of assignments at a reward each."""
        return max(reward.share(self.fee_share), self.fee_minimum) * assignments

    def cost(self, assignments: int, reward: Money) -> Money:
        """Rewards and platform fee of a number of assignments at a reward each."""
        return reward * assignments + self.fee(assignments, reward)

    def expected(self, assignments: int, rate: Money) -> Money:
        """Rewards of a number of assignments."""
        return rate * assignments

    def most(self, assignments: int, rate: Money) -> Money:
        """The cost of a limit of assignments: each earns the condition's reward."""
        return self.cost(assignments, rate)

    def check_rate(self, rate: Money, name: str = "reward per assignment") -> None:
        """Refuse a reward that the platform would not accept.

        Raises:
            InputError: the reward is below the platform's smallest.
        """
        if rate < self.smallest_reward:
            raise InputError(
                f"{name}: {rate} per suite is below the platform's smallest reward of "
                f"{self.smallest_reward}; raise the price per task or the suite size"
            )

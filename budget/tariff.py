"""A platform's tariff: reward per assignment, platform fee, smallest reward."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from budget.errors import InputError
from budget.money import Money

_FEE_MINIMUM = Money(1_000)
_SMALLEST_REWARD = Money(5_000)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A platform's price rule.

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

    def fee(self, assignments: int, reward: Money) -> Money:
        """The platform's fee for a number of assignments at a reward each."""
        return max(reward.share(self.fee_share), self.fee_minimum) * assignments

    def cost(self, assignments: int, reward: Money) -> Money:
        """Rewards and platform fee of a number of assignments at a reward each."""
        return reward * assignments + self.fee(assignments, reward)

    def check_reward(self, reward: Money, name: str = "reward per assignment") -> None:
        """Refuse a reward that the platform would not accept.

        Raises:
            InputError: the reward is below the platform's smallest.
        """
        if reward < self.smallest_reward:
            raise InputError(
                f"{name}: {reward} per suite is below the platform's smallest reward of "
                f"{self.smallest_reward}; raise the price per task or the suite size"
            )


def expected_assignments(tasks: int, overlap: int, real_per_suite: int) -> int:
    """Assignments that deliver `overlap` answers on each of `tasks` tasks.

    ceil(tasks * overlap / real tasks per suite) is Toloka's own rule, exact up to a tail of 0 to 2
    assignments. Control tasks take places in the suite and so raise the number.
    """
    return assignments_for(tasks * overlap, overlap if tasks else 0, real_per_suite)


def assignments_for(answers: int, most: int, real_per_suite: int) -> int:
    """Assignments that deliver `answers` answers in all, up to `most` of them on one task.

    The number is at least `most`, because an annotator answers a task once. This matters where
    tasks are few.

    Raises:
        InputError: no place in the suite is left for a real task.
    """
    if real_per_suite < 1:
        raise InputError("control tasks: they fill the suite; leave a place for a real task")
    return max(most, -(-answers // real_per_suite))

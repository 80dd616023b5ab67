"""The requester's account: deposit, charges and reserved money."""

from __future__ import annotations

from dataclasses import dataclass, field

from budget.money import ZERO, Money
from budget.tariffs.suite import SuiteTariff


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """A charge: time (ms), id of the assignment or bonus, reward and platform fee."""

    at: int
    what: str
    reward: Money
    fee: Money


@dataclass
class Account:
    """The requester's money.

    A submitted assignment is charged at once, or reserved until it is reviewed.

    Attributes:
        deposit: all money ever paid in.
        entries: charges in the order of time.
        reserved: reward and fee of each assignment that waits for review, by assignment id.
    """

    tariff: SuiteTariff
    deposit: Money
    entries: list[AccountEntry] = field(default_factory=list)
    reserved: dict[str, Money] = field(default_factory=dict)
    charged: Money = ZERO

    def price(self, reward: Money) -> Money:
        """Reward and fee of one assignment; an unpaid assignment costs nothing."""
        return self.tariff.cost(1, reward) if reward > ZERO else ZERO

    def charge(self, at: int, what: str, reward: Money) -> None:
        """Charge a reward and the platform fee on it."""
        fee = self.price(reward) - reward
        self.entries.append(AccountEntry(at, what, reward, fee))
        self.charged += reward + fee

    def reserve(self, what: str, reward: Money) -> None:
        """Reserve the price of an assignment until its review."""
        self.reserved[what] = self.price(reward)

    def release(self, what: str) -> None:
        """Release the reserved money of an assignment, if any."""
        self.reserved.pop(what, None)

    @property
    def balance(self) -> Money:
        """Money that is neither charged nor reserved."""
        return self.deposit - self.charged - sum(self.reserved.values(), ZERO)

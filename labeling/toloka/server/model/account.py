"""The requester's account: what was paid in, charged and is reserved."""

from __future__ import annotations

from dataclasses import dataclass, field

from budget.money import ZERO, Money
from budget.tariff import Tariff


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """A movement of money: when (ms), what for (an assignment's or bonus' id), reward and fee."""

    at: int
    what: str
    reward: Money
    fee: Money


@dataclass
class Account:
    """The requester's money.

    A submitted assignment is charged at once, or reserved until it is reviewed.

    Attributes:
        deposit: everything ever paid in.
        entries: charges in the order of time.
        reserved: reward and fee of what waits for review, by assignment id.
    """

    tariff: Tariff
    deposit: Money
    entries: list[AccountEntry] = field(default_factory=list)
    reserved: dict[str, Money] = field(default_factory=dict)
    charged: Money = ZERO

    def price(self, reward: Money) -> Money:
        """Reward and fee of one assignment; unpaid pools cost nothing."""
        return self.tariff.cost(1, reward) if reward > ZERO else ZERO

    def charge(self, at: int, what: str, reward: Money) -> None:
        """Pay a reward and the platform's fee on it."""
        fee = self.price(reward) - reward
        self.entries.append(AccountEntry(at, what, reward, fee))
        self.charged += reward + fee

    def reserve(self, what: str, reward: Money) -> None:
        """Set the price of an assignment apart until it is reviewed."""
        self.reserved[what] = self.price(reward)

    def release(self, what: str) -> None:
        """Give back what was set apart, if anything was."""
        self.reserved.pop(what, None)

    @property
    def balance(self) -> Money:
        """What can still be spent: neither charged nor reserved."""
        return self.deposit - self.charged - sum(self.reserved.values(), ZERO)

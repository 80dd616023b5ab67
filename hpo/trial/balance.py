"""The platform's account held against the ledger: what was taken must be what was settled."""

from __future__ import annotations

import re
from collections.abc import Iterable

from budget.errors import MarketContradiction
from budget.ledger import Ledger, LedgerEntry
from budget.money import ZERO, Money
from hpo.trial.world import World
from labeling.machine import is_machine
from labeling.types import Order

_NOTE = re.compile(r"account (-?[\d.]+) spent ([\d.]+)")


def noted(world: World, order: Order) -> str:
    """What the account holds and the study has spent, for the note of a hold.

    It is written down with the hold: after a crash the order is still compared. A machine is not
    paid from the platform's account.
    """
    if world.market.pooled is None or is_machine(order.condition):
        return ""
    return f"account {world.market.pooled.balance().exact()} spent {_spent(world).exact()}"


def check_taken(world: World, key: str) -> None:
    """Compare what the account lost since an order's hold with what the ledger settled since.

    Args:
        world: the study's world.
        key: of the order, settled.

    Raises:
        MarketContradiction: they differ.
    """
    if (problem := difference(world, [e for e in _reserves(world) if e.key == key])) is not None:
        raise MarketContradiction(
            f"after order {key[:12]} {problem}. Nothing more is bought now. If you bought or paid "
            "in something else meanwhile, start the same command again; else the platform's fee "
            "is not what --fee-share and --fee-minimum assume, and a larger cap is at risk"
        )


def last_difference(world: World) -> str | None:
    """The difference between account and ledger since the study's last hold; None without one.

    While an order is under way nothing is compared.
    """
    accounts = _accounts(world)
    if any(account.open_holds() for account in accounts):
        return None
    return difference(world, _reserves(world))


def difference(world: World, reserves: Iterable[LedgerEntry]) -> str | None:
    """The difference since the latest of some holds, in words; None without one."""
    notes = [match.groups() for e in reserves if (match := _NOTE.fullmatch(e.note)) is not None]
    if world.market.pooled is None or not notes:
        return None
    parsed = [(Money.parse(spent), Money.parse(held)) for held, spent in notes]
    spent_then, held_then = max(parsed, key=lambda pair: pair[0])
    taken = held_then - world.market.pooled.balance()
    settled = _spent(world) - spent_then
    if taken == settled:
        return None
    return f"the account's balance fell by {taken}, and the ledger settled {settled}"


def _accounts(world: World) -> list[Ledger]:
    return [world.ledger, *world.other_accounts()]


def _reserves(world: World) -> list[LedgerEntry]:
    return [e for ledger in _accounts(world) for e in ledger.entries() if e.kind == "reserve"]


def _spent(world: World) -> Money:
    orders = world.store.without(frozenset()).all_orders() if world.machine else []
    others = {r.order.key for r in orders if is_machine(r.order.condition)}
    settled = (e for account in _accounts(world) for e in account.entries() if e.kind == "settle")
    return sum((entry.amount for entry in settled if entry.key not in others), ZERO)

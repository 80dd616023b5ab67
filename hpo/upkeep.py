"""`labelworth doctor` and `labelworth reconcile`: is all well with account and books?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.errors import InputError
from budget.ledger import Hold, Ledger
from budget.money import ZERO
from hpo.market.lazy_source import Door
from hpo.settings.run_folder import read_config
from hpo.study import pools
from hpo.trial.purchase import settle_ended
from hpo.trial.world import World, build
from labeling.types import STOPPED, Order, OrderEnd, Page

if TYPE_CHECKING:
    from labeling.toloka.doctor import Health
    from labeling.toloka.reconcile import Book, Finding
    from labeling.toloka.source import TolokaSource


def run_doctor(environment: str, as_json: bool) -> bool:
    """Look at the account by reads only and print what is there.

    Returns:
        Whether nothing stands in the way of buying.

    Raises:
        InputError: no token, or one that the platform does not know.
        MarketError: the platform does not answer.
    """
    from hpo.market.toloka import reach
    from labeling.toloka.doctor import doctor

    health = doctor(reach(environment))
    if as_json:
        plain = asdict(health) | {
            "balance": {"usd": health.balance.exact(), "micros": health.balance.micros},
            "problems": list(health.problems),
        }
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
    else:
        for line in _health_lines(health):
            print(line)
    return not health.problems


def _health_lines(health: Health) -> list[str]:
    skew = "not told" if health.skew_s is None else f"{health.skew_s:+.0f} s against the platform"
    lines = [
        f"{health.platform}: the token is good",
        f"requester: {health.name or 'without a name'} ({health.requester})",
        f"balance: {health.balance}",
        f"this machine's clock: {skew}",
        *(f"{quota.name}: {quota.used} of {quota.allowed}" for quota in health.quotas),
        f"open pools: {', '.join(health.open_pools) or 'none'}",
        *(f"PROBLEM: {problem}" for problem in health.problems),
    ]
    return [*lines, *([] if health.problems else ["Nothing was changed; all is well."])]


def run_reconcile(folder: Path, do_mend: bool, archive: bool, as_json: bool) -> bool:
    """Compare a study's books with the market, print what differs and, if asked, mend it.

    Args:
        folder: the study's folder.
        do_mend: mend it; otherwise nothing is changed.
        archive: archive the study's closed pools, because it is over.
        as_json: print one JSON object.

    Returns:
        Whether the books and the market agree, or do now.

    Raises:
        InputError: no study there, no token, or no pools to archive.
        MarketError: the market does not answer.
    """
    config = read_config(folder)
    pools.check_archive(config.market.partition(":")[0], archive)
    world = build(config, folder)
    try:
        report = _reconciled(world, do_mend)
        if archive:
            report["archived"] = pools.archive(world)
    finally:
        world.close()
    if as_json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        for line in _lines(report, do_mend):
            print(line)
    return all(found["mended"] for found in report["findings"])


def _reconciled(world: World, do_mend: bool) -> dict[str, Any]:
    ledgers = [world.ledger, *world.other_accounts()]
    found = _findings(world, ledgers)
    rows = []
    for finding in found:
        mended = do_mend and _mend(world, ledgers, finding)
        plain = {"text": finding.text, "mend": finding.mend, "order": finding.order}
        rows.append({**plain, "pool": finding.pool_id, "mended": mended})
    held = sum((ledger.held() for ledger in ledgers), ZERO)
    spent = sum((ledger.spent() for ledger in ledgers), ZERO)
    return {
        "study": world.config.study,
        "orders": len(world.store.all_orders()),
        "spent": {"usd": spent.exact(), "micros": spent.micros},
        "held": {"usd": held.exact(), "micros": held.micros},
        "findings": rows,
    }


def _findings(world: World, ledgers: list[Ledger]) -> list[Finding]:
    from labeling.toloka.reconcile import SETTLE, Finding, reconcile

    holds = {hold.key: hold for ledger in ledgers for hold in ledger.open_holds()}
    if isinstance(world.source, Door):
        return reconcile(world.source.source, _books(world, holds))
    ended = [r for r in world.store.all_orders() if r.end and r.order.key in holds]
    return [
        Finding(
            f"order {r.order.key[:12]} has ended and still holds money", SETTLE, "", r.order.key
        )
        for r in ended
    ]


def _books(world: World, holds: dict[str, Hold]) -> list[Book]:
    from labeling.toloka.reconcile import Book

    return [
        Book(
            record.order,
            holds[record.order.key].amount if record.order.key in holds else None,
            record.end is not None,
            record.assignments,
            world.store.paid(record.order, world.source.tariff),
        )
        for record in world.store.all_orders()
        if record.order.condition.price != ZERO  # own labels were never on the market
    ]


def _mend(world: World, ledgers: list[Ledger], finding: Finding) -> bool:
    from labeling.toloka.reconcile import SETTLE, VOID, mend

    if finding.mend == SETTLE:
        settle_ended(world)
        return True
    if finding.mend == VOID:
        return _give_up(world, ledgers, finding.order)
    return mend(_source(world), finding)


def _give_up(world: World, ledgers: list[Ledger], key: str) -> bool:
    """End an order for which nothing was bought, at $0; what it wanted may be ordered anew."""
    record = world.store.record(key)
    if record is None:
        return False
    source, order = _source(world), record.order
    with source.journal.alone(f"order-{key}") as is_free:
        if not is_free:
            return False  # a study is at it
        world.store.add(order, Page((), (), _nothing(order)))
    for ledger in ledgers:
        for hold in ledger.open_holds():
            if hold.key == key:
                ledger.settle(hold, ZERO, "nothing was bought")
    return True


def _nothing(order: Order) -> OrderEnd:
    return OrderEnd(STOPPED, 0.0, order.answers_wanted, 0, 0, 0)


def _source(world: World) -> TolokaSource:
    if not isinstance(world.source, Door):
        raise InputError(
            f"study {world.config.study!r}: its market is {world.market.kind}, which has no pools"
        )
    return world.source.source


def _lines(report: dict[str, Any], do_mend: bool) -> list[str]:
    lines = [
        f"Study {report['study']}: {report['orders']} orders, spent ${report['spent']['usd']}, "
        f"held ${report['held']['usd']}"
    ]
    for found in report["findings"]:
        if found["mended"]:
            state = f"mended ({found['mend']})"
        elif not do_mend and found["mend"] == "void":
            state = "start the study again to go on with it, or --mend to give the money back"
        elif not do_mend and found["mend"] not in ("", "collect"):
            state = f"--mend would {found['mend']} it"
        elif found["mend"] == "collect":
            state = "start the study again: it goes on with it"
        else:
            state = "look at it yourself: nothing here can mend it"
        lines.append(f"- {found['text']}: {state}")
    if "archived" in report:
        lines.append(f"archived pools: {', '.join(report['archived']) or 'none'}")
    if not report["findings"]:
        lines.append("The books and the market agree.")
    return lines

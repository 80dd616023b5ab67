"""A study's pools on the market: what is said of them before it buys, and what becomes of them."""

from __future__ import annotations

import uuid

from budget.errors import InputError
from budget.files import write_whole
from hpo.settings.market_kinds import KINDS, MarketKind
from hpo.trial.purchase import CONFIRMED, DELIVERED, apart
from hpo.trial.world import MARKET_LOCK, World
from labeling.machine import is_machine
from labeling.source import PooledSource
from labeling.store.claims import Claim

_MARK, _BUYS_FROM = "market.id", "buys from"
"""The file that tells a study's folder from others; under which name its content is claimed."""


def check_archive(kind: MarketKind, archive: bool) -> None:
    """Refuse to archive pools on a market that has none.

    Raises:
        InputError: the market has no pools.
    """
    if archive and not kind.archives:
        others = " and ".join(kind.name for kind in KINDS if kind.archives)
        raise InputError(
            f"--archive: the market {kind.name} has no pools to archive; only {others} have"
        )


def look(world: World) -> list[str]:
    """Close what a killed process left open, before anything else is done on the market.

    Returns:
        What a user should know of the study's pools before more is bought, in lines.

    Raises:
        InputError: another machine's folder holds the journal of the study's pools.
    """
    source = world.market.pooled
    if world.market.kind.has_pools and world.config.storage is not None:
        check_folder(world)
    if source is None:
        return []
    _check_journal(world)
    closed = _sweep(world, source)
    said = []
    if closed:
        said.append(f"Closed what an earlier process had left open: pool {', '.join(closed)}.")
    conditions = _conditions(world)
    gone = source.archived(conditions) if conditions else []
    if gone:
        said.append(
            f"Pools of this study are archived, in {len(gone)} of its {len(conditions)} "
            "conditions. They cannot be opened again: what is bought there now comes from new "
            "pools, to which the annotators of the archived ones are not admitted."
        )
    return said


def check_folder(world: World) -> None:
    """Refuse to buy from another folder than the one whose journal knows what was bought.

    A study at a database server may be started in any folder. An order that another folder's
    process has placed would be placed, and paid, once more. Until something is ordered, the study
    buys from the folder that it was started in last.

    Raises:
        InputError: the study has bought from another folder.
    """
    claim = Claim(world.database, f"{world.config.study} {_BUYS_FROM}")
    path, known = world.folder / _MARK, claim.settings()
    mine = path.read_text() if path.exists() else None
    if known not in (None, mine) and _conditions(world):
        raise InputError(
            f"{world.folder}: the study has bought on {world.market.name} from another folder, "
            "whose journal knows what it bought; bring the folder of the machine that bought, or "
            "share --runs"
        )
    if mine is None:
        mine = uuid.uuid4().hex
        write_whole(path, mine.encode())
    if known != mine:
        claim.keep(mine)


def _check_journal(world: World) -> None:
    """Refuse to go on without the journal: it alone knows pools, their exams and who is admitted.

    A first start makes it before anything is ordered.
    """
    from labeling.toloka.api.intents import FILE

    if _conditions(world) and not any(world.folder.rglob(FILE)):
        raise InputError(
            f"{world.folder}: {FILE} is missing, and the study has bought on "
            f"{world.market.name}; bring the folder of the machine that bought, or share --runs"
        )


def _sweep(world: World, source: PooledSource) -> list[str]:
    """Close what a killed process left open; returns what was closed.

    Where an agent buys there now, nothing is touched: it closes what it has opened.
    """
    with world.locks.try_hold(MARKET_LOCK) as nobody_buys:
        if not nobody_buys:
            return []
        return source.sweep([order.key for order in world.store.unfinished()])


def put_away(world: World, is_over: bool) -> list[str]:
    """Archive pools once the answer is written, and say what became of them all, in lines.

    A pool stays where a larger budget could go on in it.

    Args:
        world: the study's world.
        is_over: archive every pool.
    """
    conditions = _conditions(world)
    if world.market.pooled is None or not conditions:
        return []
    archived = archive(world, conditions if is_over else _exhausted(world))
    count = f"{len(archived)} pool{'' if len(archived) == 1 else 's'}"
    if is_over:
        return [f"Archived {count}: the study is over."]
    why = f"; {count} in which nothing is left to buy archived" if archived else ""
    return [
        f"The study's pools are closed{why}. They stay for a larger --budget and for labelworth "
        f"buy; labelworth reconcile {world.folder} --archive archives them."
    ]


def archive(world: World, conditions: list[str] | None = None) -> list[str]:
    """Archive the closed pools of some conditions, of all by default.

    Where another process buys they all stay, and else those in which an order is unfinished.

    Returns:
        Ids of the pools that were archived.
    """
    source = world.market.pooled
    if source is None:
        return []
    wanted = _conditions(world) if conditions is None else conditions
    with world.locks.try_hold(MARKET_LOCK) as nobody_buys:
        if not nobody_buys:
            return []
        at_work = {order.condition.key for order in world.store.unfinished()}
        return source.archive([key for key in wanted if key not in at_work])


def _conditions(world: World) -> list[str]:
    """Keys of the conditions in which something was ordered."""
    orders = [record.order for record in world.store.all_orders()]
    return list(
        dict.fromkeys(
            o.condition.key
            for o in orders
            if o.condition.reward.micros > 0 and not is_machine(o.condition)
        )
    )


def _exhausted(world: World) -> list[str]:
    """Those of which the study, however much its budget is raised, owns everything."""
    conditions, open_ones = _conditions(world), set()
    for each in (world, apart(world, CONFIRMED), apart(world, DELIVERED)):
        plans = [(each.condition(plan).key, plan) for plan in each.space.plans]
        open_ones |= {
            key for key, p in plans if key in conditions and each.prices.to_buy(p).answers
        }
    return [key for key in conditions if key not in open_ones]

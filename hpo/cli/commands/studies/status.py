"""`labelworth status`: where a study stands, read without data or models."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.cli.console import print_json, print_lines
from hpo.cli.flags import Commands, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from budget.database import Database
    from budget.ledger import Ledger
    from hpo.settings.config import StudyConfig
    from labeling.store.annotators.work import PersonWork
    from labeling.store.records import OrderRecord


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "where a live or dead study stands: money, orders, who is at work, the last event"
    parser = add_command(commands, "status", words)
    add_run_dir(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print where the study stands."""
    gc.disable()  # a short process: most of its time is imports, which leave no garbage
    try:
        show_status(arguments.folder, arguments.json)
    finally:
        gc.enable()
    return DONE


def show_status(folder: Path, as_json: bool) -> None:
    """Print cap, spent, held and left, the orders, who is at work, and the last event.

    Raises:
        InputError: there is no study in the folder.
        LedgerCorrupt: its ledger does not verify.
    """
    from budget.ledger import Ledger, accounts_of
    from budget.money import add_up_in_cents
    from hpo.answer.sentences import market_line
    from hpo.settings.run_folder import look_into_store, read_config
    from hpo.study.logs.log import last_event, workers
    from hpo.trial.holdings.books import look_at_books
    from labeling.store import Store

    config = read_config(folder)
    look_at_books(folder)
    engine = look_into_store(folder, config)
    own = Ledger.open(engine, config.study)
    balance = own.balance()
    beside = [
        Ledger.open(engine, name)
        for name in accounts_of(engine, config.study)
        if name != config.study
    ]
    elsewhere = frozenset(entry.key for account in beside for entry in account.entries())
    bought = {record.order.key: record for record in Store(engine, config.study).all_orders()}
    records = [record for key, record in bought.items() if key not in elsewhere]
    unfinished = [record for record in records if record.end is None]
    facts: dict[str, Any] = {
        "study": config.study,
        "market": config.market_kind.name,
        "cap": balance.cap.to_json(),
        "spent": balance.spent.to_json(),
        "held": balance.held.to_json(),
        "left": balance.left.to_json(),
        "orders": len(records),
        "orders_open": len(unfinished),
        "assignments": sum(record.assignments for record in records),
        "answered": (folder / "report.json").exists(),
        "bought": [_purchase(account, bought) for account in beside],
        "open_orders": _open_orders([own, *beside], bought),
        "workers": workers(folder),
        "last_event": last_event(folder),
    }
    people = _people(engine, config, list(bought), folder) if config.has_staff else []
    refused: list[dict[str, Any]] = []
    if people:
        from hpo.cli.commands.staff.pay import person_to_plain
        from hpo.cli.commands.staff.refused import refused_in

        facts["people"] = [person_to_plain(person) for person in people]
        refused = refused_in(folder, config, [record.order for record in bought.values()])
        facts["refused"] = refused
    engine.dispose()
    if as_json:
        print_json(facts)
        return
    answer = "answer written" if facts["answered"] else "no answer yet"
    spent, held, left = add_up_in_cents([balance.spent, balance.held, balance.left])
    lines = (
        f"Study {config.study}: {answer}; {market_line(config)}",
        f"cap {balance.cap.cents()}, spent {spent}, held {held}, left {left}",
        f"{len(records)} orders ({len(unfinished)} open), {facts['assignments']} assignments paid",
        *(_line(purchase) for purchase in facts["bought"]),
        *(f"open since {row['since']}: {row['for']}" for row in facts["open_orders"]),
        _work_line(facts["workers"]),
        *_event_lines(facts["last_event"]),
    )
    print_lines(lines)
    if people:
        from hpo.cli.commands.staff.pay import print_people

        print_people(people)
        print_lines(
            f"not counted and not paid: {row['answers']} of {row['annotator']}: {row['reason']}"
            for row in refused
        )


def _people(
    engine: Database, config: StudyConfig, orders: list[str], folder: Path
) -> list[PersonWork]:
    """What each own annotator did so far, in all orders; control tasks need the study's labels."""
    from hpo.data.dataset import load
    from labeling.store.annotators.work import work_by_person

    data = load(config, folder)
    truth = {int(row): int(data.truth[row]) for row in data.rows["control"]}
    return work_by_person(engine, config.study, orders, truth)


def _open_orders(accounts: list[Ledger], orders: dict[str, OrderRecord]) -> list[dict[str, Any]]:
    """Orders that have not ended, with the time at which money was held for them."""
    from hpo.study.oversight.accounts import RESERVE, order_in_words

    entries = [entry for account in accounts for entry in account.entries()]
    held = {entry.key: entry.at for entry in entries if entry.kind == RESERVE}
    return [
        {
            "order": key,
            "since": held.get(key) or "before any money was held",
            "assignments": record.assignments,
            "limit": record.order.limit,
            "for": order_in_words(record),
        }
        for key, record in orders.items()
        if record.end is None
    ]


def _work_line(workers: list[int]) -> str:
    if not workers:
        return "at work: no process of this machine"
    return f"at work: process {', '.join(map(str, workers))}"


def _event_lines(event: dict[str, Any] | None) -> list[str]:
    if event is None:
        return []
    words = [event.get(name) for name in ("what", "note", "error", "line", "problem", "usd")]
    told = ", ".join(str(word) for word in words if word)
    return [f"last event: {event['at']} {event['event']}{f': {told}' if told else ''}"]


def _purchase(account: Ledger, orders: dict[str, OrderRecord]) -> dict[str, Any]:
    """Where a purchase beside the search stands."""
    balance = account.balance()
    mine = [orders[e.key] for e in account.entries() if e.kind == "reserve" and e.key in orders]
    return {
        "plan": account.name.partition("/")[2],
        "cap": balance.cap.to_json(),
        "spent": balance.spent.to_json(),
        "held": balance.held.to_json(),
        "left": balance.left.to_json(),
        "orders_open": sum(record.end is None for record in mine),
        "assignments": sum(record.assignments for record in mine),
    }


def _line(purchase: dict[str, Any]) -> str:
    from budget.money import Money, add_up_in_cents

    cap = Money.from_json(purchase["cap"]).cents()
    parts = [Money.from_json(purchase[name]) for name in ("spent", "held", "left")]
    spent, held, left = add_up_in_cents(parts)
    state = " (not ended)" if purchase["orders_open"] else ""
    return (
        f"bought beside it: {purchase['plan']}{state}: cap {cap}, spent {spent}, held {held}, "
        f"left {left}, {purchase['assignments']} assignments paid"
    )

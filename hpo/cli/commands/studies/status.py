"""`labelworth status`: where a study stands, read without data or models."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.cli.console import print_json, print_lines
from hpo.cli.flags import Commands, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from budget.book import Balance, Book
    from budget.database import Database
    from hpo.settings.config import StudyConfig
    from hpo.trial.holdings.books import Books, OrderRow
    from labeling.store import Store
    from labeling.store.annotators.work import PersonWork


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
    from budget.money import add_up_in_cents
    from hpo.answer.sentences import market_line
    from hpo.settings.run_folder import read_config
    from hpo.study.logs.log import last_event, workers
    from hpo.trial.holdings.books import begun_books

    config = read_config(folder)
    books = begun_books(folder, config)
    accounts, orders = dict(books.accounts), books.orders
    balance = accounts.pop(config.study).balance()
    elsewhere = {key for account in accounts.values() for key in account.reserved}
    own = [order for key, order in orders.items() if key not in elsewhere]
    facts: dict[str, Any] = {
        "study": config.study,
        "market": config.market_kind.name,
        **_sums(balance),
        "orders": len(own),
        "orders_open": sum(order.is_open for order in own),
        "assignments": sum(order.assignments for order in own),
        "answered": (folder / "report.json").exists(),
        "bought": [_purchase(name, account, orders) for name, account in accounts.items()],
        "open_orders": _open_orders(folder, config, books),
        "workers": workers(folder),
        "last_event": last_event(folder),
    }
    people: list[PersonWork] = []
    refused: list[dict[str, Any]] = []
    if config.has_staff:
        people, refused = _people(folder, config)
    if people:
        from hpo.cli.commands.staff.pay import person_to_plain

        facts["people"] = [person_to_plain(person) for person in people]
        facts["refused"] = refused
    if as_json:
        print_json(facts)
        return
    answer = "answer written" if facts["answered"] else "no answer yet"
    spent, held, left = add_up_in_cents([balance.spent, balance.held, balance.left])
    lines = (
        f"Study {config.study}: {answer}; {market_line(config)}",
        f"cap {balance.cap.cents()}, spent {spent}, held {held}, left {left}",
        f"{len(own)} orders ({facts['orders_open']} open), {facts['assignments']} assignments paid",
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


def _people(folder: Path, config: StudyConfig) -> tuple[list[PersonWork], list[dict[str, Any]]]:
    """What each own annotator did so far, in all orders; control tasks need the study's labels.

    Returns:
        The work, and the answers that were refused.
    """
    from hpo.cli.commands.staff.refused import refused_in
    from hpo.data.dataset import load
    from labeling.store.annotators.work import work_by_person

    data = load(config, folder)
    truth = {int(row): int(data.truth[row]) for row in data.rows["control"]}
    with _store_in(folder, config) as (engine, store):
        orders = [record.order for record in store.all_orders()]
        work = work_by_person(engine, config.study, [order.key for order in orders], truth)
    return work, refused_in(folder, config, orders)


@contextmanager
def _store_in(folder: Path, config: StudyConfig) -> Iterator[tuple[Database, Store]]:
    from hpo.settings.run_folder import look_into_store
    from labeling.store import Store

    engine = look_into_store(folder, config)
    try:
        yield engine, Store(engine, config.study)
    finally:
        engine.dispose()


def _open_orders(folder: Path, config: StudyConfig, books: Books) -> list[dict[str, Any]]:
    """Orders that have not ended, with the time at which money was held for them."""
    if not any(order.is_open for order in books.orders.values()):
        return []  # without them nothing of the store is needed
    from hpo.study.oversight.accounts import RESERVE, order_in_words

    entries = [entry for account in books.accounts.values() for entry in account.entries]
    held = {entry.key: entry.at for entry in entries if entry.kind == RESERVE}
    with _store_in(folder, config) as (_, store):
        records = [record for record in store.all_orders() if record.end is None]
    return [
        {
            "order": record.order.key,
            "since": held.get(record.order.key) or "before any money was held",
            "assignments": record.assignments,
            "limit": record.order.limit,
            "for": order_in_words(record),
        }
        for record in records
    ]


def _sums(balance: Balance) -> dict[str, Any]:
    parts = ("cap", "spent", "held", "left")
    return {part: getattr(balance, part).to_json() for part in parts}


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


def _purchase(name: str, account: Book, orders: Mapping[str, OrderRow]) -> dict[str, Any]:
    """Where a purchase beside the search stands."""
    mine = [orders[key] for key in account.reserved if key in orders]
    return {
        "plan": name.partition("/")[2],
        **_sums(account.balance()),
        "orders_open": sum(order.is_open for order in mine),
        "assignments": sum(order.assignments for order in mine),
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

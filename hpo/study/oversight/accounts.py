"""The entries of a study's accounts, each with what it was for, and their texts for other programs.

Nothing heavy is imported here, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from budget.book import LedgerEntry
from budget.money import ZERO, Money
from hpo.answer.plan_in_words import condition_people_in_words, counted
from hpo.settings.run_folder import look_into_store, read_config
from hpo.trial.holdings.books import look_at_books
from labeling.store import OrderRecord, Store
from labeling.tables.spelling import guarded
from labeling.tables.writing import csv_text
from labeling.types import Order

CAP, RESERVE, SETTLE, VOID = "cap", "reserve", "settle", "void"
COLUMNS = ("account", "entry", "time", "kind", "order", "usd", "fee_usd", "for")
_UNDATED = date(1970, 1, 1)  # beancount needs a date; rows of an older release have none
_LEFT, _HELD = "Assets:{}:Left", "Assets:{}:Held"
_BUDGET, _REWARDS, _FEE = "Equity:{}:Budget", "Expenses:{}:Rewards", "Expenses:{}:Fee"


@dataclass(frozen=True, slots=True)
class Posting:
    """An entry of an account, with what it was for.

    Attributes:
        account: the account's name: STUDY for the study, STUDY/PURCHASE for a later purchase.
        entry: the ledger's row.
        hold: money that was held under the entry's key before it; nothing for a cap or a hold.
        fee: the platform's part of a settlement.
        what: the order in words; "" for a cap.
    """

    account: str
    entry: LedgerEntry
    hold: Money
    fee: Money
    what: str


def postings_of(folder: Path) -> list[Posting]:
    """All entries of a study's accounts, account by account, oldest first.

    Raises:
        InputError: there is no study in the folder, or nothing was bought yet.
        LedgerCorrupt: rows are not the rows that were written.
    """
    config = read_config(folder)
    study = config.study
    books = look_at_books(folder)
    engine = look_into_store(folder, config)
    try:
        orders = {record.order.key: record for record in Store(engine, study).all_orders()}
    finally:
        engine.dispose()
    return [
        posting
        for name, account in (books.accounts.items() if books else ())
        for posting in _postings(name, account.entries, orders)
    ]


def _postings(
    account: str, entries: Sequence[LedgerEntry], orders: Mapping[str, OrderRecord]
) -> Iterator[Posting]:
    holds = {entry.key: entry.amount for entry in entries if entry.kind == RESERVE}
    for entry in entries:
        record = orders.get(entry.key)
        settled = entry.kind == SETTLE and record is not None
        fee = entry.amount - record.reward if settled and record is not None else ZERO
        hold = holds[entry.key] if entry.kind in (SETTLE, VOID) else ZERO
        yield Posting(account, entry, hold, fee, _words(entry.kind, record))


def _words(kind: str, record: OrderRecord | None) -> str:
    if kind == CAP:
        return ""
    if record is None:
        return "an order that was withdrawn"
    return order_in_words(record) if kind == SETTLE else wanted_in_words(record.order)


def order_in_words(record: OrderRecord) -> str:
    """An order with what came for it: "3 assignments of at most 5, 20 answers wanted ..."."""
    came = counted(record.assignments, "assignment")
    return f"{came} of at most {record.order.limit}, {wanted_in_words(record.order)}"


def wanted_in_words(order: Order) -> str:
    """An order in words: "20 answers wanted at $0.002 a task, 1 control task"."""
    condition = order.condition
    return (
        f"{counted(order.answers_wanted, 'answer')} wanted at {condition.price} a task, "
        f"{counted(condition.controls, 'control task')}{', exam' if condition.exam else ''}"
        f"{condition_people_in_words(condition)}"
    )


def to_plain(posting: Posting) -> dict[str, Any]:
    """A posting as JSON types."""
    entry = posting.entry
    return {
        "account": posting.account,
        "entry": entry.seq,
        "time": entry.at or None,
        "kind": entry.kind,
        "order": None if entry.kind == CAP else entry.key,
        "amount": entry.amount.to_json(),
        "fee": posting.fee.to_json(),
        "for": posting.what,
    }


def to_csv(postings: Sequence[Posting]) -> str:
    """The entries as a table of `COLUMNS`: one row an entry, amounts in dollars."""
    rows = []
    for posting in postings:
        entry = posting.entry
        order = "" if entry.kind == CAP else entry.key
        money = (entry.amount.exact(), posting.fee.exact() if entry.kind == SETTLE else "")
        words = (entry.at, entry.kind, order, *money, posting.what)
        rows.append((guarded(posting.account), entry.seq, *words))
    return csv_text(COLUMNS, rows)


# --- beancount ---


def to_beancount(postings: Sequence[Posting]) -> str:
    """The entries in double entry, as beancount reads them.

    A cap moves money from the budget to what is left, a hold from there to what is held; a
    settlement spends of it and gives back the rest. The last lines assert what is left and held.
    """
    names = list(dict.fromkeys(posting.account for posting in postings))
    groups = {name: f"Purchase-{at}" if at else "Study" for at, name in enumerate(names)}
    dates = _dates(postings)
    first, last = min(dates, default=_UNDATED), max(dates, default=_UNDATED)
    lines = ['option "title" ' + _quoted(f"labelworth: {names[0] if names else 'no account'}")]
    lines += ['option "operating_currency" "USD"', ""]
    for name, group in groups.items():
        for account in (_LEFT, _HELD, _BUDGET, _REWARDS, _FEE):
            lines += [f"{first} open {account.format(group)} USD", f"  study: {_quoted(name)}"]
    totals: dict[str, Money] = {}
    caps = dict.fromkeys(names, ZERO)
    for posting, day in zip(postings, dates, strict=True):
        moves = _moves(posting, caps[posting.account])
        if posting.entry.kind == CAP:
            caps[posting.account] = posting.entry.amount
        lines += ["", *_transaction(posting, day, groups[posting.account], moves)]
        for account, amount in moves.items():
            key = account.format(groups[posting.account])
            totals[key] = totals.get(key, ZERO) + amount
    lines.append("")
    for account, total in totals.items():
        lines.append(f"{last + timedelta(days=1)} balance {account} {total.exact()} USD")
    return "\n".join(lines) + "\n"


def _moves(posting: Posting, cap: Money) -> dict[str, Money]:
    """What an entry adds to each account; the amounts add up to nothing."""
    amount, hold = posting.entry.amount, posting.hold
    if posting.entry.kind == CAP:
        return {_LEFT: amount - cap, _BUDGET: cap - amount}
    if posting.entry.kind == RESERVE:
        return {_HELD: amount, _LEFT: ZERO - amount}
    spent = {_REWARDS: amount - posting.fee, _FEE: posting.fee}
    return {**spent, _LEFT: hold - amount, _HELD: ZERO - hold}


def _transaction(
    posting: Posting, day: date, group: str, moves: Mapping[str, Money]
) -> Iterator[str]:
    entry = posting.entry
    words = f"{entry.kind} {posting.what}".strip()
    yield f"{day} * {_quoted(posting.account)} {_quoted(words)}"
    yield f"  entry: {entry.seq}"
    if entry.kind != CAP:
        yield f"  order: {_quoted(entry.key)}"
    yield f"  time: {_quoted(entry.at or 'not written down')}"
    for account, amount in moves.items():
        yield f"  {account.format(group)}  {amount.exact()} USD"


def _dates(postings: Sequence[Posting]) -> list[date]:
    """The day of each entry; an entry without a time has that of the one before it."""
    days, before = [], _UNDATED
    for posting in postings:
        if posting.entry.at:
            before = datetime.fromisoformat(posting.entry.at).date()
        days.append(before)
    return days


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{" ".join(escaped.split())}"'

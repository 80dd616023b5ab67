"""Planted bugs: each takes one guard of money or labels away, and some test must fail on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A planted bug.

    Attributes:
        guard: the guard that is taken away.
        file: where it stands.
        old: its code, which stands there once.
        new: what is planted in its place.
        tests: the tests that must not all pass, as words for pytest.
    """

    guard: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_DAMAGE, _LEDGER = "tests/budget/test_ledger_damage.py", "tests/contract/test_ledger.py"
_STORE, _SEALS = "tests/labeling/store/test_store.py", "tests/budget/test_seals.py"
_SERVER = "tests/budget/postgres/test_server.py"
_SHEET = "tests/labeling/timesheet/test_sheet.py"
_FLIPS, _TOLOKA = "tests/faults/test_flips.py", "tests/labeling/toloka/test_market.py"
_MACHINE = "tests/labeling/machine/test_source.py"

MUTANTS = (
    Mutant(
        "one row of a kind and key in the ledger",
        "budget/ledger.py",
        '    UniqueConstraint("study", "kind", "key"),\n',
        "",
        (_DAMAGE, "-k", "second_row"),
    ),
    Mutant(
        "one resolution of a hold in the ledger's table",
        "budget/ledger.py",
        "unique=True, sqlite_where",
        "unique=False, sqlite_where",
        (_DAMAGE, "-k", "second_row"),
    ),
    Mutant(
        "the cap",
        "budget/ledger.py",
        "if amount > left:",
        "if amount > left + left:",
        (_LEDGER,),
    ),
    Mutant(
        "the check of the cap under the lock",
        "budget/ledger.py",
        "        with writing(self._engine) as connection:\n            # The balance is read",
        "        with reading(self._engine) as connection:\n            # The balance is read",
        (_LEDGER,),
    ),
    Mutant(
        "the hash of a ledger row",
        "budget/book.py",
        "if not is_text or digest != digest_of(prev, study, seq, kind, key, micros, note, *times):",
        "if not is_text:",
        (_DAMAGE, "-k", "edited_rows or added_since or open_changes"),
    ),
    Mutant(
        "the head of the ledger",
        "budget/ledger.py",
        "if last != ((head.seq, head.hash) if head else None):",
        "if last is None and head is not None:",
        (_DAMAGE, "-k", "edited_rows"),
    ),
    Mutant(
        "the stop after a settlement above its hold",
        "budget/book.py",
        "self.overrun |= entry.amount > self._open.pop(key)",
        "self._open.pop(key)",
        (_LEDGER,),
    ),
    Mutant(
        "one amount under one key",
        "budget/ledger.py",
        "if reserved is not None and reserved != amount:",
        "if False:",
        (_LEDGER,),
    ),
    Mutant(
        "the cut end of a database",
        "budget/sqlite_file.py",
        "if size % page == 0 and size >= page * pages:",
        "if size:",
        (_DAMAGE, "-k", "cut"),
    ),
    Mutant(
        "the seals of rows",
        "budget/seals.py",
        "        if _used(stored[name]) != _used(_made(connection, name, column)):",
        "        if _used(stored[name]).keys() != _used(_made(connection, name, column)).keys():",
        (_SEALS,),
    ),
    Mutant(
        "the triggers of seals",
        "budget/seals.py",
        "if any(present.get(trigger) != sql for trigger, sql in wanted.items()):",
        "if False:",
        (_SEALS,),
    ),
    Mutant(
        "the seal of what is read while the study runs",
        "budget/database.py",
        "    if problem:\n        raise LedgerCorrupt(name_of(connection.engine), problem)",
        "    if problem:\n        return",
        (_SEALS,),
    ),
    Mutant(
        "settlements held against assignments",
        "hpo/trial/holdings/books.py",
        "    if paid != entry.amount:\n",
        "    if paid > entry.amount + entry.amount:\n",
        (_FLIPS, "-k", "before_there_were_seals"),
    ),
    Mutant(
        "an assignment that comes again and differs",
        "labeling/store/pages.py",
        'if rows[name]["digest"] != digest:',
        "if False:",
        (_STORE,),
    ),
    Mutant(
        "an order that has ended takes nothing new",
        "labeling/store/pages.py",
        "if has_ended and fresh:",
        "if False:",
        (_STORE,),
    ),
    Mutant(
        "an order with a hold stays",
        "labeling/store/store.py",
        "if has_ended or came or is_reserved(connection, self._study, order.key):",
        "if has_ended or came:",
        (_STORE,),
    ),
    Mutant(
        "the hold is kept when a purchase fails",
        "hpo/trial/purchase.py",
        "        pool = seller.place(order)  #",
        "        try:\n            pool = seller.place(order)\n"
        "        except Exception:\n            ledger.void(hold)\n            raise\n        #",
        ("tests/hpo/trial/test_purchase.py",),
    ),
    Mutant(
        "the account held against the ledger",
        "hpo/trial/purchase.py",
        "        check_taken(world, order.key)\n",
        "",
        ("tests/hpo/market/test_toloka.py", "-k", "assumed"),
    ),
    Mutant(
        "the first order on real money is one page",
        "hpo/trial/purchase.py",
        "if world.market.kind.real_money and not world.store.all_orders():",
        "if False:",
        ("tests/hpo/market/test_toloka.py", "-k", "assumed"),
    ),
    Mutant(
        "annotators of a confirmation are others",
        "hpo/trial/purchase.py",
        "name=world.market.name + mark)",
        "name=world.market.name)",
        ("tests/hpo/search/test_searcher.py", "-k", "bought_from_others"),
    ),
    Mutant(
        "the seal of the final images",
        "hpo/trial/evaluate.py",
        '    scores = score_on("validation", trained, world)\n    first = Outcome(',
        '    scores = score_on("final", trained, world)\n    first = Outcome(',
        ("tests/hpo/study/test_study.py", "-k", "final_images_come_last"),
    ),
    Mutant(
        "one process at a time searches",
        "hpo/study/study.py",
        "self.world.locks.hold(_RUNNING, busy):\n",
        'self.world.locks.hold(f"{_RUNNING}-{id(self)}", busy):\n',
        ("tests/faults/test_start.py", "-k", "waits"),
    ),
    Mutant(
        "the expiry of a pool",
        "labeling/toloka/pools/prepare.py",
        "        return self._api.clock.now() + span, has_deadline\n",
        "        return self._api.clock.now() + span * 1000, has_deadline\n",
        (_TOLOKA, "-k", "expiry"),
    ),
    Mutant(
        "the sweep of what a killed process left open",
        "labeling/toloka/source.py",
        "                    self.shut(pool.id)\n",
        "                    pass\n",
        (_TOLOKA, "-k", "closes_the_rest"),
    ),
    Mutant(
        "the read-back of a pool",
        "labeling/toloka/describe/read_back.py",
        "    _refuse(name, what, differences(wanted, got, POOL), got",
        "    _refuse(name, what, [], got",
        (_TOLOKA, "-k", "read_back"),
    ),
    Mutant(
        "a market's journal, without which no other machine buys, at a server",
        "hpo/study/pools.py",
        "if _conditions(world) and not any(",
        "if False and not any(",
        ("tests/hpo/study/test_together.py", "-k", "needs_the_folder"),
    ),
    Mutant(
        "one folder that buys on a market with pools, at a server",
        "hpo/study/pools.py",
        "if known not in (None, mine) and _conditions(world):",
        "if False:",
        ("tests/hpo/study/test_together.py", "-k", "folder"),
    ),
    Mutant(
        "a request's body of one known length",
        "labeling/toloka/server/web/guard.py",
        " or len(told) != 1 or ",
        " or ",
        ("tests/labeling/toloka/server/test_guard.py", "-k", "length"),
    ),
    Mutant(
        "a machine's call on disk before it is sent",
        "labeling/machine/source.py",
        "        self._kept.send(calls, order)\n",
        "",
        (_MACHINE, "-k", "dies"),
    ),
    Mutant(
        "a machine's kept replies",
        "labeling/machine/source.py",
        "is_open = all(each.reply.trouble for each in kept)",
        "is_open = True",
        (_MACHINE, "-k", "costs_nothing"),
    ),
    Mutant(
        "the hold of a machine that counts too much",
        "labeling/machine/source.py",
        "return self._spent + self.worst * calls <= self._held",
        "return True",
        (_MACHINE, "-k", "dearer"),
    ),
    Mutant(
        "the control tasks that mixing with a machine needs",
        "labeling/machine/mixing.py",
        "self.controls >= FEWEST_FOR_GAIN and self.gain",
        "self.gain",
        ("tests/labeling/machine/test_mixing.py", "-k", "too_few"),
    ),
    Mutant(
        "one order a condition, at a server",
        "labeling/store/queries.py",
        '        alone(connection, "orders", study, condition.key)\n',
        "",
        (_STORE, "-k", "racing_workers and postgresql"),
    ),
    Mutant(
        "one writer of a study's accounts, at a server",
        "budget/ledger.py",
        '    alone(connection, "accounts", study.partition("/")[0])\n',
        "    pass\n",
        (_LEDGER, "-k", "rac and postgresql"),
    ),
    Mutant(
        "one state a reading, at a server",
        "budget/database.py",
        "            to_reader(connection)\n",
        "            pass\n",
        (_SERVER, "-k", "one_state"),
    ),
    Mutant(
        "rows of the ledger that stay, at a server",
        "budget/ledger.py",
        "\"$$ BEGIN RAISE EXCEPTION 'append-only'; END $$\"",
        '"$$ BEGIN RETURN NEW; END $$"',
        (_SERVER, "-k", "never_changed"),
    ),
    Mutant(
        "the seals of rows, at a server",
        "budget/postgres/seals.py",
        '"WHERE coalesce(made, 0) <> coalesce(kept, 0) LIMIT 1"',
        '"WHERE made IS NULL LIMIT 1"',
        (_SERVER, "-k", "another_program_changed"),
    ),
    Mutant(
        "a call that is made again is idempotent, at a server",
        "budget/ledger.py",
        "            if reserved is None:\n",
        "            if resolution is None:\n",
        (_LEDGER, "-k", "asking_twice"),
    ),
    Mutant(
        "the cap on an answer's paid time",
        "budget/tariffs/staff.py",
        "        return min(most, max(",
        "        return max(most, max(",
        ("tests/budget/test_hourly_tariff.py",),
    ),
    Mutant(
        "the hold for one answer more of each person",
        "budget/tariffs/hourly.py",
        "* (assignments + self.people)",
        "* assignments",
        ("tests/budget/test_hourly_tariff.py",),
    ),
    Mutant(
        "one answer of a person to a task",
        "labeling/timesheet/sheet.py",
        "        if (answer.annotator, answer.task) in self._seen:",
        "        if False:",
        (_SHEET, "-k", "refused"),
    ),
    Mutant(
        "the limit of an order of own annotators",
        "labeling/timesheet/sheet.py",
        "if work.paid >= work.order.limit + self._tariff.among(group).people:",
        "if work.paid >= 2 * work.order.limit + self._tariff.among(group).people:",
        (_SHEET, "-k", "limit"),
    ),
)

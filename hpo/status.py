"""Where a study stands, read from its folder without data, images or models."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from budget.database import open_database
from budget.ledger import Ledger
from hpo.folder import read_config
from hpo.versioning import money_to_plain
from labeling.store import Store


def show_status(folder: Path, as_json: bool) -> None:
    """Print cap, spent, held and left, the orders, and whether the answer is written.

    Raises:
        InputError: there is no study in the folder.
        LedgerCorrupt: its ledger does not verify.
    """
    config = read_config(folder)
    engine = open_database(folder / "labelworth.sqlite")
    ledger = Ledger.open(engine, config.study, config.budget)
    store = Store(engine, config.study)
    records = store.all_orders()
    unfinished = [record for record in records if record.end is None]
    facts = {
        "study": config.study,
        "cap": money_to_plain(ledger.cap),
        "spent": money_to_plain(ledger.spent()),
        "held": money_to_plain(ledger.held()),
        "left": money_to_plain(ledger.left()),
        "orders": len(records),
        "orders_open": len(unfinished),
        "assignments": sum(record.assignments for record in records),
        "answered": (folder / "report.json").exists(),
    }
    engine.dispose()
    if as_json:
        json.dump(facts, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    console = Console(highlight=False)
    answer = "answer written" if facts["answered"] else "no answer yet"
    for line in (
        f"Study {config.study}: {answer}",
        f"cap {ledger.cap.cents()}, spent {ledger.spent().cents()}, "
        f"held {ledger.held().cents()}, left {ledger.left().cents()}",
        f"{len(records)} orders ({len(unfinished)} open), {facts['assignments']} assignments paid",
    ):
        console.print(Text(line))

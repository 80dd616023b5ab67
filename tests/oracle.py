"""What was really paid, straight from SQL: the judge of every ledger, report and account.

Written apart from the program's own sums, so that no bug of theirs is in it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def _one(folder: Path, query: str) -> int:
    with closing(sqlite3.connect(folder / "labelworth.sqlite")) as database:
        return int(database.execute(query).fetchone()[0] or 0)


def paid(folder: Path) -> int:
    """Micro-dollars of all stored assignments: reward, and a fee of 30 % but at least $0.001."""
    fee = "max((reward_micros * 3 + 9) / 10, 1000)"
    return _one(folder, f"SELECT sum(reward_micros + {fee}) FROM assignments")


def paid_twice(folder: Path) -> int:
    """Answers that one annotator gave twice to one image in one condition."""
    return _one(
        folder,
        "SELECT count(*) FROM (SELECT 1 FROM answers b JOIN assignments a "
        "ON a.order_id = b.order_id AND a.id = b.assignment JOIN orders o ON o.id = a.order_id "
        "WHERE NOT b.control GROUP BY o.condition_key, a.annotator, b.task HAVING count(*) > 1)",
    )


def orders_open(folder: Path) -> int:
    """Orders that have not ended."""
    return _one(folder, "SELECT count(*) FROM orders WHERE end_reason IS NULL")


def settled(folder: Path) -> int:
    """Micro-dollars that the ledger has settled."""
    return _one(folder, "SELECT sum(micros) FROM ledger_rows WHERE kind = 'settle'")


def held(folder: Path) -> int:
    """Micro-dollars that the ledger holds."""
    return _one(
        folder,
        "SELECT sum(micros) FROM ledger_rows WHERE kind = 'reserve' AND key NOT IN "
        "(SELECT key FROM ledger_rows WHERE kind IN ('settle', 'void'))",
    )

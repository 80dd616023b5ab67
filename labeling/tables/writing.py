"""Tables as text that every reader of CSV reads back cell by cell."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence


class _Lines:
    """Rows of a table as text, each ended by a line feed alone."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line.removesuffix("\r\n") + "\n")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]], separator: str = ",") -> str:
    """A table as text. Cells with a lone carriage return are quoted, which `csv` leaves out."""
    lines = _Lines()
    # csv quotes a cell for the characters of its own line end only.
    writer = csv.writer(lines, delimiter=separator, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return "".join(lines.lines)

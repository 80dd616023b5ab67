"""Small tables of HTML for notebooks. Every text is escaped: names and labels are anybody's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from hpo.answer.plan_in_words import exam_and_people_in_words, few_answers
from hpo.answer.sentences import cents, interval

COLUMNS = ("price tag", "accuracy, %", "95 % interval", "minutes", "images", "plan")


def paragraphs(title: str, lines: Iterable[str]) -> str:
    """A title and lines below it."""
    body = "<br>".join(escape(line) for line in lines)
    return f"<div><strong>{escape(title)}</strong><p>{body}</p></div>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], marked: int | None = None) -> str:
    """A table.

    Args:
        columns: its header.
        rows: its cells.
        marked: the row that stands out; None for none.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = []
    for at, row in enumerate(rows):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        style = ' style="font-weight: bold"' if at == marked else ""
        body.append(f"<tr{style}>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def front_table(rows: Sequence[Mapping[str, Any]], recommended: str | None) -> str:
    """The front of a report, the recommended plan in bold.

    Args:
        rows: `front` of a report.
        recommended: key of the recommended plan; None without one.
    """
    keys = [row["plan"]["key"] for row in rows]
    marked = keys.index(recommended) if recommended in keys else None
    return table(COLUMNS, [front_cells(row) for row in rows], marked)


def front_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A plan of the front as texts, by `COLUMNS`."""
    plan = row["plan"]
    words = f"{few_answers(plan)} at ${plan['price_per_task']['usd']} a task"
    return (
        cents(row["price_tag"]),
        f"{100 * row['accuracy']:.1f}",
        interval(row["interval_95"]),
        "" if row["minutes"] is None else f"{row['minutes']:.0f}",
        f"{plan['tasks']:,}",
        f"{words}{exam_and_people_in_words(plan)}",
    )

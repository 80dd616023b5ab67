"""The answer for a person at a terminal: short, plain, and only what the report holds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from budget.money import Money
from hpo.answer.plan_in_words import counted, few_answers, told_plan_in_words
from hpo.answer.sections.registry import SECTIONS
from hpo.answer.sentences import (
    cents,
    expected,
    interval,
    points_per_dollar,
    search_end,
    usd,
    view_today_lines,
)
from hpo.answer.summary import summary_lines
from hpo.answer.summary import title as summary_title
from hpo.answer.tables import TableColumn, TextTable, print_table

BOUGHT = {
    "labels": "labels: usable answers",
    "controls": "control tasks: usable answers",
    "unusable": "unusable answers (banned annotators)",
    "fee": "platform fee",
    "tests": "labels to measure models by",
    "machine": "a machine's answers",
}
_COLUMNS = (
    TableColumn("", True),
    TableColumn("price\ntag", True),
    TableColumn("expected\n%", True),
    TableColumn("95 %\ninterval", True),
    TableColumn("points\nper $", True, rank=6),
    TableColumn("min.", True, rank=5),
    TableColumn("images", True, rank=1),
    TableColumn("answers\neach", True, rank=2),
    TableColumn("$ per\ntask", True),
    TableColumn("con-\ntrols", True, rank=3),
    TableColumn("exam", True, rank=4),
)


def show(
    report: Mapping[str, Any],
    paths: Mapping[str, Path],
    console: Console,
    details: bool = False,
) -> None:
    """Print the answer.

    Args:
        report: the report object.
        paths: files written, by what they are.
        console: where to print; without a terminal it writes no escape codes.
        details: print everything behind the first block, too.
    """
    _print_block(report, console)
    if details:
        _print_details(report, console)
    said = view_today_lines(report["view_today"]) if "view_today" in report else []
    if not details and "report" in paths:
        said.append(f"details: labelworth report {paths['report'].parent} --details")
    _print_lines([*said, *(f"{name}: {path}" for name, path in paths.items())], console)


def words(report: Mapping[str, Any]) -> list[str]:
    """The answer in sentences, without its tables."""
    plans = itertools.chain(*_recommended(report))
    said = [summary_title(report), *summary_lines(report), *plans]
    said += _sections(report)
    said += view_today_lines(report["view_today"]) if "view_today" in report else []
    return [*said, *report["notes"], search_end(report)]


def _print_lines(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.print(Text(line), soft_wrap=True, highlight=False)


def _print_block(report: Mapping[str, Any], console: Console) -> None:
    """The first block, in a box where it fits."""
    from rich.panel import Panel

    lines = summary_lines(report)
    if console.width >= max(map(len, lines)) + 4:
        text = Text("\n".join(lines))
        console.print(Panel.fit(text, title=summary_title(report), title_align="left"))
    else:
        _print_lines([summary_title(report), *lines], console)


def _print_details(report: Mapping[str, Any], console: Console) -> None:
    for first, *rest in _recommended(report) or [[""]]:
        console.print(Text(first, style="bold"), soft_wrap=True, highlight=False)
        _print_lines([f"  {line}" for line in rest], console)
    tables = [_front(report)] if report["recommended"] else []
    for table in (*tables, _money(report)):
        console.print(Text(""))
        print_table(table, console)
    notes = (*report["notes"], search_end(report))
    _print_lines([*_sections(report), *(f"- {note}" for note in notes)], console)


def _sections(report: Mapping[str, Any]) -> list[str]:
    body = [section for section in SECTIONS if section.place == "body"]
    return [sentence for section in body for sentence in section.sentences(report)]


def _recommended(report: Mapping[str, Any]) -> list[list[str]]:
    """The recommended plan, each block of lines of other images; nothing without one."""
    best, answer = report["recommended"], report["answer"]
    if best is None:
        return []
    name = "Best plan of those that learning bought" if report["delivery"] else "Recommended"
    blocks = []
    if report["advice"]["campaign"] is not None and answer["chosen"]:
        lead = {**answer["chosen"], "why": answer["why"]}
        title = f"Recommended for {counted(answer['images'], 'image')}"
        blocks = [_plan_lines(title, lead, report)]
        name = "Best plan for the study's own pool"
    lines = _plan_lines(name, best, report)
    headline = [section for section in SECTIONS if section.place == "headline"]
    lines += [sentence for section in headline for sentence in section.sentences(report)]
    return [*blocks, lines]


def _plan_lines(name: str, row: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    """A plan in words, its price and minutes, and why it was chosen."""
    plan, price = row["plan"], Money.from_json(row["price_tag"])
    time = "" if row["minutes"] is None else f" and takes about {row['minutes']:.0f} minutes"
    per_image = price.micros * 1000 // max(1, plan["tasks"])
    return [
        f"{name}: {told_plan_in_words(plan, report['config']['suite_size'])}",
        f"costs {price.cents()} (${per_image / 1e6:.2f} per 1,000 images){time}; "
        f"plan {plan['key']}",
        f"expected {expected(report, row)}; chosen as the {row['why']}",
    ]


def _front(report: Mapping[str, Any]) -> TextTable:
    front = front_rows(report)
    rows = [_row(row, before, report) for row, before in zip(front, [None, *front], strict=False)]
    best = report["recommended"]["plan"]
    columns: tuple[TableColumn, ...] = _COLUMNS
    if any("group" in row["plan"] for row in front):
        by = [row["plan"].get("group", "all") for row in front]
        columns = (*columns, TableColumn("answered\nby"))
        rows = [(*row, who) for row, who in zip(rows, by, strict=True)]
    return TextTable(
        columns,
        rows,
        "The front: no evaluated plan is cheaper and better",
        _caption(rows),
        strong=frozenset(i for i, row in enumerate(front) if row["plan"] == best),
    )


_MARKS = {
    "*": "recommended",
    "=": "cannot be told from it",
    "^": "knee: beyond it money buys less",
}


def _caption(rows: Sequence[Sequence[str]]) -> str:
    """What the marks of a table mean, and what it leaves out."""
    used = "".join(row[0] for row in rows)
    marks = "   ".join(f"{mark} {words}" for mark, words in _MARKS.items() if mark in used)
    return f"{marks}\nOther plans that cannot be told apart are one row.".strip()


def _row(
    row: Mapping[str, Any], before: Mapping[str, Any] | None, report: Mapping[str, Any]
) -> tuple[str, ...]:
    plan, ties = row["plan"], report["advice"]["certainty"]["ties"]
    marks = (
        ("*", plan == report["recommended"]["plan"]),
        ("=", plan["key"] in ties),
        ("^", plan["key"] == report["knee"]),
    )
    return (
        "".join(mark for mark, holds in marks if holds),
        cents(row["price_tag"]),
        f"{100 * row['accuracy']:.1f}",
        interval(row["interval_95"]).replace(" to ", "-"),
        "" if before is None else further_rate(row, before),
        "" if row["minutes"] is None else f"{row['minutes']:.0f}",
        f"{plan['tasks']:,}",
        few_answers(plan).partition(" answer")[0].replace(" to ", "-"),
        plan["price_per_task"]["usd"],
        str(plan["controls"]),
        "yes" if plan["exam"] else "no",
    )


def _bought_in(report: Mapping[str, Any]) -> str:
    """In how many purchases of each kind the money went."""
    made = report["delivery"]
    again = len(report["confirmations"])
    parts = [
        f"{counted(len(report['purchases']), 'purchase')} to {'learn' if made else 'search'}",
        f"{again} to confirm" if again else "",
        f"{counted(made['tranches'], 'tranche')} of labels" if made else "",
    ]
    return ", ".join(filter(None, parts))


def front_rows(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The front's plans that can be told apart: the rows of the table."""
    kept = report["advice"]["certainty"]["told_apart"]
    return [row for row in report["front"] if row["plan"]["key"] in kept]


def further_rate(row: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Points per further dollar over the row above."""
    more = Money.from_json(row["price_tag"]) - Money.from_json(before["price_tag"])
    return f"{points_per_dollar(row['accuracy'] - before['accuracy'], more):.2f}"


def _money(report: Mapping[str, Any]) -> TextTable:
    money = report["money"]
    spent = money["spent"]["micros"]
    rows = []
    for name, meaning in BOUGHT.items():
        if name not in money["bought"]:
            continue
        part = money["bought"][name]
        share = f"{100 * part['micros'] / spent:.0f} %" if spent else ""
        rows.append((meaning, usd(part), share))
    rows.append(("left in the cap", usd(money["left"]), ""))
    if money["held"]["micros"]:
        rows.append(("held for an open order", usd(money["held"]), ""))
    return TextTable(
        (TableColumn("", wraps=True), TableColumn("", True), TableColumn("", True)),
        rows,
        f"{usd(money['spent'])} of {usd(money['cap'])} spent: {_bought_in(report)}",
        has_header=False,
    )

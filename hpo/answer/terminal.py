"""The answer for a person at a terminal: short, plain, and only what the report holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from hpo.answer.sections.registry import SECTIONS
from hpo.answer.sentences import (
    cents,
    interval,
    percent,
    plan_words,
    usd,
    view_today_lines,
)
from hpo.answer.tables import TableColumn, TextTable, print_table
from hpo.settings.market_kinds import kind_named

_BOUGHT = {
    "labels": "labels: usable answers",
    "controls": "control tasks: usable answers",
    "unusable": "unusable answers (banned annotators)",
    "fee": "platform fee",
}


_COLUMNS = (
    TableColumn("", True),
    TableColumn("price\ntag", True),
    TableColumn("search\nest. %", True),
    TableColumn("95 %\ninterval", True),
    TableColumn("points\nper $", True, rank=6),
    TableColumn("min.", True, rank=5),
    TableColumn("$ per\ntask", True),
    TableColumn("over-\nlap", True, rank=2),
    TableColumn("con-\ntrols", True, rank=3),
    TableColumn("tasks", True, rank=1),
    TableColumn("exam", True, rank=4),
)


def show(report: Mapping[str, Any], paths: Mapping[str, Path], console: Console) -> None:
    """Print the answer.

    Args:
        report: the report object.
        paths: files written, by what they are.
        console: where to print; without a terminal it writes no escape codes.
    """
    lines = [*_market(report), *_headline(report)]
    tables = [_front(report)] if report["front"] else []
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    for table in (*tables, _money(report)):
        console.print(Text(""))
        print_table(table, console)
    for section in SECTIONS:
        for words in section.sentences(report) if section.place == "body" else ():
            console.print(Text(words), soft_wrap=True, highlight=False)
    for words in view_today_lines(report["view_today"]) if "view_today" in report else []:
        console.print(Text(words), soft_wrap=True, highlight=False)
    for note in (*report["notes"], f"Stopped: {report['stopped']}."):
        console.print(Text(f"- {note}"), soft_wrap=True, highlight=False)
    for name, path in paths.items():
        console.print(Text(f"{name}: {path}"), soft_wrap=True, highlight=False)


def words(report: Mapping[str, Any]) -> list[str]:
    """The answer in sentences, without its tables."""
    lines = [*_market(report), *_headline(report)]
    said = [line.plain.strip() for line in lines]
    for section in SECTIONS:
        said += section.sentences(report) if section.place == "body" else []
    said += view_today_lines(report["view_today"]) if "view_today" in report else []
    return [*said, *report["notes"], f"Stopped: {report['stopped']}."]


def _market(report: Mapping[str, Any]) -> list[Text]:
    """Whether money was real, where one could take it for the other."""
    market = report["market"]
    banner = kind_named(market["kind"]).banner
    words = banner.format(spent=usd(report["money"]["spent"]), market=market["name"])
    return [Text(words, style="bold")] if banner else []


def _headline(report: Mapping[str, Any]) -> list[Text]:
    best = report["recommended"]
    if best is None:
        return [Text("No plan was evaluated: nothing could be bought.", style="bold")]
    lines = [
        Text(f"Recommended: {plan_words(best['plan'])}", style="bold"),
        Text(
            f"  costs {cents(best['price_tag'])} (${best['dollars_per_1000_images']} per 1,000 "
            f"images) and takes about {best['minutes']:.0f} minutes"
        ),
    ]
    for section in SECTIONS:
        words = section.sentences(report) if section.place == "headline" else []
        lines += [Text(f"  {line}") for line in words]
    lines.append(
        Text(
            f"  search estimate {percent(best['accuracy'])} ({interval(best['interval_95'])}); "
            f"chosen as the {best['why']}",
            style="dim",
        )
    )
    return lines


def _front(report: Mapping[str, Any]) -> TextTable:
    best, ties = report["recommended"], report["advice"]["certainty"]["ties"]
    rows, strong = [], set()
    for number, row in enumerate(report["front"]):
        plan, gain = row["plan"], row["points_per_dollar"]
        star = "*" if best and plan == best["plan"] else ""
        tie = "=" if plan["key"] in ties else ""
        strong |= {number} if star else set()
        rows.append(
            (
                star + tie + ("^" if plan["key"] == report["knee"] else ""),
                cents(row["price_tag"]),
                f"{100 * row['accuracy']:.1f}",
                interval(row["interval_95"]).replace(" to ", "-"),
                "" if gain is None else f"{gain:.2f}",
                f"{row['minutes']:.0f}",
                plan["price_per_task"]["usd"],
                plan.get("dynamic", str(plan["overlap"])).removeprefix("dynamic"),
                str(plan["controls"]),
                str(plan["tasks"]),
                "yes" if plan["exam"] else "no",
            )
        )
    return TextTable(
        _COLUMNS,
        rows,
        "The front: no evaluated plan is cheaper and better",
        "* recommended   = cannot be told from it   ^ knee: beyond it money buys less",
        strong=frozenset(strong),
    )


def _money(report: Mapping[str, Any]) -> TextTable:
    money = report["money"]
    spent = money["spent"]["micros"]
    purchases, conditions = len(report["purchases"]), report["conditions"]
    rows = []
    for name, words in _BOUGHT.items():
        part = money["bought"][name]
        share = f"{100 * part['micros'] / spent:.0f} %" if spent else ""
        rows.append((words, usd(part), share))
    rows.append(("left in the cap", usd(money["left"]), ""))
    if money["held"]["micros"]:
        rows.append(("held for an open order", usd(money["held"]), ""))
    return TextTable(
        (TableColumn("", wraps=True), TableColumn("", True), TableColumn("", True)),
        rows,
        f"What {usd(money['spent'])} of {usd(money['cap'])} bought "
        f"in {purchases} purchases under {conditions} conditions",
        has_header=False,
    )

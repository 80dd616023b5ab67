"""The answer for a person at a terminal: short, plain, and only what the report holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
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
from hpo.settings.market_kinds import kind_named

_BOUGHT = {
    "labels": "labels: usable answers",
    "controls": "control tasks: usable answers",
    "unusable": "unusable answers (banned annotators)",
    "fee": "platform fee",
}


_COLUMNS = (
    "price\ntag",
    "search\nest. %",
    "95 %\ninterval",
    "points\nper $",
    "\nmin.",
    "$ per\ntask",
    "over-\nlap",
    "con-\ntrols",
    "\ntasks",
    "\nexam",
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
        console.print(table, highlight=False)
    for section in SECTIONS:
        for words in section.sentences(report) if section.place == "body" else ():
            console.print(Text(words), soft_wrap=True, highlight=False)
    for words in view_today_lines(report["view_today"]) if "view_today" in report else []:
        console.print(Text(words), soft_wrap=True, highlight=False)
    for note in (*report["notes"], f"Stopped: {report['stopped']}."):
        console.print(Text(f"- {note}"), soft_wrap=True, highlight=False)
    for name, path in paths.items():
        console.print(Text(f"{name}: {path}"), soft_wrap=True, highlight=False)


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


def _front(report: Mapping[str, Any]) -> Table:
    table = Table(
        title="The front: no evaluated plan is cheaper and better",
        caption="* recommended   = cannot be told from it   ^ knee: beyond it money buys less",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    best = report["recommended"]
    ties = report["advice"]["certainty"]["ties"]
    for row in report["front"]:
        plan, gain = row["plan"], row["points_per_dollar"]
        star = "*" if best and plan == best["plan"] else ""
        tie = "=" if plan["key"] in ties else ""
        table.add_row(
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
            style="bold" if star else "",
        )
    return table


def _money(report: Mapping[str, Any]) -> Table:
    money = report["money"]
    spent = money["spent"]["micros"]
    purchases, conditions = len(report["purchases"]), report["conditions"]
    table = Table(
        title=f"What {usd(money['spent'])} of {usd(money['cap'])} bought "
        f"in {purchases} purchases under {conditions} conditions",
        title_justify="left",
        show_header=False,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column(min_width=52)
    table.add_column(justify="right")
    table.add_column(justify="right")
    for name, words in _BOUGHT.items():
        part = money["bought"][name]
        share = f"{100 * part['micros'] / spent:.0f} %" if spent else ""
        table.add_row(words, usd(part), share)
    table.add_row("left in the cap", usd(money["left"]), "")
    if money["held"]["micros"]:
        table.add_row("held for an open order", usd(money["held"]), "")
    return table

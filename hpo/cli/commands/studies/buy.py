"""`labelworth buy`: plan and money first, then the purchase and what it gave."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.cli.console import print_lines, stderr
from hpo.cli.flags import Commands, add_archive, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from hpo.study.next_purchase import NextPurchase, Wish


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "buy a plan for the rest of the pool, or for new images, under a cap of its own"
    buy = add_command(commands, "buy", words)
    add_run_dir(buy)
    buy.add_argument("--plan", metavar="PLAN", help="as reports name it; the recommended one")
    buy.add_argument("--tasks", metavar="all|N", default="all", help="number of tasks (all)")
    buy.add_argument("--budget", metavar="DOLLARS", help="cap; the most that the plan can cost")
    buy.add_argument("--images", metavar="DATA", help="new images: folder:DIR or npz:FILE")
    buy.add_argument("--labels", metavar="FILE.csv", help="of new images: image[,label][,url]")
    buy.add_argument("--max-minutes", metavar="M", default="none", help="deadline (none)")
    buy.add_argument("--yes", action="store_true", help="real money: confirms --budget")
    add_archive(buy)
    add_json(buy)
    buy.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Buy what the command line asks for."""
    from hpo.settings import parsing
    from hpo.study.next_purchase import Wish

    number = None if arguments.tasks == "all" else parsing.whole(1)(arguments.tasks, "--tasks")
    budget = None if arguments.budget is None else parsing.budget(arguments.budget, "--budget")
    minutes = parsing.minutes(arguments.max_minutes, "--max-minutes")
    wish = Wish(arguments.plan, number, budget, arguments.images, arguments.labels, minutes)
    run_buy(arguments.folder, wish, arguments.yes, arguments.archive, arguments.json)
    return DONE


def run_buy(folder: Path, wish: Wish, yes: bool, archive: bool, as_json: bool) -> bool:
    """Say what would be bought and for how much, buy it, and print what it gave.

    Args:
        folder: the study's folder.
        wish: what the command line asks for.
        yes: real money was confirmed on the command line.
        archive: archive all pools of the study at the end, because it is over.
        as_json: print the report as JSON.

    Returns:
        Whether everything that the plan asks for is owned now.

    Raises:
        InputError: the wish cannot be; nothing was bought.
    """
    from budget.money import Money
    from hpo.cli import confirm_spending
    from hpo.settings.run_folder import read_config
    from hpo.settings.stored_answer import to_json
    from hpo.study.next_purchase import carry_out, prepare
    from hpo.study.pools import check_archive, put_away

    log = stderr()

    def say(line: str) -> None:
        print_lines([line], log)

    config = read_config(folder)
    check_archive(config.market_kind, archive)
    confirm_spending.check_flags(config, yes, wish.budget is not None)
    purchase = prepare(folder, wish)
    confirmed = None
    try:
        for line in plan_lines(purchase):
            say(line)
        if config.market_kind.real_money and (purchase.quote.answers or purchase.delivers):
            what = f"{purchase.quote.answers} answers under plan {purchase.plan.key}"
            what = "further labels where they are least sure" if purchase.delivers else what
            dearest = purchase.cap if purchase.delivers else purchase.quote.hold
            confirmed = confirm_spending.confirm(
                config, purchase.cap, purchase.before, what, dearest, yes, say
            )
        report = carry_out(purchase, lambda doing: say(f"  {doing}"))
        for line in put_away(purchase.world, archive) if archive else []:
            say(line)
    finally:
        purchase.world.close()
    if as_json:
        sys.stdout.write(to_json(report))
    else:
        print_lines(told(report, purchase))
    spent = Money(report["money"]["spent"]["micros"])
    if (note := confirm_spending.compare(config, confirmed, spent)) is not None:
        say(note)
    return all(order["ended"] != "open" for order in report["orders"])


def plan_lines(purchase: NextPurchase) -> list[str]:
    """The purchase in words, before any money moves."""
    from hpo.answer.plan_in_words import by_in_words, pay_in_words, plan_in_words

    world, plan, quote = purchase.world, purchase.plan, purchase.quote
    words = plan_in_words(plan, world.config.suite_size)
    lines = [f"Study {world.config.study}: {words}"]
    if purchase.delivers:
        lines = [
            f"Study {world.config.study}: further labels where they are least sure, at "
            f"{pay_in_words(plan)}{', with exam' if plan.exam else ''}{by_in_words(plan.group)}"
        ]
        return [*lines, *_cap_line(purchase)]
    owned = f"{purchase.owned} of {plan.tasks} tasks are owned already"
    if not quote.answers:
        lines.append(f"  {owned}: nothing to buy")
    else:
        lines.append(
            f"  {owned}; {quote.answers} answers to buy: about {quote.assignments} assignments, "
            f"{quote.cost.cents()}, {quote.minutes:.0f} minutes; at most {quote.limit} "
            f"assignments, {quote.hold.cents()}"
        )
    return [*lines, *_cap_line(purchase)]


def _cap_line(purchase: NextPurchase) -> list[str]:
    """The most that a purchase may spend; nothing where it buys nothing."""
    from budget.money import ZERO
    from hpo.answer.sentences import market_line

    if purchase.cap == ZERO:
        return []
    before = purchase.before
    spent = f", {before.spent.cents()} of it spent" if before and before.spent > ZERO else ""
    said = market_line(purchase.world.config)
    return [f"  cap of this purchase: {purchase.cap}{spent}; {said}"]


def told(report: Mapping[str, Any], purchase: NextPurchase) -> list[str]:
    """The result of the purchase in words."""
    from budget.money import ZERO
    from hpo.answer.sentences import interval, percent, usd
    from hpo.settings.market_kinds import kind_named
    from labeling.campaign.campaign import score_name

    money, labels, final = report["money"], report["labels"], report["final"]
    kind = kind_named(report["market"]["kind"])
    rehearsed = "" if kind.real_money or not kind.banner else "REHEARSAL, no real money: "
    lines = [f"Spent {usd(money['spent'])} of {usd(money['cap'])} on plan {report['plan']}"]
    if purchase.cap == ZERO:
        lines = [f"Nothing was bought: plan {report['plan']} is owned"]
    lines[0] = rehearsed + lines[0]
    for order in report["orders"]:
        missing = order["answers_missing"]
        short = f", {missing} answers missing ({order['ended']})" if missing else ""
        lines.append(
            f"  {order['assignments']} assignments on {order['tasks']} tasks in "
            f"{order['minutes'] or 0:.0f} minutes{short}"
        )
    conditions = f"{labels['conditions']} condition{'s' if labels['conditions'] != 1 else ''}"
    lines += [
        f"Labels of {labels['images']} of {labels['images_wanted']} images from "
        f"{labels['answers']} answers under {conditions}",
        f"Model: {percent(final['accuracy'])} {score_name(purchase.world.market.asked.kind)} "
        f"(95 %: {interval(final['interval_95'])}) on {final['images']} images that no decision "
        "has touched",
        *(f"- {note}" for note in report["notes"]),
        f"labels: {purchase.world.folder / 'versions' / labels['version']}",
        f"model: {purchase.folder / 'model.safetensors'}",
        f"report: {purchase.folder / 'report.json'}",
    ]
    return lines

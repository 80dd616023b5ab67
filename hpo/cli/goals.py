"""Goals of a command that a script checks by its exit code: a target, and the most it may cost."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpo.settings.exit_codes import DONE, GOAL_MISSED, NOTHING_AFFORDABLE

if TYPE_CHECKING:
    from budget.money import Money


def add_goals(parser: argparse.ArgumentParser) -> None:
    """Add the flag; the target is a setting."""
    words = f"end with code {GOAL_MISSED} where the labels or the recommended plan cost more"
    parser.add_argument("--max-cost", metavar="DOLLARS", help=words)


def most_of(arguments: argparse.Namespace) -> Money | None:
    """What the labels, or the recommended plan, may cost; None without a limit.

    Raises:
        InputError: the amount is none.
    """
    from hpo.settings.parsing import money

    return None if arguments.max_cost is None else money(arguments.max_cost, "--max-cost")


def missed_goals(report: Mapping[str, Any], most: Money | None) -> list[str]:
    """The goals that a report misses, a line each.

    Args:
        report: the report.
        most: that the labels, or the recommended plan of a search, may cost; None for any.
    """
    from budget.money import Money
    from hpo.answer.summary import plans_meant

    missed = []
    target = (report["advice"] or {}).get("target")
    if target is not None and target["chosen"] is None:
        wanted = f"{100 * target['accuracy']:g} %"
        missed.append(
            f"--target: no {plans_meant(target)} within the limits reaches {wanted} almost surely"
        )
    if most is None:
        return missed
    best = report["recommended"]
    if report["delivery"]:
        cost, what = Money.from_json(report["money"]["spent"]), "labels and model cost"
    elif best:
        cost, what = Money.from_json(best["price_tag"]), "the recommended plan costs"
    else:
        return [*missed, "--max-cost: no plan is recommended"]
    if cost > most:
        missed.append(f"--max-cost: {what} {cost.cents()}, more than {most.cents()}")
    return missed


def exit_code(report: Mapping[str, Any], missed: list[str]) -> int:
    """The exit code of a command that gave a report."""
    if not report["purchases"]:
        return NOTHING_AFFORDABLE
    return GOAL_MISSED if missed else DONE

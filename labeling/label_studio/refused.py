"""Copied answers that do not count: told from the log of the study, without a server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from labeling.label_studio.log import WorkLog
from labeling.timesheet.orders import page_of
from labeling.timesheet.sheet import Refusal, Sheet
from labeling.types import Order


def refused_answers(
    log: WorkLog, orders: Sequence[Order], sheet: Callable[[], Sheet]
) -> list[Refusal]:
    """The answers to some orders that do not count and are not paid, each with the reason.

    Args:
        log: what was copied.
        orders: all orders of the study, those of a condition by tranche.
        sheet: makes an empty sheet, which counts one condition.
    """
    by_condition: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_condition[order.condition.key].append(order)
    refused: list[Refusal] = []
    for mine in by_condition.values():
        counting = sheet()
        for order in mine:
            counting.open(order, 0.0)
            for answers in log.pages(order.key):
                refused += page_of(counting, answers)[1]
    return refused

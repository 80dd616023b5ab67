"""Answers of own annotators that do not count, by person and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig
    from labeling.types import Order


def refused_in(folder: Path, config: StudyConfig, orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Counts of a study's answers that do not count and are not paid, by person and reason.

    Args:
        folder: the study's folder.
        config: its configuration.
        orders: all its orders, those of a condition by tranche.
    """
    from hpo.data.dataset import load
    from hpo.market.market import make_campaign
    from labeling.label_studio.log import FILE, WorkLog
    from labeling.label_studio.refused import refused_answers
    from labeling.timesheet.sheet import Sheet

    if not (folder / "market" / FILE).exists():
        return []  # simulated people answer as they are asked
    data = load(config, folder)
    campaign = make_campaign(config, data.classes)
    truth = {int(row): int(data.truth[row]) for row in data.rows["control"]}
    refused = refused_answers(
        WorkLog(folder / "market"), orders, lambda: Sheet(campaign, config.staff_tariff, truth)
    )
    counts = Counter((one.annotator, one.reason) for one in refused)
    return [
        {"annotator": who, "reason": reason, "answers": count}
        for (who, reason), count in sorted(counts.items())
    ]

"""Own labels: answers bought elsewhere, brought into a study's store at no cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from budget.errors import InputError
from budget.money import ZERO
from labeling.campaign.campaign import Campaign
from labeling.recorded.recording import Recording
from labeling.recorded.source import check_classes
from labeling.types import Assignment, Bools, Condition, Ints, OrderEnd, Page

if TYPE_CHECKING:
    from labeling.store import Store


@dataclass(frozen=True, slots=True)
class OwnLabels:
    """Own labels as an ended order.

    Attributes:
        condition: a condition at price 0, whose market is named after the answers' content.
        tasks: image rows with at least one answer, ascending.
        overlap: largest number of answers to one task.
        page: all answers, and the end.
        notes: of the reading, one line each.
    """

    condition: Condition
    tasks: tuple[int, ...]
    overlap: int
    page: Page
    notes: tuple[str, ...] = ()


def own_label_page(
    recording: Recording,
    rows: Mapping[int, int],
    campaign: Campaign,
    data: str,
    controls: Collection[int] = (),
) -> OwnLabels:
    """Turn recorded answers into an order's page.

    Answers to control tasks become control answers if the recording has annotators' ids. Without
    ids they are left out: control answers are evidence on an annotator.

    Args:
        recording: the answers.
        rows: recorded task of each image row that has one (see `reading.task_rows`).
        campaign: the study's campaign.
        data: content hash of the pool's and the control tasks' images.
        controls: image rows of the control tasks.

    Raises:
        InputError: the classes are not the campaign's, or real tasks have no answers.
    """
    check_classes(recording, campaign.questions[0].classes)
    row_of = np.full(len(recording.tasks), -1, dtype=np.int64)
    for image, task in rows.items():
        row_of[task] = image
    row = row_of[recording.task]
    control = np.isin(row, np.array(sorted(controls), dtype=np.int64))
    keep = row >= 0
    if recording.annotator is None:
        keep &= ~control
    real = row[keep & ~control]
    if not len(real):
        raise InputError(f"{recording.source}: no answer is to an image of the study's pool")
    condition = Condition(
        data=data,
        market=f"own:{recording.key}",
        campaign=campaign.key,
        price=ZERO,
        controls=0,
        suite_size=campaign.suite_size,
        exam=False,
    )
    tasks, counts = np.unique(real, return_counts=True)
    overlap = int(counts.max())
    assignments = _assignments(recording, row, control, np.flatnonzero(keep), campaign.suite_size)
    joined = len({assignment.annotator for assignment in assignments})
    missing = int((overlap - counts).sum())
    end = OrderEnd("supply" if missing else "complete", 0.0, missing, joined, joined, 0)
    page = Page(assignments, (), end)
    return OwnLabels(condition, tuple(tasks.tolist()), overlap, page, recording.notes)


def bring_in(store: Store, own: OwnLabels) -> None:
    """Add own labels to a store; a second call changes nothing. No money is held or paid."""
    order = store.order_for(own.condition, own.tasks, own.overlap, Fraction(0), None)
    if order is not None:
        store.add(order, own.page)


def _assignments(
    recording: Recording, row: Ints, control: Bools, places: Ints, size: int
) -> tuple[Assignment, ...]:
    """One assignment per annotator and `size` answers; without ids, one per answer."""
    who = np.arange(len(recording)) if recording.annotator is None else recording.annotator
    places = places[np.argsort(who[places], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(who[places]) > 0])
    made: list[Assignment] = []
    for own in np.split(places, starts[1:]):
        for first in range(0, len(own), size):
            some = own[first : first + size]
            seconds = 0.0 if recording.seconds is None else np.nansum(recording.seconds[some])
            made.append(
                Assignment(
                    id=f"own-{len(made):07d}",
                    annotator=f"own-{int(who[some[0]]):07d}",
                    tasks=tuple(row[some].tolist()),
                    labels=tuple(recording.label[some].tolist()),
                    control=tuple(control[some].tolist()),
                    submitted_s=0.0,
                    seconds=float(seconds),
                    reward=ZERO,
                )
            )
    return tuple(made)

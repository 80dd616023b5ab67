"""The tasks that annotators see: the campaign, addresses of images, control tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from budget.errors import InputError
from labeling.campaign.campaign import Campaign
from labeling.campaign.exam_tasks import set_apart
from labeling.seeds import stream
from labeling.types import Condition, Ints


@dataclass(frozen=True, slots=True)
class ShownTasks:
    """The tasks that annotators see, as questions, images and control tasks.

    Attributes:
        campaign: the questions and rules.
        address: returns the address of a row's image; annotators can open it.
        controls: true class of each control task, by image row, in the order of the image index.
        seed: seed that decides which control tasks make up the exam.
    """

    campaign: Campaign
    address: Callable[[int], str]
    controls: Mapping[int, int]
    seed: int

    def split(self, condition: Condition) -> tuple[Ints, Ints]:
        """Rows of the exam tasks, and rows of the control tasks that are mixed into suites."""
        campaign, rows = self.campaign, np.array(list(self.controls), dtype=np.int64)
        shuffled = stream(self.seed, "exam tasks").permutation(rows)
        truth = np.array([self.controls[int(row)] for row in shuffled], dtype=np.int64)
        classes = campaign.questions[campaign.judged].classes if campaign.judged is not None else ()
        return set_apart(campaign.exam if condition.exam else None, shuffled, truth, classes)

    def rows_by_address(self, rows: Iterable[int]) -> dict[str, int]:
        """Row of each address.

        Raises:
            InputError: an image has no address, or the address of another image.
        """
        row_of: dict[str, int] = {}
        for row in rows:
            try:
                address = self.address(row)
            except LookupError:
                address = ""
            if not address:
                raise InputError(
                    f"image {row}: it has no address that annotators could open; give a url "
                    "column or --image-url-prefix"
                )
            if address in row_of:
                raise InputError(
                    f"images {row_of[address]} and {row} have the same address; give each its own"
                )
            row_of[address] = row
        return row_of

    def digest(self, rows: Ints) -> str:
        """Hash of an exam: of its tasks and their answers."""
        truth = [f"{self.address(row)}={self.controls[row]}" for row in rows.tolist()]
        return hashlib.blake2b("\n".join(truth).encode(), digest_size=6).hexdigest()

    def check(self, condition: Condition) -> None:
        """Refuse a condition that cannot be bought with these tasks.

        Raises:
            InputError: another campaign, dynamic overlap, or too few control tasks.
        """
        campaign = self.campaign
        if condition.campaign != campaign.key or condition.suite_size != campaign.suite_size:
            raise ValueError("order: its condition belongs to another campaign than this market's")
        if condition.dynamic is not None:
            raise InputError(
                f"overlap: {condition.dynamic} cannot be bought on Toloka here; give whole numbers"
            )
        if not 0 <= condition.controls < condition.suite_size:
            raise InputError(
                f"controls: {condition.controls} control tasks leave no place for real tasks in a "
                f"suite of {condition.suite_size}"
            )
        if campaign.judged is None and (condition.exam or condition.controls):
            raise InputError(
                f"campaign {campaign.name}: subjective questions have no right answer that control "
                "tasks or an exam could go by; set controls = 0 and no exam"
            )
        _, controls = self.split(condition)
        if condition.controls > len(controls):
            raise InputError(
                f"controls: {condition.controls} per suite are more than the {len(controls)} "
                "control tasks there are beside the exam; give more or ask fewer"
            )

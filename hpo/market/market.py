"""A market as a study sees it, and what one is opened from.

A condition is the pool that a plan is bought in: everything that changes what annotators answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from budget.money import Money
from budget.tariffs.staff import Group
from hpo.data.dataset import Dataset
from hpo.settings.config import StudyConfig
from hpo.settings.market_kinds import MarketKind
from labeling.campaign.campaign import Campaign, Question
from labeling.campaign.templates import load_campaign, sized
from labeling.crowd.source import CrowdSource
from labeling.source import ComparedSource, LabelSource, PooledSource
from labeling.store import Store
from labeling.types import Condition, LabelPlan, Order

QUESTIONS = {
    "digits3": "Which strokes make this digit: a closed loop, straight lines or open curves?",
    "digits": "Which digit is this?",
}


@dataclass(frozen=True, slots=True)
class Market:
    """A market of labels, with all that quotes of plans need.

    Attributes:
        kind: what can be said of all markets of its kind.
        name: the market's name in a condition: kind, name and content.
        source: sells the labels.
        campaign: what is asked.
        data: content hash of the pool's and the control tasks' images.
        question: place in the campaign of the question that the model learns.
        notes: what the answer must say about it.
        scenario: name of what its annotators are taken from.
        crowd: the crowd in process, which answers or at least says how long things take; None for
            a replay.
        one_by_one: whether its annotators submit one task at a time.
        prelabels: hash of the predictions that plans may show; empty for none.
        groups: of own annotators that plans may ask, by name.
        most_answers: how many answers it has to sell on an image, by row; None for any number.
        pooled: the source again, where it has pools; else None.
        compared: the source again, where books can be compared with it; else None.
        file_notes: those of `notes` that tell how files of answers were read.
    """

    kind: MarketKind
    name: str
    source: LabelSource
    campaign: Campaign
    campaign_key: str
    data: str
    question: int
    notes: tuple[str, ...]
    scenario: str
    crowd: CrowdSource | None = None
    pooled: PooledSource | None = None
    most_answers: Callable[[int], int] | None = None
    file_notes: tuple[str, ...] = ()
    one_by_one: bool = False
    prelabels: str = ""
    groups: Mapping[str, Group] = field(default_factory=dict)
    compared: ComparedSource | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What a report says of it."""
        return {
            "name": self.name,
            "kind": self.kind.name,
            "real_money": self.kind.real_money,
        }

    @property
    def asked(self) -> Question:
        """The question that the model learns."""
        return self.campaign.questions[self.question]

    def condition(self, plan: LabelPlan) -> Condition:
        """The pool that a plan is bought in."""
        return Condition(
            self.data,
            self.name,
            self.campaign_key,
            plan.price,
            plan.controls,
            self.campaign.suite_size,
            plan.exam,
            plan.dynamic,
            self.one_by_one,
            self.prelabels if plan.prelabel else "",
            self.groups[plan.group] if plan.group else None,
        )


def make_campaign(config: StudyConfig, classes: tuple[str, ...]) -> Campaign:
    """The configuration's campaign, else one with a question about the class."""
    if config.campaign is not None:
        return sized(load_campaign(config.campaign, classes), config.suite_size)
    text = QUESTIONS.get(config.data, "Which class does this image show?")
    question = Question("class", text, classes)
    return Campaign(config.data.partition(":")[0], (question,), text, config.suite_size)


@dataclass(frozen=True, slots=True)
class Opening:
    """The parts from which the module of a market kind opens a market.

    Attributes:
        config: the study's configuration.
        kind: the market's kind.
        file: the recording that the configuration names; "" for none.
        data: its images.
        campaign: what is asked.
        question: place in it of the question that the model learns.
        store: the study's orders; None where nothing goes on.
        crowd_seed: draws other annotators over the same items; None for the study's own.
        features: gives the images' features; None where difficulty need not follow them.
        folder: the study's folder; None where nothing is to be bought behind an API.
    """

    config: StudyConfig
    kind: MarketKind
    file: str
    data: Dataset
    campaign: Campaign
    question: int
    store: Store | None = None
    crowd_seed: int | None = None
    features: Callable[[], NDArray[np.float32]] | None = None
    folder: Path | None = None

    def ended_orders(self, condition: Condition) -> list[Order]:
        """Ended orders of a condition, by tranche: what its annotators have been through."""
        records = self.store.orders(condition) if self.store else []
        return [record.order for record in records if record.end is not None]

    @property
    def groups(self) -> dict[str, Group]:
        """The groups that plans may ask, by name.

        Raises:
            InputError: a group has other people than when the study asked it.
        """
        groups = {group.name: group for group in self.config.staff_groups}
        for record in self.store.all_orders() if self.store and groups else ():
            asked = record.order.condition.group
            if asked is not None and groups.get(asked.name, asked) != asked:
                raise InputError(
                    f"--wages: the group {asked.name} has other people than when this study asked "
                    "it, so that its answers would not compare; bring the old file back, or start "
                    "another study with --study NAME"
                )
        return groups

    def market(
        self,
        name: str,
        source: LabelSource,
        notes: Sequence[str],
        scenario: str,
        crowd: CrowdSource | None = None,
        pooled: PooledSource | None = None,
        prelabels: str = "",
        compared: ComparedSource | None = None,
    ) -> Market:
        """The market of a source."""
        return Market(
            self.kind,
            name,
            source,
            self.campaign,
            self.campaign.key,
            self.data.key("pool", "control"),
            self.question,
            tuple(notes),
            scenario,
            crowd,
            pooled,
            one_by_one=self.config.has_staff,
            prelabels=prelabels,
            groups=self.groups,
            compared=pooled or compared,
        )


@dataclass(frozen=True, slots=True)
class MarketAccount:
    """The account that real money is paid from.

    Attributes:
        name: of the platform.
        balance: what the account holds.
        host: where the requests really go.
    """

    name: str
    balance: Money
    host: str

"""Who answers: the simulated crowd, recorded answers, or recorded images under simulated people."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from hpo.data.dataset import Dataset
from hpo.market.lazy_source import Door
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import Campaign, Question
from labeling.campaign.templates import load_campaign, sized
from labeling.crowd.source import CrowdSource
from labeling.source import LabelSource
from labeling.types import Condition, LabelPlan

QUESTIONS = {
    "digits3": "Which strokes make this digit: a closed loop, straight lines or open curves?",
    "digits": "Which digit is this?",
}


@dataclass(frozen=True, slots=True)
class Market:
    """Who answers, without any money: enough to quote plans.

    Attributes:
        kind: simulated | hybrid | replay.
        name: the market's name in a condition: kind, name and content.
        campaign: what is asked.
        data: content hash of the pool's and the control tasks' images.
        question: place in the campaign of the question that the model learns.
        notes: what the answer must say about it.
        crowd: the crowd in process, which answers or at least says how long things take; None for
            a replay.
    """

    kind: str
    name: str
    source: LabelSource
    campaign: Campaign
    campaign_key: str
    data: str
    question: int
    notes: tuple[str, ...]
    crowd: CrowdSource | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What a report says of it."""
        return {"name": self.name, "kind": self.kind, "real_money": self.kind == "toloka"}

    def sweep(self, unfinished: Collection[str]) -> list[str]:
        """Close pools that a killed process left open, but for those of unfinished orders.

        To be called before anything else is done on the market.

        Returns:
            Ids of the pools that were closed.
        """
        return self.source.sweep(unfinished) if isinstance(self.source, Door) else []

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
        )


def make_campaign(config: StudyConfig, classes: tuple[str, ...]) -> Campaign:
    """What is asked: the configuration's campaign, else one question about the class."""
    if config.campaign is not None:
        return sized(load_campaign(config.campaign, classes), config.suite_size)
    text = QUESTIONS.get(config.data, "Which class does this image show?")
    question = Question("class", text, classes)
    return Campaign(config.data.partition(":")[0], (question,), text, config.suite_size)


def make_market(
    kind: str,
    name: str,
    source: LabelSource,
    campaign: Campaign,
    data: Dataset,
    question: int,
    notes: tuple[str, ...],
) -> Market:
    """The market of a source, with the content hash of the images that it asks about."""
    content = data.key("pool", "control")
    return Market(kind, name, source, campaign, campaign.key, content, question, notes)

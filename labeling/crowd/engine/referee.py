"""The referee: admission of annotators to a pool, and bans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from labeling.campaign.campaign import FAST_RESPONSES, WRONG_CONTROLS, Exam, QualityRules
from labeling.crowd.engine.pool import Visitor


class Referee(Protocol):
    """A platform's decisions about an annotator."""

    def admits(self, visitor: Visitor) -> bool:
        """Whether an annotator may work; called on arrival, or after the exam if there is one."""
        ...

    def verdict(self, visitor: Visitor, suite: int) -> str | None:
        """Reason of a ban after the submission of a suite; None for no ban."""
        ...

    def given_up(self, visitor: Visitor, suite: int) -> None:
        """Note that an annotator handed a suite back or let it expire."""
        ...


@dataclass(frozen=True, slots=True)
class CampaignRules:
    """A campaign's own exam and quality rules."""

    exam: Exam | None
    rules: QualityRules

    def admits(self, visitor: Visitor) -> bool:
        """Whether the exam has enough right answers; True without an exam."""
        return self.exam is None or visitor.judged - visitor.failed >= self.exam.pass_correct

    def verdict(self, visitor: Visitor, suite: int) -> str | None:
        """Reason of a ban; wrong control answers come before fast responses."""
        rules = self.rules
        if rules.wrong_controls and visitor.wrong >= rules.wrong_controls:
            return WRONG_CONTROLS
        if rules.fast_responses and visitor.fast >= rules.fast_responses:
            return FAST_RESPONSES
        return None

    def given_up(self, visitor: Visitor, suite: int) -> None:
        """Do nothing: a campaign bans no annotator for this."""

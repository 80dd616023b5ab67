"""The referee: who admits annotators to a pool, and who bans them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from labeling.campaign.campaign import FAST_RESPONSES, WRONG_CONTROLS, Exam, QualityRules
from labeling.crowd.engine.pool import Visitor


class Referee(Protocol):
    """What a platform decides about an annotator."""

    def admits(self, visitor: Visitor) -> bool:
        """Whether someone may work: asked when they come, after the exam if there is one."""
        ...

    def verdict(self, visitor: Visitor, suite: int) -> str | None:
        """Why someone is banned after the suite they have just submitted; None if they are not."""
        ...

    def given_up(self, visitor: Visitor, suite: int) -> None:
        """Someone has handed a suite back, or let it expire."""
        ...


@dataclass(frozen=True, slots=True)
class CampaignRules:
    """A campaign's own exam and quality rules, as its annotators meet them in process."""

    exam: Exam | None
    rules: QualityRules

    def admits(self, visitor: Visitor) -> bool:
        """Enough right answers in the exam, if there is one."""
        return self.exam is None or visitor.judged - visitor.failed >= self.exam.pass_correct

    def verdict(self, visitor: Visitor, suite: int) -> str | None:
        """Wrong control answers come before fast responses."""
        rules = self.rules
        if rules.wrong_controls and visitor.wrong >= rules.wrong_controls:
            return WRONG_CONTROLS
        if rules.fast_responses and visitor.fast >= rules.fast_responses:
            return FAST_RESPONSES
        return None

    def given_up(self, visitor: Visitor, suite: int) -> None:
        """Nobody is banned for that."""

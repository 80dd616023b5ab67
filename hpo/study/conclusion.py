"""A study's conclusion: estimates, the front, the sections of the answer, the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hpo.answer.advice import Advisor
from hpo.answer.front import pareto_front
from hpo.answer.recommend import Estimates, recommend, shrink
from hpo.answer.report import build_report
from hpo.answer.sections.registry import SECTIONS
from hpo.answer.sections.section import Findings
from hpo.search.searcher import Searcher
from hpo.search.surrogate import Surrogate
from hpo.settings.config import StudyConfig
from hpo.study.trials import Trials
from hpo.trial.outcome import Outcome
from hpo.trial.world import World
from labeling.seeds import generator


class Conclusion:
    """The answer of one study, from its trials and orders.

    Args:
        world: the study's world.
        trials: its trials.
        searcher: holds the surrogate's fits.
        search: runs another study and returns its report.
    """

    def __init__(
        self,
        world: World,
        trials: Trials,
        searcher: Searcher,
        search: Callable[[StudyConfig], dict[str, Any]],
    ) -> None:
        self._world = world
        self._trials = trials
        self._searcher = searcher
        self._search = search

    def surrogate(self) -> Surrogate:
        """The posterior given everything evaluated."""
        return self._searcher.surrogate(self._trials.outcomes())

    def estimates(self) -> Estimates:
        """Every evaluated plan with the accuracy that it has on average over purchases.

        What was measured is shrunk by the surrogate, so that the luckiest is not taken for best.
        """
        rng = generator(self._world.config.seed, "estimates")
        return shrink(self._trials.outcomes(), self.surrogate(), rng)

    def front(self) -> list[Outcome]:
        """Evaluated plans that no other plan is expected to beat in accuracy and price tag."""
        return pareto_front(self.estimates().plans)

    def recommend(self) -> Outcome | None:
        """The plan to buy, on what is known so far."""
        return recommend(self.estimates().plans)

    def advisor(self) -> Advisor:
        """What to make of everything evaluated so far."""
        world = self._world.own()
        searcher = self._searcher if world is self._world else Searcher(world)
        surrogate = searcher.surrogate(self._trials.outcomes())
        spent = world.ledger.balance().spent
        return Advisor(searcher, surrogate, self.estimates(), spent)

    def measure(
        self, say: Callable[[str], None], tell: Callable[[str, str, dict[str, Any]], None]
    ) -> None:
        """Measure what the sections of the answer lack; some of them buy.

        Args:
            say: told in a few words what is going on.
            tell: told a section's event, its key, and what was measured.
        """
        for section in SECTIONS:
            kept = self._trials.known(section.name)
            for key in section.keys(findings := self._findings()):
                if key in kept:
                    continue
                if section.doing:
                    say(section.doing)
                kept[key] = section.measure(findings, key)
                self._trials.keep(section.name, kept)
                if section.event:
                    tell(section.event, key, kept[key])

    def report(self) -> dict[str, Any]:
        """The report of what is stored now. Buys and trains nothing."""
        stopped = self._trials.attr("stopped") or "not finished"
        findings = self._findings()
        plans, bought = self.estimates().plans, self._trials.purchases()
        report = build_report(findings.own, plans, bought, stopped)
        for section in SECTIONS:
            report = section.tell(findings, report)
        return report

    def _findings(self) -> Findings:
        return Findings(
            self._world,
            self._world.own(),
            self.recommend(),
            self.front(),
            self._trials.purchases(),
            bool(self._trials.attr("stopped")),
            self._trials.known,
            self.surrogate,
            self.advisor,
            self._search,
        )

"""A study's conclusion: what its measurements say, the sections of the answer, the report."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from hpo.answer.advice.advisor import Advisor
from hpo.answer.confirmation import measurement_of_confirmation, measurement_of_delivery
from hpo.answer.estimates.evidence import (
    Measurement,
    measured_on_final,
    measurement_of,
    with_parts,
)
from hpo.answer.estimates.plan_estimates import Estimate, PlanEstimates
from hpo.answer.front import tell_estimates
from hpo.answer.report import build_report
from hpo.answer.sections.confirmed import CONFIRMED
from hpo.answer.sections.delivered import DELIVERY
from hpo.answer.sections.final import FINAL, state_key, state_of
from hpo.answer.sections.models.growth import GROWTH
from hpo.answer.sections.registry import SECTIONS
from hpo.answer.sections.section import Findings
from hpo.answer.sentences import UNFINISHED
from hpo.search.searcher import Searcher
from hpo.settings.config import StudyConfig
from hpo.study.trials import Trials
from hpo.trial.outcome import Outcome
from hpo.trial.world import World
from labeling.types import LabelPlan

_FEWEST = 4  # purchases before the search may end for lack of promise
_COUNTED = "counted"  # keys of measurements that the search goes by
_MOST_MEASURED = 100  # parts of an answer


class Conclusion:
    """The answer of one study, from its trials and orders.

    Args:
        world: the study's world.
        trials: its trials.
        searcher: names the rule of thumb's plans.
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
        self._made: dict[Any, PlanEstimates] = {}

    def estimates(self, counted: Container[str] | None = None) -> PlanEstimates:
        """What was measured says of every plan.

        Args:
            counted: keys of the answer's measurements that count; None for all.
        """
        measured = [*self._searched(), *self._afterwards(counted)]
        own, has_luck = self._own(), self._world.market.kind.sells_again
        for key, rows in self._trials.known(GROWTH.name).items():
            plan = LabelPlan.parse(key.partition("/")[0])
            if key == state_of(plan, own) and (counted is None or key in counted):
                measured = with_parts(measured, plan, rows, has_luck)
        return self._estimates(measured)

    def searched(self) -> PlanEstimates:
        """What the search's measurements alone say of every plan."""
        return self._estimates(self._searched())

    def so_far(self) -> tuple[Outcome | None, list[Outcome]]:
        """The plan to recommend and the front by the most probable curve: in a moment."""
        advisor = self._advisor_in_short()
        best = [] if advisor.best is None else [advisor.best]
        told = self._tell([*best, *advisor.front], advisor.estimates)
        return (told[0] if best else None), told[len(best) :]

    def front_searched(self) -> list[Outcome]:
        """The front by the search's measurements alone."""
        plans = [outcome.plan for outcome in self._trials.outcomes()]
        advisor = Advisor(self.searched(), plans)
        return self._tell(advisor.front, advisor.estimates)

    def reached(self) -> str | None:
        """Why the goal that the user set needs no further purchase; None where it does, or none is.

        The goal is a target, or a rate that further money has to promise. The rate is that of the
        verdict: points that a plan is expected to give more than the recommended plan, per dollar
        that it costs more.
        """
        if self._world.config.target is not None:
            return self._target_reached()
        least = self._world.config.least_rate
        if not least or len(self._trials.purchases()) < _FEWEST:
            return None
        advisor = self._advisor_in_short()
        if advisor.best is None or advisor.highest_rate >= least:
            return None
        return (
            f"no plan promised {least:g} {'point' if least == 1 else 'points'} per dollar any more"
        )

    def _target_reached(self) -> str | None:
        target = self._world.config.target
        estimates = self.estimates(set(self._trials.attr(_COUNTED) or ()))
        advisor = Advisor(estimates, [o.plan for o in self._trials.outcomes()])
        if target is None or not advisor.is_target_reached:
            return None
        return f"a plan reaches the target of {100 * target:g} %"

    def _advisor_in_short(self) -> Advisor:
        in_short = self._estimates(self._searched(), in_short=True)
        return Advisor(in_short, [outcome.plan for outcome in self._trials.outcomes()])

    def advisor(self) -> Advisor:
        """What to make of everything measured.

        The plan that the search recommends is bought again; as long as that does not show that
        another is better, it stays recommended.
        """
        plans = [outcome.plan for outcome in self._trials.outcomes()]
        searched = Advisor(self._estimates(self._searched()), plans)
        preferred = None if searched.best is None else searched.best.plan
        return Advisor(self.estimates(), plans, preferred, self._searcher.rule)

    def front(self) -> list[Outcome]:
        """Evaluated plans that no other plan is expected to beat in accuracy and price."""
        advisor = self.advisor()
        return self._tell(advisor.front, advisor.estimates)

    def recommend(self) -> Outcome | None:
        """The plan to buy, on what is known so far."""
        advisor = self.advisor()
        best = advisor.best
        return None if best is None else self._tell([best], advisor.estimates)[0]

    def measure(
        self, say: Callable[[str], None], tell: Callable[[str, str, dict[str, Any]], None]
    ) -> None:
        """Measure what the sections of the answer lack; some of them buy.

        Args:
            say: told in a few words what is going on.
            tell: told a section's event, its key, and what was measured.

        Each measurement may change which plan is recommended. So after each the sections are gone
        through from the first on, and a study that was killed measures the same.
        """
        for _ in range(_MOST_MEASURED):
            if not self._measure_next(say, tell):
                return

    def _measure_next(
        self, say: Callable[[str], None], tell: Callable[[str, str, dict[str, Any]], None]
    ) -> bool:
        findings = self._findings(say)
        for section in SECTIONS:
            kept = self._trials.known(section.name)
            for key in section.keys(findings):
                if key in kept:
                    continue
                if section.doing:
                    say(section.doing)
                kept[key] = section.measure(findings, key)
                self._trials.keep(section.name, kept)
                if section.event:
                    tell(section.event, key, kept[key])
                return True
        return False

    def report(self) -> dict[str, Any]:
        """The report of what is stored now. Buys and trains nothing."""
        stopped = self._trials.attr("stopped") or UNFINISHED
        findings = self._findings()
        report = build_report(findings, self._trials.outcomes(), stopped)
        for section in SECTIONS:
            report = section.tell(findings, report)
        return report

    def _findings(self, say: Callable[[str], None] = lambda doing: None) -> Findings:
        advisor = self.advisor()
        best = [] if advisor.best is None else [advisor.best]
        return Findings(
            self._world,
            self._own(),
            next(iter(self._tell(best, advisor.estimates)), None),
            self._tell(advisor.front, advisor.estimates),
            self._trials.purchases(),
            bool(self._trials.attr("stopped")),
            self._trials.known,
            advisor,
            self._estimates(self._searched()),
            self._search,
            say,
        )

    def _tell(self, told: Sequence[Estimate], estimates: PlanEstimates) -> list[Outcome]:
        """The outcomes of evaluated plans with what is expected of them."""
        outcomes = {outcome.plan: outcome for outcome in self._trials.outcomes()}
        return tell_estimates([outcomes[e.plan] for e in told], estimates)

    # --- what was measured ---

    def _own(self) -> World:
        return self._world.own()

    def _searched(self) -> list[Measurement]:
        return [measurement_of(outcome, self._world) for outcome in self._trials.outcomes()]

    def count_measured(self) -> None:
        """Let the search go by what the answer has measured so far, too."""
        sections = (FINAL.name, CONFIRMED.name, GROWTH.name)
        measured = {key for name in sections for key in self._trials.known(name)}
        self._trials.keep(_COUNTED, sorted(measured))

    def _afterwards(self, counted: Container[str] | None = None) -> list[Measurement]:
        """What the answer measured beside the search: on final images, and bought again.

        Args:
            counted: keys that count; None for all.
        """
        finals, confirmed = (
            {k: v for k, v in self._trials.known(name).items() if counted is None or k in counted}
            for name in (FINAL.name, CONFIRMED.name)
        )
        own, scored = self._own(), {key.partition("/")[0] for key in finals}
        made = []
        for outcome in self._trials.outcomes():
            was_scored = outcome.plan.key in scored
            if was_scored and (score := finals.get(state_key(outcome, own))):
                made.append(measured_on_final(measurement_of(outcome, self._world), score))
            again = measurement_of_confirmation(outcome, confirmed, self._world)
            made += [] if again is None else [again]
        if counted is None:
            made += measurement_of_delivery(self._trials.known(DELIVERY.name), self._world)
        return made

    def _estimates(self, measured: Sequence[Measurement], in_short: bool = False) -> PlanEstimates:
        """Estimates from measurements, made anew where they or the orders have changed."""
        world = self._own()
        orders = [(r.order.key, r.assignments, r.end is None) for r in world.store.all_orders()]
        key = (tuple(measured), tuple(orders), in_short)
        if key not in self._made:
            self._made = {k: self._made[k] for k in list(self._made)[-2:]}  # the search's, and all
            self._made[key] = PlanEstimates(world, measured, in_short)
        return self._made[key]

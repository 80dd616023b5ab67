"""Evaluations that cost nothing: contained plans during the search, the front after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hpo.search.searcher import Searcher
from hpo.study.ask import Asker
from hpo.study.conclusion import Conclusion
from hpo.study.journal import StudyEvents
from hpo.study.trials import Trials
from hpo.trial.evaluate import evaluate
from hpo.trial.outcome import Outcome, plan_from_plain
from hpo.trial.world import World
from labeling.types import LabelPlan

REPEATS = 3  # repeat draws behind every plan of the front
_DRAWS = 2  # repeat draws of a contained plan during the search
_MOST_POLISHED = 40  # evaluations after the search


class Evaluations:
    """Evaluates plans that a study owns.

    Args:
        world: the study's world.
        trials: its trials.
        searcher: names the contained plans that can still matter.
        events: told each evaluation.
        say: told in a few words what is going on.
    """

    def __init__(
        self,
        world: World,
        trials: Trials,
        searcher: Searcher,
        events: StudyEvents,
        say: Callable[[str], None],
    ) -> None:
        self._world = world
        self._trials = trials
        self._searcher = searcher
        self._events = events
        self._say = say

    def after_last_purchase(self) -> None:
        """Evaluate contained plans of the last purchase's condition that can still matter."""
        while not self._world.config.no_reuse and (plan := self._next_contained()) is not None:
            self._add(plan, _DRAWS, after_search=False)

    def after_purchase(self, bought: LabelPlan, asker: Asker) -> None:
        """Evaluate contained plans of a purchase's condition, while others may buy elsewhere."""
        done = 0
        with self._world.buying(bought):
            while not self._world.config.no_reuse:
                self._world.prices.refresh()
                plan = self._searcher.free(asker.known(), bought, done)
                if plan is None:
                    return
                self._add(plan, _DRAWS, after_search=False)
                done += 1

    def after_search(self, conclusion: Conclusion) -> None:
        """Evaluate what is expected on the front, and measure the front's plans repeatedly."""
        while (plan := self._next_to_polish(conclusion)) is not None:
            self._add(plan, REPEATS, after_search=True)

    def _next_contained(self) -> LabelPlan | None:
        trials = self._trials.complete()
        bought = [i for i, trial in enumerate(trials) if trial.user_attrs["bought"]]
        if not bought:
            return None
        latest = plan_from_plain(trials[bought[-1]].user_attrs["outcome"]["plan"])
        done = len(trials) - 1 - bought[-1]
        return self._searcher.free(self._trials.searched(), latest, done)

    def _next_to_polish(self, conclusion: Conclusion) -> LabelPlan | None:
        if self._trials.after_last_search() >= _MOST_POLISHED:
            return None
        outcomes = self._trials.outcomes()
        if outcomes and not self._world.config.no_reuse:
            missing = self._searcher.missing_from_front(outcomes)
            if missing is not None:
                return missing
        # Both fronts differ in plans that lie close; the second takes longer to make.
        return _measured_least(conclusion.so_far()[1]) or _measured_least(
            conclusion.front_searched()
        )

    def _add(self, plan: LabelPlan, draws: int, after_search: bool) -> None:
        """Evaluate an owned plan and add it as a trial, in one commit."""
        self._say(f"evaluating {plan.key}, owned already")
        if plan.overlap == self._owned_overlap(plan) and not after_search:
            draws = 1  # there is one subset of its answers
        outcome = evaluate(plan, self._world, draws)
        self._events.evaluation(self._trials.add(outcome, after_search))

    def _owned_overlap(self, plan: LabelPlan) -> int:
        records = self._world.prices.records(plan)
        return max((record.overlap for record in records), default=plan.overlap)


def _measured_least(front: Iterable[Outcome]) -> LabelPlan | None:
    """The first plan of a front that was not measured often enough."""
    return next((outcome.plan for outcome in front if outcome.draws < REPEATS), None)

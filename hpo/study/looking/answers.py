"""What a study says of itself, as objects and tables. Nothing here buys or trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from budget.money import Money
from hpo.answer.advice.advisor import Advisor
from hpo.answer.estimates.plan_estimates import Estimate, PlanEstimates
from hpo.answer.objects.answer import Answer
from hpo.study.conclusion import Conclusion
from hpo.study.storage.trial_facts import flat_facts
from hpo.study.trials import Trials
from hpo.trial.outcome import Outcome
from hpo.trial.spending import paid_for
from hpo.trial.world import World

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from matplotlib.axes import Axes


class StudyAnswers:
    """The part of a study that answers questions about it.

    Attributes:
        world: the study's world.
        trials: its trials.
    """

    world: World
    trials: Trials
    _conclusion: Conclusion

    def report(self) -> Answer:
        """The report of what is stored now, made anew. Buys and trains nothing."""
        return Answer(self._conclusion.report())

    def advisor(self) -> Advisor:
        """What to make of everything evaluated so far."""
        return self._conclusion.advisor()

    def forecast(self, dollars: str | float) -> Estimate | None:
        """The best plan inside the limits for some dollars, with what is expected of it.

        Any number of images may be the best; None where the cheapest plan costs more.
        """
        return self.advisor().best_for(Money.parse(str(dollars)))

    def estimates(self) -> PlanEstimates:
        """Accuracy, price and minutes of any plan, on what is measured so far."""
        return self._conclusion.estimates()

    def front(self) -> list[Outcome]:
        """Evaluated plans that no other plan is expected to beat in accuracy and price tag."""
        return self._conclusion.front()

    def recommend(self) -> Outcome | None:
        """The plan to buy, on what is known so far."""
        return self._conclusion.recommend()

    def outcomes(self) -> list[Outcome]:
        """Every plan evaluated so far, once, as it was measured last."""
        return self.trials.outcomes()

    def trials_dataframe(self) -> pd.DataFrame:
        """A row a trial: what it was, its plan, scores, dollars paid, minutes; needs pandas."""
        from hpo.answer.objects.frames import frame

        paid = self._paid()
        rows = [
            {"trial": trial.number, **flat_facts(trial), "paid": paid.get(trial.number, 0.0)}
            for trial in self.trials.all()
        ]
        return frame(rows)

    def front_dataframe(self) -> pd.DataFrame:
        """A row a plan of the front; needs pandas."""
        return self.report().front.dataframe()

    def plot_front(self, ax: Axes | None = None) -> Axes:
        """Draw accuracy against money: purchases, the front and the recommended plan.

        Args:
            ax: where to; None for a new figure.
        """
        return self.report().front.plot(ax)

    @property
    def optuna_study(self) -> optuna.Study:
        """A copy of the trials for Optuna's own plots and tools; changes in it change nothing."""
        from hpo.study.looking.optuna_copy import optuna_copy

        name = self.world.config.study
        return optuna_copy(name, self.trials.all(), self.report(), self._paid())

    def _paid(self) -> dict[int, float]:
        """Dollars paid by number of the trial that bought."""
        bought = [t.number for t in self.trials.complete() if t.user_attrs["bought"]]
        paid = paid_for(self.trials.purchases(), self.world)
        return {number: money.dollars for number, money in zip(bought, paid, strict=True)}

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()

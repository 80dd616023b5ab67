"""Asking for the next trial: what to buy next with the money left, while others buy too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from budget.errors import PlanRefused
from budget.money import ZERO, Money
from hpo.answer import confirmation
from hpo.answer.plan_in_words import counted
from hpo.search.money_aware import distributions
from hpo.search.samplers import make_sampler, sampler_named
from hpo.search.searcher import Decision, Searcher, nothing_lacking, used_up
from hpo.study.trials import Trials
from hpo.trial.outcome import Outcome, plan_from_plain, plan_to_plain
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.purchase import left_to_learn
from hpo.trial.world import World
from labeling.seeds import derive
from labeling.source import tariff_of
from labeling.types import LabelPlan

if TYPE_CHECKING:
    import optuna

ASKING = "asking"
"""The lock under which trials are written down."""
MOST_UNTOLD = Fraction(1, 4)
"""Share of the money left that a trial may reserve while others are in hand."""
REFUSALS = 20  # in a row: the sampler finds nothing that can be bought
_PATIENCE = 10  # asks outside the study's limits before the nearest plan inside is taken


@dataclass(frozen=True, slots=True)
class AskedTrial:
    """A trial that was asked for and written down, and is still to be bought.

    Attributes:
        trial: Optuna's.
        plan: what it buys or evaluates.
        bought: whether it buys anything.
    """

    trial: optuna.Trial
    plan: LabelPlan
    bought: bool


class Asker:
    """Asks for a study's trials. Trials in hand elsewhere count as bought, with their guessed mean.

    Args:
        world: the study's world.
        trials: its trials.
        searcher: decides for our samplers.
        reached: why the study's goal needs no further purchase; None where it does.
    """

    def __init__(
        self,
        world: World,
        trials: Trials,
        searcher: Searcher,
        reached: Callable[[], str | None],
    ) -> None:
        self.world = world
        self._reached = reached
        self.trials = trials
        self._config = world.config
        self._searcher = searcher
        self._decision = Decision(None)

    def known(self) -> list[Outcome]:
        """Everything evaluated by the search, and what trials in hand are expected to give."""
        searched, running = self.trials.searched(), trials_in_hand(self.trials)
        return [*searched, *guesses(running, searched, self._searcher)]

    def left(self) -> Money:
        """Money that the search may still spend: not what is kept for the confirmation."""
        in_hand = still_to_hold(trials_in_hand(self.trials), self.world)
        kept = confirmation.reserved(self.world)
        free = min(self.world.ledger.balance().left - kept, left_to_learn(self.world)) - in_hand
        return max(ZERO, free)

    def to_ask(self) -> Money:
        """Money that the next trial may reserve.

        While others are in hand it is a part of what is left: the rest waits for what they tell.
        Where four workers may take all of it, they end .4 points lower than one does.
        """
        left = self.left()
        return left.share(MOST_UNTOLD) if trials_in_hand(self.trials) else left

    def reason_to_stop(self) -> str | None:
        """Why nothing more can be asked for now; None where something can.

        While trials are in hand it may be for the time being: a plan may wait for its condition.
        """
        if self.world.ledger.balance().overrun:
            return "a settlement came out above its hold; nothing more is bought"
        most = self._config.trials
        if most is not None and self._purchases() >= most:
            return f"{counted(most, 'purchase')} of --trials {'is' if most == 1 else 'are'} made"
        if len(self.trials.refusals()) >= REFUSALS:
            return f"{REFUSALS} plans in a row could not be bought"
        if (reached := self._reached()) is not None:
            return reached
        decide = sampler_named(self._config.sampler).decide
        if decide is not None:
            self._decision = decide(self._searcher, self.known(), self.to_ask(), self._busy())
            return self._decision.why if self._decision.plan is None else None
        return self._nothing_affordable()

    def ask(self) -> AskedTrial | None:
        """The next trial, written down; None where the sampler's draw was refused.

        To be called after `reason_to_stop` found none.
        """
        trial = self._draw()
        plan = self.world.space.plan_of(trial.params)
        refusal = self._refusal(plan)
        if refusal is not None:
            self.refuse(trial, plan, *refusal)
            return None
        bought = self.world.prices.to_buy(plan).answers > 0
        trial.set_user_attr("bought", bought)
        trial.set_user_attr("plan", plan_to_plain(plan))
        return AskedTrial(trial, plan, bought)

    def check(self, plan: LabelPlan) -> None:
        """Refuse a plan that another program asks for, where the search could not buy it either.

        Raises:
            PlanRefused: the money left does not bear it, or it is outside the study's limits.
        """
        hold, left = self.world.prices.to_buy(plan).hold, self.left()
        outside = PlanCosts(self.world).outside(plan)
        if outside is not None:
            raise PlanRefused(outside)
        if hold > left:
            raise PlanRefused(_too_dear(hold, left))

    def refuse(
        self, trial: optuna.Trial, plan: LabelPlan, why: str, instead: LabelPlan | None = None
    ) -> None:
        """Give a trial up, and say which plan to ask for instead."""
        stand_in = plan_to_plain(instead) if instead else None
        self.trials.refuse(trial, {"plan": plan.key, "why": why, "instead": stand_in})

    def _purchases(self) -> int:
        in_hand = sum(trial.bought for trial in trials_in_hand(self.trials))
        return len(self.trials.purchases()) + in_hand

    def _busy(self) -> frozenset[str]:
        """Conditions that trials in hand buy in: another purchase there would have to wait."""
        return frozenset(self.world.condition(t.plan).key for t in trials_in_hand(self.trials))

    def _nothing_affordable(self) -> str | None:
        left, prices = self.to_ask(), self.world.prices
        prices.refresh()
        quotes = [prices.to_buy(plan) for plan in self._unevaluated()]
        holds = [quote.hold for quote in quotes if quote.answers]
        if not holds:
            return nothing_lacking(self.world)
        if min(holds) <= left:
            return None
        return used_up(min(holds), left)

    def _unevaluated(self) -> list[LabelPlan]:
        seen, busy = {outcome.plan.key for outcome in self.known()}, self._busy()
        costs = PlanCosts(self.world)
        return [
            plan
            for plan in self.world.space.plans
            if plan.key not in seen
            and costs.outside(plan) is None
            and (not busy or self.world.condition(plan).key not in busy)
        ]

    def _draw(self) -> optuna.Trial:
        """The next trial: the stand-in of the last refused one, or a fresh sampler's draw.

        The sampler is seeded by the number of complete trials (and refusals since), so that a
        study that was killed asks for the same plan again.
        """
        refusals = self.trials.refusals()
        instead = refusals[-1].user_attrs["refused"]["instead"] if refusals else None
        if instead is not None:
            self.trials.enqueue(plan_from_plain(instead))
        running = [len(in_hand)] if (in_hand := trials_in_hand(self.trials)) else []
        count = len(self.trials.complete())
        seed = derive(self._config.seed, "sampler", count, len(refusals), *running)
        self.trials.study.sampler = make_sampler(
            self._config.sampler, seed, self.world.space, self._chosen
        )
        return self.trials.study.ask(distributions(self.world.space))

    def _chosen(self) -> LabelPlan:
        if self._decision.plan is None:
            raise AssertionError("asked for a plan after the search had ended")
        return self._decision.plan

    def _refusal(self, plan: LabelPlan) -> tuple[str, LabelPlan | None] | None:
        """Why a plan cannot be the next purchase, and which plan to take instead, if any."""
        outside = PlanCosts(self.world).outside(plan)
        if outside is not None:
            patient = len(self.trials.refusals()) % _PATIENCE < _PATIENCE - 1
            return outside, None if patient else self._nearest_affordable(plan)
        if plan.key in {outcome.plan.key for outcome in self.known()}:
            return "is evaluated already", self._nearest_affordable(plan)
        if self.world.condition(plan).key in self._busy():
            return "its condition is being bought in", self._nearest_affordable(plan)
        hold, left = self.world.prices.to_buy(plan).hold, self.to_ask()
        if hold > left:
            return _too_dear(hold, left), self._nearest_affordable(plan)
        return None

    def _nearest_affordable(self, plan: LabelPlan) -> LabelPlan | None:
        left, prices = self.to_ask(), self.world.prices
        prices.refresh()
        quotes = [(other, prices.to_buy(other)) for other in self._unevaluated()]
        candidates = [other for other, quote in quotes if quote.answers and quote.hold <= left]
        return self.world.space.nearest(plan, candidates)


def _too_dear(hold: Money, left: Money) -> str:
    return f"reserves {hold}, {left} is left"


@dataclass(frozen=True, slots=True)
class TrialInHand:
    """A trial that was asked for and is not evaluated yet.

    Attributes:
        number: the trial's.
        plan: what it buys or evaluates.
        bought: whether it buys anything.
    """

    number: int
    plan: LabelPlan
    bought: bool


def trials_in_hand(trials: Trials) -> list[TrialInHand]:
    """Trials in hand, in the order in which they were asked for."""
    return [
        TrialInHand(t.number, plan_from_plain(t.user_attrs["plan"]), t.user_attrs["bought"])
        for t in trials.all()
        if t.state.name == "RUNNING" and "plan" in t.user_attrs
    ]


def still_to_hold(running: Sequence[TrialInHand], world: World) -> Money:
    """Money that trials in hand will reserve, beside what the ledger holds for them already."""
    held = {hold.key for hold in world.ledger.open_holds()} if running else set()
    total = ZERO
    for trial in running:
        order = world.prices.lacking(trial.plan)
        if order is not None and order.key not in held:
            tariff = tariff_of(world.source, order.condition)
            total += tariff.most(order.limit, order.condition.reward)
    return total


def guesses(
    running: Sequence[TrialInHand], outcomes: Sequence[Outcome], searcher: Searcher
) -> list[Outcome]:
    """The outcomes that the search assumes of trials in hand: their predicted mean.

    Two workers then do not buy the same, nor what the other's purchase is about to tell.
    """
    if not running:
        return []
    plans = [trial.plan for trial in running]
    accuracy = np.full(len(plans), 1 - searcher.chance_error)
    if outcomes:
        mean, _, _ = searcher.surrogate(outcomes).predict(searcher.encode(plans))
        accuracy = np.asarray(1 - np.exp(np.minimum(mean, 0.0)))
    return [_guess(plan, float(a), searcher) for plan, a in zip(plans, accuracy, strict=True)]


def _guess(plan: LabelPlan, accuracy: float, searcher: Searcher) -> Outcome:
    return Outcome(
        plan,
        accuracy,
        low=0.0,
        high=1.0,
        macro_f1=None,
        ece=None,
        log_loss=None,
        price_tag=searcher.world.prices.list_price(plan).cost,
        minutes=0.0,
        labels=plan.tasks,
        answers=plan.tasks * plan.overlap,
        target="",
        penalty=0.0,
    )

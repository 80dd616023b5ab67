"""Everything that is made of a study's estimates, as it stands in the report."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from budget.money import Money
from hpo.answer.advice import influence, more_money, questions
from hpo.answer.advice.candidates import (
    as_many_images,
    candidates,
    images_wanted,
    most_money,
    of_any_size,
)
from hpo.answer.advice.recommend import (
    Choice,
    best_for,
    choose,
    estimated_front,
    probability_best,
    reaches,
    recommend,
    told_apart,
    why,
)
from hpo.answer.estimates.plan_estimates import Estimate, Gain, PlanEstimates, tolerance
from hpo.settings.config import StudyConfig
from hpo.trial.outcome import plan_to_plain
from labeling.types import LabelPlan

_DIGITS = 6


@dataclass(frozen=True)
class Advisor:
    """The advice of one study.

    Attributes:
        estimates: what is known of its plans.
        evaluated: the plans that were evaluated.
        preferred: the plan to recommend unless another is better beyond doubt; None for none.
        rule: the rule of thumb's plans, from small to large.
    """

    estimates: PlanEstimates
    evaluated: Sequence[LabelPlan]
    preferred: LabelPlan | None = None
    rule: Sequence[LabelPlan] = ()

    @cached_property
    def tried(self) -> list[Estimate]:
        """The evaluated plans inside the limits, estimated."""
        costs = self.estimates.costs
        return self.estimates.of([p for p in self.evaluated if costs.outside(p) is None])

    @cached_property
    def offers(self) -> list[Estimate]:
        """All plans inside the limits, in the conditions bought in, estimated."""
        pool = len(self.estimates.world.pool)
        plans = dict.fromkeys([e.plan for e in self.tried])
        plans |= dict.fromkeys(candidates(self.estimates, pool))
        return self.estimates.of(list(plans))

    @cached_property
    def front(self) -> list[Estimate]:
        """Evaluated plans that no other is expected to beat in accuracy and price."""
        return estimated_front(self.tried)

    @cached_property
    def _by_goal(self) -> Estimate | None:
        return recommend(self.front, self.estimates, self._config)

    @cached_property
    def _choice(self) -> Choice:
        kept = next((e for e in self.front if e.plan == self.preferred), None)
        return choose(self._by_goal, kept, self.front, self.estimates, self._config)

    @property
    def best(self) -> Estimate | None:
        """The recommended plan; None without any."""
        return self._choice.plan

    @cached_property
    def campaign(self) -> questions.PlanForImages | None:
        """The plan for `--pool-size` images; None where that is the study's pool."""
        images = images_wanted(self.estimates)
        if images == len(self.estimates.world.pool):
            return None
        return questions.campaign(images, self.estimates)

    @cached_property
    def for_images(self) -> questions.PlanForImages:
        """The plan for the images that are wanted, be they the study's pool or more."""
        if self.campaign is not None:
            return self.campaign
        images = len(self.estimates.world.pool)
        return questions.PlanForImages(images, self.best, images, self.offers)

    @property
    def lead(self) -> Estimate | None:
        """The plan that the answer is about; None without a recommended one."""
        return None if self.best is None else self.for_images.chosen

    @property
    def _config(self) -> StudyConfig:
        return self.estimates.world.config

    @property
    def highest_rate(self) -> float:
        """The most points per further dollar that any plan of the space is expected to give."""
        if self.best is None:
            return 0.0
        estimates = self.estimates
        inside = [p for p in estimates.world.space.plans if estimates.costs.outside(p) is None]
        return more_money.highest_rate(self.best, estimates.of(inside))

    @property
    def is_target_reached(self) -> bool:
        """Whether the recommended plan is almost sure to reach the study's target."""
        return self.best is not None and self._reached(self.best)

    def _reached(self, chosen: Estimate) -> bool:
        target = self._config.target
        return target is not None and reaches(chosen, self.estimates, target)

    @property
    def why(self) -> str:
        """Why the recommended plan was chosen."""
        return self._choice.why

    @property
    def _lead_why(self) -> str:
        if self.campaign is None or self.lead is None:
            return self.why
        most = max(e.accuracy for e in self.campaign.offers)
        return why(self._config, self.lead, most, self._reached(self.lead))

    @cached_property
    def _more_offers(self) -> list[Estimate]:
        """Plans within the limits, those among them that use up some times the answer's price."""
        offers = self.for_images.offers
        dollars = [] if self.lead is None else [self.lead.price * n for n in more_money.TIMES]
        return [*offers, *itertools.chain(*map(self._as_many_images, dollars))]

    def _as_many_images(self, dollars: Money) -> list[Estimate]:
        most = dollars if self.limit is None else min(dollars, self.limit)
        return self.estimates.of(as_many_images(self.estimates, self.for_images.images, most))

    @cached_property
    def verdict(self) -> more_money.Verdict:
        """Whether to buy more than the recommended plan."""
        if self.lead is None:
            return more_money.Verdict(None)
        offers, least = self._more_offers, self._config.least_rate
        return more_money.verdict(self.lead, offers, self.estimates, least)

    def price_of(self, accuracy: float) -> questions.PriceOfAccuracy:
        """What an accuracy costs, by any plan within the limits: of any number of images.

        Of the study's target that is what the report says.
        """
        if accuracy == self._config.target and (told := self._price_of_target()).chosen is not None:
            return told
        made = self.for_images
        sized = of_any_size(self.estimates, made.images)
        plans = dict.fromkeys([*(e.plan for e in made.offers), *sized])
        offers = [e for e in self.estimates.of(list(plans)) if self._is_borne(e.price)]
        return questions.price_of(accuracy, offers, self.estimates)

    def _price_of_target(self) -> questions.PriceOfAccuracy:
        """What the target costs; in the study's own pool, by a plan that was evaluated."""
        target = self._config.target
        assert target is not None  # noqa: S101 - its callers have one
        if self.campaign is not None:
            return questions.price_of(target, self.campaign.offers, self.estimates)
        price = questions.price_of(target, self.tried, self.estimates)
        price = replace(price, is_evaluated=True)
        return replace(price, chosen=self.best) if self.is_target_reached else price

    def best_for(self, dollars: Money) -> Estimate | None:
        """The best plan for some money, of any number of images that it buys.

        None where the cheapest plan costs more.
        """
        most = dollars if self.limit is None else min(dollars, self.limit)
        return best_for(most, [*self.for_images.offers, *self._as_many_images(dollars)])

    @property
    def limit(self) -> Money | None:
        """The most that a plan may cost; None for more images than the study's pool."""
        return most_money(self.estimates, self.for_images.images)

    def _is_borne(self, price: Money) -> bool:
        return self.limit is None or price <= self.limit

    def answer(self) -> dict[str, Any]:
        """How much to spend, and on which plan, as JSON types."""
        lead, made = self.lead, self.for_images
        return {
            "images": made.images,
            "chosen": None if lead is None else estimate_to_plain(lead),
            "why": self._lead_why,
            "answerable": made.answerable,
        }

    def all(self) -> dict[str, Any]:
        """The advice as JSON types; empty without a recommended plan."""
        best = self.best
        if best is None:
            return {}
        return {
            "tolerance_points": round(100 * tolerance(max(e.accuracy for e in self.front)), 2),
            "certainty": self._certainty(best),
            "matters": influence.matters(self.estimates, best.price),
            "importance": influence.importances(self.estimates),
            "rule_of_thumb": self._rule(best),
            "forecast": self._forecast(),
            "campaign": None if self.campaign is None else campaign_to_plain(self.campaign),
            "target": self._target(),
            "verdict": self._verdict(),
        }

    def _certainty(self, best: Estimate) -> dict[str, Any]:
        at_its_price, near_best = probability_best(best, self.tried, self.estimates)
        ties = [e.plan.key for e in self.front if e.plan != best.plan and self._ties(e, best)]
        rows = told_apart(self.front, self.estimates, [best])
        return {
            "probability_best_at_its_cost": round(at_its_price, 3),
            "probability_within_tolerance_of_best": round(near_best, 3),
            "ties": ties,
            "told_apart": [e.plan.key for e in rows],
        }

    def _ties(self, other: Estimate, best: Estimate) -> bool:
        dear, cheap = (other, best) if other.accuracy > best.accuracy else (best, other)
        return not self.estimates.is_better(dear.plan, cheap.plan)

    def _rule(self, best: Estimate) -> dict[str, Any]:
        costs = self.estimates.costs
        curve = self.estimates.of([p for p in self.rule if costs.outside(p) is None])
        rows = [estimate_to_plain(e) for e in curve]
        as_cheap = [e for e in curve if e.price <= best.price]
        if not as_cheap:
            return {"curve": rows, "at_its_cost": None, "gain": None, "is_the_rule": False}
        usual = max(as_cheap, key=lambda e: e.price)
        return {
            "curve": rows,
            "at_its_cost": estimate_to_plain(usual),
            "gain": gain_to_plain(self.estimates.gain(best.plan, usual.plan)),
            "is_the_rule": usual.plan == best.plan,
        }

    def _forecast(self) -> dict[str, Any]:
        lead, offers = self.lead, self._more_offers
        rows = [] if lead is None else more_money.forecasts(lead, offers, self.estimates)
        track = more_money.backtest(self.estimates)
        return {
            "of": "the best plan inside the limits at up to some times the answer's price",
            "at": [
                {
                    "times": row.times,
                    **estimate_to_plain(row.estimate),
                    "gain": gain_to_plain(row.gain),
                }
                for row in rows
            ],
            "backtest_median_error_points": None if track is None else round(100 * track[0], 2),
            "backtest_forecasts": 0 if track is None else track[1],
        }

    def _target(self) -> dict[str, Any] | None:
        target = self._config.target
        return None if target is None else price_to_plain(self._price_of_target())

    def _verdict(self) -> dict[str, Any]:
        made = self.verdict
        if made.chosen is None or made.gain is None or made.dollars is None:
            nothing = {"plan": None, "more": None, "gain": None, "rate": None}
            return {"stop": True, "why": made.why, **nothing}
        return {
            "stop": False,
            "why": made.why,
            "plan": estimate_to_plain(made.chosen),
            "more": made.dollars.to_json(),
            "gain": gain_to_plain(made.gain),
            "rate": round(made.rate, 4),
        }


def estimate_to_plain(estimate: Estimate) -> dict[str, Any]:
    """An estimate as JSON types."""
    plan = estimate.plan
    return {
        "plan": plan_fields(plan),
        "price_tag": estimate.price.to_json(),
        # As many decimals as outcomes have: rounded twice, one plan would get two percentages.
        "accuracy": round(estimate.accuracy, _DIGITS),
        "interval_95": [round(estimate.low, _DIGITS), round(estimate.high, _DIGITS)],
        "minutes": None if estimate.minutes is None else round(estimate.minutes, 2),
    }


def plan_fields(plan: LabelPlan) -> dict[str, Any]:
    """A plan as reports hold it."""
    fields = plan_to_plain(plan)
    del fields["price_micros"]
    return {**fields, "price_per_task": plan.price.to_json()}


def gain_to_plain(gain: Gain) -> dict[str, Any]:
    """A gain in accuracy points, as JSON types."""
    return {
        "points": round(100 * gain.mean, 2),
        "interval_95": [round(100 * gain.low, 2), round(100 * gain.high, 2)],
        "told_from_noise": gain.told_from_noise,
    }


def price_to_plain(price: questions.PriceOfAccuracy) -> dict[str, Any]:
    """What an accuracy costs, as JSON types."""
    bounds = [price.low, price.high]
    return {
        "accuracy": price.accuracy,
        "evaluated": price.is_evaluated,
        "chosen": None if price.chosen is None else estimate_to_plain(price.chosen),
        "dollars_95": [None if d is None else Money(round(d * 1e6)).to_json() for d in bounds],
    }


def campaign_to_plain(made: questions.PlanForImages) -> dict[str, Any]:
    """A campaign as JSON types."""
    return {
        "images": made.images,
        "chosen": None if made.chosen is None else estimate_to_plain(made.chosen),
        "answerable": made.answerable,
        "largest": max((e.plan.tasks for e in made.offers), default=0),
    }

"""Advice from the front: ties, influence of settings, gains of more money, and a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from budget.money import Money
from hpo.answer.forecast import Forecast, backtest, forecast, to_plain
from hpo.answer.front import pareto_front
from hpo.answer.importance import importance
from hpo.answer.recommend import TOLERANCE, Estimates, interval_95, recommend
from hpo.search.searcher import Searcher
from hpo.search.surrogate import Surrogate, encode
from hpo.trial.outcome import Outcome
from labeling.seeds import generator
from labeling.types import Floats, LabelPlan
from training.evaluate import Z95

_DRAWS = 1000
_SPACE_DRAWS = 60  # of the whole space, for the importance of knobs
_MATTERS = 0.5  # points
_WORTH = 0.3  # points that a further tranche has to promise
KNOBS = ("price", "overlap", "controls", "tasks", "exam")


@dataclasses.dataclass(frozen=True)
class Advisor:
    """Everything that the advice is drawn from.

    Attributes:
        searcher: prices, limits and the rule of thumb.
        surrogate: the posterior of all evaluations.
        estimates: evaluated plans with shrunk accuracies.
        spent: settled money.
    """

    searcher: Searcher
    surrogate: Surrogate
    estimates: Estimates
    spent: Money

    @property
    def front(self) -> list[int]:
        """Places of the front's plans among the estimates."""
        place = {o.plan.key: i for i, o in enumerate(self.estimates.plans)}
        return [place[o.plan.key] for o in pareto_front(self.estimates.plans)]

    def all(self) -> dict[str, Any]:
        """The advice as JSON types; empty without any evaluated plan."""
        best = recommend(self.estimates.plans)
        if best is None:
            return {}
        return {
            "certainty": self._certainty(best),
            "matters": [self._knob(name, best.plan) for name in self._turned],
            "importance": importance(self.searcher.plans, self._space_samples, self._turned),
            "rule_of_thumb": self._rule(best),
            "forecast": self._forecasts(),
            "whole_pool": self._whole_pool(best),
            "verdict": self._verdict(best),
        }

    def forecast(self, dollars: float) -> Forecast | None:
        """Accuracy of the best plan at a price tag of some dollars; None for too short a front."""
        cost, samples = self._curve
        track, _, _ = backtest(cost, samples)
        return forecast(cost, samples, dollars, track, self._best_at(dollars))

    def _best_at(self, dollars: float) -> Floats | None:
        """Draws of the best plan of the space in time at some dollars, evaluated or not."""
        searcher = self.searcher
        tags = searcher.tags(searcher.plans)
        able = [
            plan
            for plan, tag in zip(searcher.plans, tags, strict=True)
            if tag.dollars <= dollars and searcher.is_in_time(plan)
        ]
        if not able:
            return None
        mean, _, _ = self.surrogate.predict(encode(able, searcher.world.config.suite_size))
        return self._samples([able[int(mean.argmin())]], "forecast")[:, 0]

    @property
    def _curve(self) -> tuple[Floats, Floats]:
        cost = np.array([self.estimates.plans[i].price_tag.dollars for i in self.front])
        return cost, self.estimates.samples[:, self.front]

    def _certainty(self, best: Outcome) -> dict[str, Any]:
        """How sure the recommendation is, and which front plans it cannot be told from."""
        plans, samples = self.estimates.plans, self.estimates.samples
        at = next(i for i, o in enumerate(plans) if o.plan.key == best.plan.key)
        as_cheap = [i for i, o in enumerate(plans) if o.price_tag <= best.price_tag]
        top = samples.max(axis=1)
        ties = []
        for i in self.front:
            low, high = np.quantile(samples[:, i] - samples[:, at], [0.025, 0.975])
            if i != at and low <= 0 <= high:
                ties.append(plans[i].plan.key)
        is_best = samples[:, at] >= samples[:, as_cheap].max(axis=1)
        return {
            "probability_best_at_its_cost": round(float(is_best.mean()), 3),
            "probability_within_1_point_of_best": round(
                float((samples[:, at] >= top - TOLERANCE).mean()), 3
            ),
            "ties": ties,
        }

    def _samples(self, plans: Sequence[LabelPlan], *purpose: str) -> Floats:
        config = self.searcher.world.config
        rng = generator(config.seed, "advice", *purpose)
        return self.surrogate.samples(encode(plans, config.suite_size), _DRAWS, rng)

    def _levels(self, knob: str) -> list[Any]:
        """A knob's levels; none for a knob that the study does not turn."""
        fixed = [plan for plan in self.searcher.plans if plan.dynamic is None]
        values = sorted({getattr(plan, knob) for plan in fixed})
        return values if len(values) > 1 else []

    @property
    def _turned(self) -> list[str]:
        return [name for name in KNOBS if self._levels(name)]

    @property
    def _space_samples(self) -> Floats:
        """[draws, n] draws of the error's logarithm of every plan of the space."""
        config = self.searcher.world.config
        rng = generator(config.seed, "advice", "importance")
        inputs = encode(self.searcher.plans, config.suite_size)
        return np.log1p(-self.surrogate.samples(inputs, _SPACE_DRAWS, rng))

    def _knob(self, knob: str, plan: LabelPlan) -> dict[str, Any]:
        """What turning one knob does to the recommended plan, in accuracy points."""
        levels = self._levels(knob)
        fixed = dataclasses.replace(plan, dynamic=None)
        variants = [dataclasses.replace(fixed, **{knob: level}) for level in levels]
        samples = 100 * self._samples(variants, knob)
        mean = samples.mean(axis=0)
        high, low = int(mean.argmax()), int(mean.argmin())
        gain = samples[:, high] - samples[:, low]
        bounds = np.quantile(gain, [0.025, 0.975])
        words = [level.exact() if isinstance(level, Money) else level for level in levels]
        return {
            "knob": knob,
            "levels": words,
            "accuracy": [round(float(value) / 100, 4) for value in mean],
            "points": round(float(gain.mean()), 2),
            "interval_95": [round(float(b), 2) for b in bounds],
            "best": words[high],
            "matters": bool(bounds[0] > 0 and gain.mean() >= _MATTERS),
        }

    def _rule(self, best: Outcome) -> dict[str, Any]:
        """The rule of thumb's curve, and whether the recommended plan beats it at its cost."""
        searcher = self.searcher
        curve = searcher.rule
        if not curve:
            return {"curve": [], "gain_points": None, "within_noise": False}
        tags = searcher.tags(curve)
        samples = self._samples([*curve, best.plan], "rule")
        rows = [
            {
                "plan": plan.key,
                "price_tag": tag.to_json(),
                "accuracy": round(float(samples[:, i].mean()), 4),
            }
            for i, (plan, tag) in enumerate(zip(curve, tags, strict=True))
        ]
        as_cheap = [i for i, tag in enumerate(tags) if tag <= best.price_tag]
        if not as_cheap:
            return {"curve": rows, "gain_points": None, "within_noise": False}
        gain = 100 * (samples[:, -1] - samples[:, as_cheap[-1]])
        low, high = np.quantile(gain, [0.025, 0.975])
        return {
            "curve": rows,
            "at_its_cost": curve[as_cheap[-1]].key,
            "gain_points": round(float(gain.mean()), 2),
            "interval_95": [round(float(low), 2), round(float(high), 2)],
            "within_noise": bool(low <= 0 <= high),
        }

    def _forecasts(self) -> dict[str, Any]:
        cost, samples = self._curve
        _, median, count = backtest(cost, samples)
        ahead = [self.forecast(times * self.spent.dollars) for times in (2, 5)]
        return {
            "of": "the best plan at a price tag of 2 and 5 times the money spent",
            "at": [to_plain(said) for said in ahead if said is not None],
            "backtest_median_error_points": round(100 * median, 2) if count else None,
            "backtest_forecasts": count,
        }

    def _whole_pool(self, best: Outcome) -> dict[str, Any]:
        """The recommended plan's knobs for all the images there are, beyond what was tried."""
        world = self.searcher.world
        images = world.config.pool_size or len(world.pool)
        plan = dataclasses.replace(best.plan, tasks=images)
        samples = self._samples([plan], "pool")[:, 0]
        accuracy = float(samples.mean())
        low, high = interval_95(accuracy, float(samples.std()), self.surrogate.items)
        tag = Money(round(best.price_tag.micros * images / best.plan.tasks))
        return {
            "images": images,
            "price_tag": tag.to_json(),
            "accuracy": round(accuracy, 4),
            "interval_95": [round(low, 4), round(high, 4)],
            "beyond_what_was_tried": images > len(world.pool),
        }

    def _verdict(self, best: Outcome) -> dict[str, Any]:
        """Stop here, or the larger plan that promises most per further dollar."""
        searcher = self.searcher
        able = [
            plan
            for plan, tag in zip(searcher.plans, searcher.tags(searcher.plans), strict=True)
            if tag > best.price_tag and searcher.is_inside(plan)
        ]
        mean, _, _ = self.surrogate.predict(encode(able, searcher.world.config.suite_size))
        own = 1 - best.accuracy
        extra = np.array([(tag - best.price_tag).dollars for tag in searcher.tags(able)])
        gain = 100 * (own - np.exp(mean))
        rate = np.where(gain >= _WORTH, gain / np.maximum(extra, 0.01), -1.0)
        if not able or rate.max() <= searcher.world.config.min_gain:
            return {"stop": True, "plan": None, "dollars": None, "points": None, "error": None}
        chosen = int(rate.argmax())
        samples = 100 * self._samples([able[chosen], best.plan], "verdict")
        difference = samples[:, 0] - samples[:, 1]
        return {
            "stop": False,
            "plan": able[chosen].key,
            "dollars": round(float(extra[chosen]), 2),
            "points": round(float(difference.mean()), 2),
            "error": round(Z95 * float(difference.std()), 2),
        }

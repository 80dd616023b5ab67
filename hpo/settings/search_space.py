"""The search space: a finite grid of plans, and the box that samplers draw from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from budget.errors import InputError
from budget.money import Money
from budget.tariffs.wages import EVERYBODY
from hpo.settings.config import StudyConfig
from hpo.settings.rows.staff import HOURLY
from labeling.types import DynamicOverlap, LabelPlan

_FIXED = "fixed"


def task_count(text: str, pool: int) -> int:
    """A number of tasks: "40%" of the pool, or a count.

    Raises:
        InputError: the count is above the pool.
    """
    if text.endswith("%"):
        return max(1, math.floor(Decimal(text[:-1]) * pool / 100 + Decimal("0.5")))
    if int(text) > pool:
        raise InputError(
            f"--tasks: {text} tasks, but the pool has {pool} images; give at most that"
        )
    return int(text)


@dataclass(frozen=True)
class SearchSpace:
    """All plans a study may choose from, as sorted levels per dimension.

    Samplers draw from a box that spans the levels (log scale where effects are proportional); a
    draw stands for the plan of the nearest levels.
    """

    prices: tuple[int, ...]
    overlaps: tuple[int, ...]
    controls: tuple[int, ...]
    tasks: tuple[int, ...]
    exams: tuple[bool, ...]
    rules: tuple[DynamicOverlap, ...] = ()
    wage: bool = False
    prelabels: tuple[bool, ...] = (False,)
    groups: tuple[str, ...] = ("",)

    @classmethod
    def of(cls, config: StudyConfig, pool: int) -> SearchSpace:
        """The space of a configuration over a pool of a given size."""
        return cls(
            tuple(sorted({price.micros for price in config.price})),
            tuple(sorted(set(config.overlap))),
            tuple(sorted(set(config.controls))),
            tuple(sorted({task_count(text, pool) for text in config.tasks})),
            tuple(sorted(set(config.exam))),
            config.dynamic_overlap,
            config.pay == HOURLY,
            tuple(sorted(set(config.prelabel))),
            tuple(sorted({_group(name) for name in config.group})),
        )

    @cached_property
    def plans(self) -> tuple[LabelPlan, ...]:
        """Every plan of the grid."""
        rest = (self.controls, self.tasks, self.exams, self.prelabels, self.groups)
        wage = self.wage
        fixed = tuple(
            LabelPlan(Money(p), k, c, n, exam, None, wage, shown, group)
            for p, k in itertools.product(self.prices, self.overlaps)
            for c, n, exam, shown, group in itertools.product(*rest)
        )
        return fixed + tuple(
            LabelPlan(Money(p), rule.most, c, n, exam, rule, wage, shown, group)
            for p, rule in itertools.product(self.prices, self.rules)
            for c, n, exam, shown, group in itertools.product(*rest)
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """How the number of answers is decided: fixed beforehand, or by one of the rules."""
        fixed = (_FIXED,) if self.overlaps else ()
        return fixed + tuple(str(rule) for rule in self.rules)

    @property
    def searched(self) -> tuple[str, ...]:
        """Names of the dimensions that samplers draw; one of a single level is fixed."""
        levels = {
            "price": self.prices,
            "overlap": self.overlaps,
            "rule": self.kinds,
            "controls": self.controls,
            "tasks": self.tasks,
            "exam": self.exams,
            "prelabel": self.prelabels,
            "group": self.groups,
        }
        return tuple(name for name, values in levels.items() if len(values) > 1)

    def plan_of(self, params: Mapping[str, Any]) -> LabelPlan:
        """The plan of the levels nearest to a sampler's draw."""
        price = _nearest_log(params["price"] * 1e6, self.prices) if "price" in params else None
        kind = params.get("rule", self.kinds[0])
        rule = next((rule for rule in self.rules if str(rule) == kind), None)
        overlap = params.get("overlap", self.overlaps[0] if self.overlaps else 1)
        return LabelPlan(
            Money(self.prices[0] if price is None else price),
            rule.most if rule else _nearest_log(overlap, self.overlaps),
            min(self.controls, key=lambda c: abs(c - params.get("controls", self.controls[0]))),
            _nearest_log(params.get("tasks", self.tasks[0]), self.tasks),
            bool(params.get("exam", self.exams[0])),
            rule,
            self.wage,
            bool(params.get("prelabel", self.prelabels[0])),
            _group(params.get("group", self.groups[0])),
        )

    def params_of(self, plan: LabelPlan) -> dict[str, Any]:
        """The draw that stands for a plan; `plan_of` gives the plan back."""
        draw = self.draw_of(plan)
        return {name: draw[name] for name in self.searched}

    def draw_of(self, plan: LabelPlan) -> dict[str, Any]:
        """The same, dimensions of one level included."""
        return {
            "price": plan.price.dollars,
            "overlap": plan.overlap if plan.dynamic is None else min(self.overlaps, default=1),
            "rule": _FIXED if plan.dynamic is None else str(plan.dynamic),
            "controls": plan.controls,
            "tasks": plan.tasks,
            "exam": plan.exam,
            "prelabel": plan.prelabel,
            "group": plan.group or EVERYBODY,
        }

    def distance(self, a: LabelPlan, b: LabelPlan) -> float:
        """Squared distance between two plans, every dimension scaled to the unit interval."""
        total = 0.0
        for x, y, levels in (
            (a.price.micros, b.price.micros, self.prices),
            (a.overlap, b.overlap, self.overlaps),
            (a.tasks, b.tasks, self.tasks),
        ):
            if len(levels) > 1:
                total += (math.log(x / y) / math.log(levels[-1] / levels[0])) ** 2
        if len(self.controls) > 1:
            total += ((a.controls - b.controls) / (self.controls[-1] - self.controls[0])) ** 2
        differs = (a.exam != b.exam, a.prelabel != b.prelabel, a.dynamic != b.dynamic)
        return total + sum(differs) + (a.group != b.group)

    def nearest(self, plan: LabelPlan, candidates: Iterable[LabelPlan]) -> LabelPlan | None:
        """The candidate nearest to a plan, ties by the plan's key; None without candidates."""
        return min(candidates, key=lambda c: (self.distance(plan, c), c.key), default=None)


def _group(name: str) -> str:
    """A group as plans hold it."""
    return "" if name == EVERYBODY else name


def _nearest_log(value: float, levels: tuple[int, ...]) -> int:
    return min(levels, key=lambda level: (abs(math.log(value / level)), level))

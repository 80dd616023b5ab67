"""Buying labels to measure models by, before the first trial, where too few are known.

The order is written down before money is held, and its key names it: a study that was killed finds
the order again, and with it the same labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from budget.errors import BudgetExceeded, InputError
from budget.money import ZERO, Money
from budget.tariff import assignments_for
from hpo.data.dataset import Dataset
from hpo.market.market import Market
from hpo.market.open import open_market
from hpo.market.quote import Quote, quote_plan
from hpo.search.rule_of_thumb import practitioner_plan
from hpo.settings.config import StudyConfig
from hpo.trial.purchase import TESTED, apart, paid_apart, purchase, settle_ended
from hpo.trial.subjective import is_subjective
from hpo.trial.truth.bought import test_condition
from hpo.trial.truth.files import write_test_labels
from hpo.trial.world import World
from labeling.campaign.campaign import OBJECTIVE
from labeling.types import Condition, LabelPlan

_MOST = Fraction(1, 2)  # of the cap that test labels may reserve
_TRANCHES = 4  # each with a deadline of its own


def measuring_plan(
    config: StudyConfig, data: Dataset, market: Market, plans: Sequence[LabelPlan]
) -> LabelPlan:
    """The plan that test labels are bought by: the practitioner's, with their own overlap.

    Args:
        config: gives the overlap and the deadline.
        data: the images.
        market: who answers.
        plans: the search space.
    """
    images, overlap = len(data.asked_tests), config.test_overlap

    def minutes(plan: LabelPlan) -> float:
        condition = market.condition(replace(plan, tasks=images, overlap=overlap))
        assignments = assignments_for(images * overlap, overlap, condition.real_per_assignment)
        return market.source.expected_minutes(condition, assignments)

    usual = practitioner_plan(plans, minutes, config.max_minutes, lambda plan: images)
    return replace(usual, tasks=images, overlap=overlap, dynamic=None, prelabel=False)


def check_tests(
    config: StudyConfig, data: Dataset, market: Market, plans: Sequence[LabelPlan]
) -> None:
    """Refuse test labels that reserve more than half of the cap, or ask a group for too many.

    Args as for `measuring_plan`.

    Raises:
        InputError: naming the money, and the remedy.
    """
    if not len(data.asked_tests) or market.asked.kind != OBJECTIVE:
        return
    plan = measuring_plan(config, data, market, plans)
    most = market.condition(plan).people(plan.overlap)
    if plan.overlap > most:
        raise InputError(
            f"--test-overlap: {plan.overlap} answers per image are more than the group "
            f"{plan.group} has people ({most}); give at most that"
        )
    hold = quote_plan(market, plan, config.allowance).hold
    if hold > config.budget.share(_MOST):
        raise InputError(
            f"--test-images: labels of {plan.tasks} images to measure models by reserve {hold} of "
            f"the cap of {config.budget}, more than half; give fewer with --test-images or "
            "--test-overlap, a larger --budget, or known labels"
        )


def quote_tests(
    config: StudyConfig, data: Dataset, plans: Sequence[LabelPlan]
) -> tuple[LabelPlan, Quote] | None:
    """The plan and the quote of the test labels that a study would buy; None where all are known.

    Args:
        config: the study's configuration.
        data: its images.
        plans: the search space.
    """
    if not len(data.asked_tests):
        return None
    market = open_market(config, data)
    plan = measuring_plan(config, data, market, plans)
    return plan, quote_plan(market, plan, config.allowance)


def still_to_hold(world: World) -> Money:
    """The most that test labels which a study has not bought yet may cost."""
    if not len(world.data.asked_tests) or is_subjective(world):
        return ZERO
    plan = measuring_plan(world.config, world.data, world.market, world.space.plans)
    hold = quote_plan(world.market, plan, world.config.allowance).hold
    return max(ZERO, hold - paid_apart(world.own(), TESTED))


def buy_tests(world: World, say: Callable[[str, str], None]) -> None:
    """Buy the labels of validation and final images that are not known.

    Args:
        world: the study's world; its ledger pays.
        say: told what is going on, and what is to be kept in sight.
    """
    if world.data.stand_in is not None:
        say("looking at the images", world.data.notes[-1])  # which labels are drawn
    if not len(world.data.asked_tests) or is_subjective(world):
        return
    _buy(world, say)
    write_test_labels(world)


def _buy(world: World, say: Callable[[str, str], None]) -> None:
    fresh = apart(world, TESTED)
    plan = measuring_plan(world.config, world.data, world.market, world.space.plans)
    condition = test_condition(world) or fresh.condition(plan)
    with fresh.buying(plan):
        settle_ended(fresh)
        for _ in range(_TRANCHES):
            records = fresh.store.orders(condition)
            if len(records) >= _TRANCHES and records[-1].end is not None:
                return
            wanted = _lacking(condition, fresh)
            if not wanted or (records and records[-1].is_vain):
                return
            minutes, allowance = world.config.max_minutes, world.config.allowance
            order = fresh.store.order_of(condition, wanted, allowance, minutes)
            say(f"buying labels of {len(wanted)} images to measure models by", "")
            try:
                purchase(order, fresh)
            except BudgetExceeded:
                return  # what is bought so far measures less surely


def _lacking(condition: Condition, world: World) -> tuple[tuple[int, int], ...]:
    """Images whose answers are fewer than wanted, each with how many are lacking."""
    answers = world.store.answers(condition)
    real = answers.task[answers.usable & ~answers.control]
    rows = world.data.asked_tests
    owned = np.bincount(real, minlength=len(world.data.truth))
    limit = world.market.most_answers
    wanted = []
    for row in (int(row) for row in rows):
        most = (
            world.config.test_overlap
            if limit is None
            else min(world.config.test_overlap, limit(row))
        )
        if most > owned[row]:
            wanted.append((row, most - int(owned[row])))
    return tuple(wanted)

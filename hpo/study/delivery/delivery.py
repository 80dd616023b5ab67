"""Buying the labels that a study delivers, in tranches, with all that is left of its money.

Every decision is a function of what is stored: a study that was killed goes on as it would have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial

import numpy as np

from budget.errors import BudgetExceeded
from budget.tariff import affordable as most_affordable
from budget.tariff import expected_cost
from hpo.answer import confirmation
from hpo.answer.plan_in_words import counted
from hpo.study.delivery.allocation import Standing, first_answers, further_answers
from hpo.study.delivery.gain import LEAST_GAIN, promise
from hpo.study.delivery.machine import machine_step
from hpo.study.delivery.machine_purchase import buy_worthwhile, has_more_to_weigh
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.purchase import DELIVERED, apart, purchase, settle_ended
from hpo.trial.versions.best import label_model
from hpo.trial.versions.merged_labels import merged_labels
from hpo.trial.world import World
from labeling.aggregation.best_labels import BestLabels
from labeling.seeds import generator
from labeling.source import tariff_of
from labeling.types import Answers, Condition, Floats, Ints, LabelPlan, LabelSet

_VAIN = 2  # tranches without any usable answer, after which no other is tried
CHOOSING_POWER = 2.0
"""Power of a model above which new images are chosen by it: there it was measured to help."""

_NO_ALLOWANCE = Fraction(0)  # the next tranche asks for what is missing


@dataclass(frozen=True, slots=True)
class Tranche:
    """The next answers to buy.

    Attributes:
        wanted: (task, further answers) of each image that is asked about.
        doing: what it is for, in a few words.
    """

    wanted: tuple[tuple[int, int], ...]
    doing: str


def delivery_condition(plan: LabelPlan, world: World) -> Condition:
    """The condition that delivers labels, by a plan's price, control tasks and exam."""
    return apart(world, DELIVERED).condition(replace(plan, dynamic=None))


def deliver(
    plan: LabelPlan,
    world: World,
    say: Callable[[str], None],
    owned: World | None = None,
) -> str:
    """Buy labels until the money is used up or adds too little.

    Args:
        plan: gives price, control tasks and exam.
        world: the study's world; its ledger pays.
        say: told what is bought, in a few words.
        owned: the world whose answers count as owned; None for those that the ledger paid for, in
            the study itself, which may buy a machine's labels, too.

    Returns:
        Why it ended.
    """
    fresh = apart(world, DELIVERED)
    condition = delivery_condition(plan, world)
    settle_ended(fresh)
    while not _is_vain(condition, fresh):
        merged = cache(partial(_owned, condition, owned or world.own()))  # once a tranche
        if owned is None and _bought_of_machine(plan, condition, merged, world, say):
            continue
        step = next_tranche(plan, world, merged)
        if isinstance(step, str):
            return step
        minutes = world.config.max_minutes
        order = fresh.store.order_of(condition, step.wanted, _NO_ALLOWANCE, minutes)
        say(step.doing)
        try:
            purchase(order, fresh)
        except BudgetExceeded:
            return "another worker took the money that was left"
    return "the market gave no further answer in time"


def _bought_of_machine(
    plan: LabelPlan,
    condition: Condition,
    merged: Callable[[], _Owned],
    world: World,
    say: Callable[[str], None],
) -> bool:
    """Whether labels of a machine were bought: those that are worth more than people's answers."""
    if not has_more_to_weigh(world) or world.ledger.balance().overrun:
        return False
    owned = merged()
    return buy_worthwhile(plan, owned.labels, owned.answers, condition, world, say)


def _is_vain(condition: Condition, world: World) -> bool:
    """Whether the last tranches under the cap of today brought no usable answer."""
    latest = world.store.orders(condition)[-_VAIN:]
    if len(latest) < _VAIN or not all(record.is_vain for record in latest):
        return False
    entries = world.ledger.entries()
    raised = max(entry.seq for entry in entries if entry.kind == "cap")
    now = {entry.key for entry in entries if entry.kind == "reserve" and entry.seq > raised}
    return all(record.order.key in now for record in latest)


def next_tranche(plan: LabelPlan, world: World, merged: Callable[[], _Owned]) -> Tranche | str:
    """The next answers to buy; or why none are.

    Args:
        plan: gives price, control tasks and exam.
        world: the study's world; its ledger pays.
        merged: gives what is owned of the pool, which takes a while.
    """
    if world.ledger.balance().overrun:
        return "a settlement came out above its hold; nothing more is bought"
    condition = delivery_condition(plan, world)
    real, each = condition.real_per_suite, condition.real_per_assignment
    suites = _affordable_suites(condition, world)
    affordable = int(suites * each)
    # A suite of a single answer may ask less than one answer on the average: the rest is controls.
    most = int(min(suites, _suites_in_time(plan, suites, world)) * each)
    if not most:
        return "the money is used up"
    owned = merged()
    standing = owned.standing
    step = machine_step(plan, owned.labels, owned.answers, standing, affordable, world)
    if step is not None:
        if step.stop:
            return step.stop
        most = min(most, max(1, step.most // real) * real)
    if step is not None and step.standing is not None:
        places = further_answers(step.standing, most, affordable, real)
        return _tranche(places, affordable, owned, world, "asking people about")
    return _by_people(plan, owned, most, affordable, condition, world)


def _by_people(
    plan: LabelPlan,
    owned: _Owned,
    most: int,
    affordable: int,
    condition: Condition,
    world: World,
) -> Tranche | str:
    """The next answers to buy where people alone decide; or why none are."""
    standing, real = owned.standing, condition.real_per_suite
    if standing.is_first_round and len(standing.bare):
        if standing.looks(affordable):
            standing = replace(standing, predicted=_predicted(plan, owned, world))
        bare = first_answers(standing, most, affordable, real)
        return _tranche(bare, affordable, owned, world, "buying labels of")
    if owned.labels is None or owned.answers is None:
        return "the market has no answer to sell"
    best = label_model(plan, owned.labels, owned.answers, world).best
    is_adaptive = _is_adaptive(best, world)
    if best is not None:
        reason = _too_little(best, owned.labels.answers, affordable, is_adaptive, condition, world)
        if reason is not None:
            return reason
    if best is not None and is_adaptive:
        standing = replace(standing, sure=_sure(best, owned.labels, world))
    further = further_answers(standing, most, affordable, real)
    if not len(further):
        return "every image has all the answers that it can use"
    return _tranche(further, affordable, owned, world, "asking again about")


@dataclass(frozen=True, slots=True, eq=False)
class _Owned:
    """What is owned of the pool.

    Attributes:
        standing: answers by image. mine: [N] those of the delivering condition.
        labels, answers: merged; None without any.
    """

    standing: Standing
    mine: Ints
    labels: LabelSet | None
    answers: Answers | None


def _owned(condition: Condition, world: World) -> _Owned:
    merged = merged_labels(world, world.pool.tolist())
    labels, answers = (None, None) if merged is None else merged[:2]
    counts = _by_place(labels.task, labels.answers, world) if labels else _nothing(world)
    mine = world.store.answers(condition)
    real = mine.where(mine.usable & ~mine.control).task
    given = np.bincount(real, minlength=int(world.pool.max()) + 1)[world.pool]
    limit = world.market.most_answers
    able = _nothing(world) + np.iinfo(np.int64).max // 2
    if limit is not None:
        able = np.array([limit(int(row)) for row in world.pool], dtype=np.int64)
    # A recording sells an answer once: in another condition it gives the same answers again.
    needed = 1 if world.market.kind.sells_again else counts + 1 - given
    return _Owned(
        Standing(counts, np.maximum(0, able - given - needed + 1)), given, labels, answers
    )


def _tranche(
    places: Ints, affordable: int, owned: _Owned, world: World, doing: str
) -> Tranche | str:
    """The order of answers to images; those that the money does not bear are left out."""
    again = world.market.kind.sells_again
    # A recording gives an image's owned answers of other conditions again, before a further one.
    each = 1 if again else owned.standing.answers[places] + 1 - owned.mine[places]
    wanted = np.broadcast_to(each, places.shape)
    is_borne = np.cumsum(wanted) <= affordable
    places, wanted = places[is_borne], wanted[is_borne]
    if not len(places):
        return "the money left bears no further answer"
    order = np.argsort(places)  # an order is in the pool's order
    tasks = world.pool[places[order]].tolist()
    pairs = tuple(zip(tasks, wanted[order].tolist(), strict=True))
    return Tranche(pairs, f"{doing} {counted(len(places), 'image')}")


def _affordable_suites(condition: Condition, world: World) -> int:
    """Assignments that the money left bears."""
    left = world.ledger.balance().left - confirmation.reserved(world)
    return most_affordable(tariff_of(world.source, condition), left, condition.reward)


def _suites_in_time(plan: LabelPlan, most: int, world: World) -> int:
    """Assignments of a tranche that the deadline leaves time for; one at least."""
    longest = world.config.max_minutes
    if longest is None:
        return most
    pace, condition = PlanCosts(world).pace(plan), world.condition(replace(plan, dynamic=None))

    def minutes(assignments: int) -> float:
        return world.source.expected_minutes(condition, assignments) * pace

    low, high = 1, most + 1  # low is in time, or the least there is; high is not, or too many
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if minutes(middle) <= longest else (low, middle)
    return low


def _is_adaptive(best: BestLabels | None, world: World) -> bool:
    if best is None or world.config.allocation == "even":
        return False
    return best.counts or world.config.allocation == "adaptive"


def _too_little(
    best: BestLabels,
    answers: Ints,
    affordable: int,
    is_adaptive: bool,
    condition: Condition,
    world: World,
) -> str | None:
    """Why further answers are not worth their money; None where they are."""
    rng = generator(world.config.seed, "promise", str(int(answers.sum())))
    rest = promise(best, answers, affordable, is_adaptive, rng)
    if (least := world.config.least_rate) > 0:
        suites = -(-affordable // condition.real_per_assignment)
        tariff = tariff_of(world.source, condition)
        dollars = expected_cost(tariff, suites, condition.reward).dollars
        if rest.points / dollars < least:
            return f"the money left promised {rest.points:.2f} points, less than asked for it"
    elif rest.points < LEAST_GAIN:
        return (
            f"the money left promised {rest.points:.2f} points of the model's accuracy, which "
            "cannot be told from nothing"
        )
    return None


def _predicted(plan: LabelPlan, owned: _Owned, world: World) -> Floats | None:
    """[N] how sure a model is of each image's class; None where it is too poor to choose by."""
    if owned.labels is None or owned.answers is None or world.config.allocation == "even":
        return None
    made = label_model(plan, owned.labels, owned.answers, world)
    if made.best is None or made.best.power < CHOOSING_POWER:
        return None
    shown = made.trained.model.predict(world.features.values[world.pool])
    return np.asarray(shown.max(axis=1))


def _sure(best: BestLabels, labels: LabelSet, world: World) -> Floats:
    """[N] probability of each image's best label; 0 without one."""
    return _by_place(labels.task, best.combined.max(axis=1), world)


def _by_place(task: Ints, values: np.ndarray, world: World) -> np.ndarray:
    """[N] values of tasks by their place in the pool; 0 elsewhere."""
    rows = np.zeros(int(world.pool.max()) + 1, dtype=values.dtype)
    rows[task] = values
    return np.asarray(rows[world.pool])


def _nothing(world: World) -> Ints:
    return np.zeros(len(world.pool), dtype=np.int64)

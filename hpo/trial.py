"""One trial: buy the labels a plan asks for, and say how good and how dear they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from budget.errors import BudgetExceeded
from budget.money import Money
from budget.tariff import assignments_for
from hpo.seeds import derive, generator
from hpo.world import World
from labeling.aggregate import aggregate
from labeling.contained import select
from labeling.types import Answers, Floats, LabelPlan, LabelSet, Order

if TYPE_CHECKING:
    from training.evaluate import Scores
    from training.fit import Model

_REDRAWS = 20  # bootstrap heads behind an interval
_DIGITS = 6  # reported decimals: beyond them thread counts and BLAS versions differ


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plan gave, measured on the validation images.

    Attributes:
        accuracy: share of validation images classified right, with its 95 % interval low..high.
        price_tag: expected cost of the plan when bought alone in this condition.
        minutes: the campaign's minutes, scaled to the plan's share of what was ordered.
        labels: tasks with at least one usable answer.
        answers: usable answers behind them.
        target: kind of training target that cross-validation chose.
        penalty: L2 penalty that cross-validation chose.
    """

    plan: LabelPlan
    accuracy: float
    low: float
    high: float
    macro_f1: float
    ece: float
    log_loss: float
    price_tag: Money
    minutes: float
    labels: int
    answers: int
    target: str
    penalty: float


def run_trial(plan: LabelPlan, world: World) -> Outcome:
    """Own the labels that `plan` asks for, then say how good and how dear they are."""
    buy(plan, world)
    return evaluate(plan, world)  # free, and called alone for contained plans


def buy(plan: LabelPlan, world: World) -> None:
    """Buy what the plan lacks. Running it again after a crash is the recovery.

    Raises:
        BudgetExceeded: another worker was quicker with the money; nothing was bought.
    """
    settle_ended(world)
    while (order := next_order(plan, world)) is not None:
        purchase(order, world)


def next_order(plan: LabelPlan, world: World) -> Order | None:
    """This condition's unfinished order, or what is lacking, written down now; None if owned."""
    config = world.config
    return world.store.order_for(
        world.condition(plan), world.tasks(plan), plan.overlap, config.allowance, config.max_minutes
    )


def purchase(order: Order, world: World) -> None:
    """Hold the most an order can cost, buy it page by page, settle what was paid."""
    most = world.source.tariff.cost(order.limit, order.condition.reward)
    try:
        hold = world.ledger.reserve(order.key, most)
    except BudgetExceeded:
        world.store.withdraw(order)  # refused, so it has no hold and nothing was placed
        raise
    record = world.store.record(order.key)
    if record is None or record.order != order:
        world.ledger.void(hold)  # another worker withdrew it meanwhile; nothing was placed
        return
    pool = world.source.place(order)  # same key, same pool, however often it is asked
    for page in world.source.collect(pool):  # ends when no assignment is active any more
        world.store.add(order, page)  # one commit a page; a known assignment is ignored
    world.ledger.settle(hold, world.store.paid(order, world.source.tariff))
    world.forget_quotes()


def settle_ended(world: World) -> None:
    """Settle holds of ended orders: what a crash between the last page and settling left."""
    for hold in world.ledger.open_holds():
        record = world.store.record(hold.key)
        if record is not None and record.end is not None:
            world.ledger.settle(hold, world.store.paid(record.order, world.source.tariff))


# --- evaluation ---


def labels_of(plan: LabelPlan, world: World) -> tuple[LabelSet, Answers]:
    """The plan's labels, and the answers behind them, out of everything its condition owns."""
    owned = world.store.answers(world.condition(plan))
    own = select(owned, world.tasks(plan), plan.overlap, derive(world.config.seed, "select"))
    labels = aggregate(
        own,
        world.tasks(plan),
        len(world.data.classes),
        world.config.aggregation,
        world.control_truth,
    )
    return labels, own


@dataclass(frozen=True, slots=True)
class Trained:
    """A plan's labels and the head trained on them."""

    plan: LabelPlan
    labels: LabelSet
    answers: Answers
    target: Floats
    model: Model


def fit_plan(plan: LabelPlan, world: World) -> Trained:
    """Train a head on a plan's labels; penalty and kind of target by cross-validation on them."""
    from training.fit import hard, train

    rng = generator(world.config.seed, "folds", plan.key)
    labels, own = labels_of(plan, world)
    targets = {
        "soft": labels.shares,
        "posterior": labels.posterior,
        "hard": hard(labels.posterior, rng),
    }
    model = train(
        world.features.values[labels.task],
        targets,
        judge=labels.shares,
        confidence=labels.answers.astype(np.float64),
        rng=rng,
        scale=world.features.values[world.data.rows["pool"]],
    )
    return Trained(plan, labels, own, targets.get(model.target, labels.shares), model)


def score_on(role: str, trained: Trained, world: World) -> Scores:
    """Scores on a role's images, with an interval for test items and training labels together."""
    from training.evaluate import score
    from training.fit import bootstrap

    rows, values = world.data.rows[role], world.features.values
    draws = bootstrap(
        trained.model,
        values[trained.labels.task],
        trained.target,
        trained.labels.answers.astype(np.float64),
        values[rows],
        draws=_REDRAWS,
        rng=generator(world.config.seed, "bootstrap", trained.plan.key),
    )
    return score(trained.model.predict(values[rows]), world.data.truth[rows], draws)


def evaluate(plan: LabelPlan, world: World) -> Outcome:
    """Say how good and how dear the owned labels of a plan are. Buys nothing."""
    trained = fit_plan(plan, world)
    scores = score_on("validation", trained, world)
    return Outcome(
        plan,
        round(scores.accuracy, _DIGITS),
        round(scores.low, _DIGITS),
        round(scores.high, _DIGITS),
        round(scores.macro_f1, _DIGITS),
        round(scores.ece, _DIGITS),
        round(scores.log_loss, _DIGITS),
        price_tag(plan, world),
        round(minutes_of(plan, world), 3),
        len(trained.labels.task),
        int((~trained.answers.control).sum()),
        trained.model.target,
        round(trained.model.lam, 9),
    )


def final_score(plan: LabelPlan, world: World) -> dict[str, Any]:
    """Score the plan's model on the final images, which no decision has touched.

    Called once per recommended plan, at the end, and never by the search.
    """
    scores = score_on("final", fit_plan(plan, world), world)
    return {
        "accuracy": round(scores.accuracy, _DIGITS),
        "interval_95": [round(scores.low, _DIGITS), round(scores.high, _DIGITS)],
        "macro_f1": round(scores.macro_f1, _DIGITS),
        "balanced_accuracy": round(scores.balanced_accuracy, _DIGITS),
        "ece": round(scores.ece, _DIGITS),
        "log_loss": round(scores.log_loss, _DIGITS),
        "images": scores.n,
    }


def price_tag(plan: LabelPlan, world: World) -> Money:
    """Expected assignments at the tariff, times (1 + the paid-but-unusable share measured).

    The share is unusable over usable assignments among all paid ones of the condition: the same
    rule for bought and for contained plans.
    """
    records = world.store.orders(world.condition(plan))
    usable = sum(r.assignments - r.unusable for r in records)
    unusable = sum(r.unusable for r in records)
    share = Fraction(unusable, usable) if usable else Fraction(0)
    return world.list_price(plan).cost.share(1 + share)


def minutes_of(plan: LabelPlan, world: World) -> float:
    """Minutes measured in the condition, scaled to the plan's part of the answers ordered."""
    records = world.store.orders(world.condition(plan))
    real = world.condition(plan).real_per_suite
    ordered = sum(assignments_for(r.order.answers_wanted, r.overlap, real) for r in records)
    taken = sum(r.end.minutes for r in records if r.end)
    return taken * world.list_price(plan).assignments / ordered if ordered else 0.0


# --- plain forms, for storage ---


def plan_to_plain(plan: LabelPlan) -> dict[str, Any]:
    """A plan as JSON types."""
    return {
        "key": plan.key,
        "price_micros": plan.price.micros,
        "overlap": plan.overlap,
        "controls": plan.controls,
        "tasks": plan.tasks,
        "exam": plan.exam,
    }


def plan_from_plain(raw: Mapping[str, Any]) -> LabelPlan:
    """The plan of `plan_to_plain`."""
    return LabelPlan(
        Money(raw["price_micros"]), raw["overlap"], raw["controls"], raw["tasks"], raw["exam"]
    )


def outcome_to_plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON types."""
    raw = {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
    return {
        **raw,
        "plan": plan_to_plain(outcome.plan),
        "price_tag": outcome.price_tag.micros,
    }


def outcome_from_plain(raw: Mapping[str, Any]) -> Outcome:
    """The outcome of `outcome_to_plain`."""
    return Outcome(
        **{
            **raw,
            "plan": plan_from_plain(raw["plan"]),
            "price_tag": Money(raw["price_tag"]),
        }
    )

"""Buying a machine's answers: a trial first, and the rest where it is worth its money.

A trial tells how good the machine is: images whose class is known, for a small share of the budget.
Then the rest of the machine's labels competes with people for the money, whenever people's next
answers are chosen: all of it, a part of it or none, whichever is expected to give the best model.
Where all of it costs little beside the money left it is bought: the study can measure its labels
then, and leave them out. Money that bears a part of it only is money for a part. A machine that
costs nothing answers about every image at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from budget.errors import BudgetExceeded, InputError
from budget.money import ZERO, Money
from hpo.answer import confirmation
from hpo.answer.plan_in_words import counted
from hpo.settings.rows.machine import BELOW
from hpo.trial.purchase import machine_borne, machine_most, purchase, settle_ended
from hpo.trial.versions.machine.reading import pool_asked
from hpo.trial.versions.machine.worth import machine_rest, machine_worth, price_of_answer
from hpo.trial.world import World
from labeling.machine.calibration import FEWEST_CONTROLS
from labeling.seeds import generator
from labeling.types import Answers, Condition, Ints, LabelPlan, LabelSet

_TRIAL = Fraction(1, 40)  # of the budget: a fortieth of people's answers is .1 to .2 points
_CALIBRATED = Fraction(1, 10)  # of the budget, where calibration needs as much
_MEASURED = Fraction(1, 4)  # of the money left: for no more, measuring is better than forecasting
_STEPS = 16  # parts of the pool that are weighed


def try_machine(world: World, say: Callable[[str], None]) -> None:
    """Buy the answers that tell how good a study's machine is; all where nothing is weighed.

    Args:
        world: the study's world; its ledger pays.
        say: told what is bought, in a few words.

    Raises:
        InputError: the budget bears nothing of the machine that the study can use.
    """
    machine = world.machine
    if machine is None:
        return
    is_tried = any(record.end is not None for record in world.store.orders(machine.condition))
    if is_tried and _weighs(world):
        return
    check_borne(world, ZERO)
    buy_machine_answers(world, say, trial_rows(world) if _weighs(world) else None)


def check_borne(world: World, kept: Money) -> None:
    """Refuse a machine that was not asked yet, where the budget bears no use of it.

    Any use of it is borne where its answers about all images are. A study that weighs them can do
    with a part of them. But a part is of use only by `BELOW`, which needs a calibrated machine.

    Args:
        world: the study's world.
        kept: money of the budget that is spent before the machine is asked.

    Raises:
        InputError: naming the money, and the remedy.
    """
    if world.machine is None or world.store.orders(world.machine.condition):
        return
    count = len(world.machine.rows)
    most, left = machine_most(count, world), world.ledger.balance().left - kept
    if _weighs(world):
        left -= confirmation.reserved(world)
    if most <= left or _bears_part(left, world):
        return
    part = ""
    if _weighs(world):
        part = (
            f"; a part of them is of use by `{BELOW}` alone, once it answered about "
            f"{FEWEST_CONTROLS} control images, which may cost a tenth of the budget at most"
        )
    raise InputError(
        f"--machine: its answers about {count} images may cost {most}, and "
        f"{max(ZERO, left)} of the budget is left{part}; give a larger --budget, or start another "
        "study by --study NAME with a smaller pool or without the machine"
    )


def _bears_part(left: Money, world: World) -> bool:
    """Whether money bears a trial after which a part of the machine's labels may be used."""
    if not _weighs(world) or BELOW not in world.config.machine_use:
        return False
    rows = trial_rows(world)
    if rows is None or machine_most(len(rows), world) > left:
        return False
    return int(np.isin(rows, world.data.rows["control"]).sum()) >= FEWEST_CONTROLS


def has_more_to_weigh(world: World) -> bool:
    """Whether a study's machine can be asked about further images of the pool, for money."""
    return world.machine is not None and _weighs(world) and pool_asked(world) < len(world.pool)


def _weighs(world: World) -> bool:
    """Whether a study weighs the machine's labels against people's before it buys them all."""
    assert world.machine is not None  # noqa: S101 - callers asked
    return world.config.delivers and world.machine.condition.price > ZERO


def trial_rows(world: World) -> Ints | None:
    """Images by which the machine is judged first; None where none of its images can tell.

    Control images come first: on them it is calibrated.

    Args:
        world: the study's world; it has a machine.
    """
    assert world.machine is not None  # noqa: S101 - callers asked
    rows = np.sort(world.machine.rows)
    judged = rows[~np.isin(rows, world.pool)]
    if not len(judged):
        return None
    cap, price = world.ledger.balance().cap, world.machine.condition.price
    # Some answers cannot be used, and one control image too few leaves the machine uncalibrated.
    needed = math.ceil(FEWEST_CONTROLS * (1 + world.machine.spare))
    calibrated = min(price * needed, cap.share(_CALIBRATED))
    count = max(1, max(cap.share(_TRIAL), calibrated).micros // price.micros)
    order = generator(world.config.seed, "machine trial").permutation(judged)
    by_kind = np.argsort(~np.isin(order, world.data.rows["control"]), kind="stable")
    return np.sort(order[by_kind][:count])


def buy_machine_answers(world: World, say: Callable[[str], None], rows: Ints | None = None) -> bool:
    """Buy the machine's answers about images that it has not been asked about.

    Args:
        world: the study's world; its ledger pays.
        say: told what is bought, in a few words.
        rows: the images; None for all of the study that it can be asked about.

    Returns:
        Whether it was asked.
    """
    machine = world.machine
    if machine is None:
        return False
    with world.locks.hold("machine"):
        settle_ended(world)
        asked = world.store.owned_target(machine.condition)
        mine = np.sort(machine.rows if rows is None else rows)
        wanted = tuple((int(row), 1) for row in mine if int(row) not in asked)
        unfinished = any(r.end is None for r in world.store.orders(machine.condition))
        if not wanted and not unfinished:
            return False
        order = world.store.order_of(machine.condition, wanted, machine.spare, None)
        say(f"asking the machine about {counted(len(order.wanted), 'image')}")
        try:
            purchase(order, world)
        except BudgetExceeded:
            say("another worker took the money that the machine needs")
            return False
    return True


def buy_worthwhile(
    plan: LabelPlan,
    labels: LabelSet | None,
    answers: Answers | None,
    condition: Condition,
    world: World,
    say: Callable[[str], None],
) -> bool:
    """Buy as much of the rest of the machine's labels as is worth more than people's answers.

    Args:
        plan: seeds the folds.
        labels: labels of people's answers owned; None without any.
        answers: people's answers owned.
        condition: in which people are asked.
        world: the study's world; its ledger pays.
        say: told what is bought, in a few words.

    Returns:
        Whether any were bought.
    """
    rows = worthwhile(plan, labels, answers, condition, world)
    return len(rows) > 0 and buy_machine_answers(world, say, rows)


def worthwhile(
    plan: LabelPlan,
    labels: LabelSet | None,
    answers: Answers | None,
    condition: Condition,
    world: World,
) -> Ints:
    """Images that the machine is to be asked about, beside people for the money that is left.

    Args as for `buy_worthwhile`.
    """
    rest = machine_rest(labels, world)
    worth = machine_worth(plan, labels, answers, world) if rest.pool else None
    if worth is None:
        return rest.rows[:0]
    left = max(ZERO, world.ledger.balance().left - confirmation.reserved(world))
    if machine_most(len(rest.rows), world) <= left.share(_MEASURED):
        return rest.rows
    owned = 0 if labels is None else int(labels.answers.sum())
    price, borne = price_of_answer(condition, world), machine_borne(left, world)
    size = min(len(world.pool), rest.bought + borne)
    best, most = 0, -np.inf
    for step in range(_STEPS + 1):
        of_pool = -(-size * step // _STEPS) - rest.bought
        is_whole = of_pool == rest.pool
        if step and (of_pool <= 0 or not (is_whole or worth.bears_part)):
            continue
        count = min(len(rest.rows), borne) if is_whole else max(0, of_pool)
        people = owned + (left - rest.cost(count, world)).dollars / price
        value = worth.value(float(people), rest.bought + max(0, of_pool), is_whole)
        if value > most:
            best, most = count, value
    return rest.rows[:best]

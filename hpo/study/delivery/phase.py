"""The second phase of a study: decide by which plan to buy, then buy; both are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hpo.answer import confirmation
from hpo.answer.estimates.plan_estimates import PlanEstimates
from hpo.answer.sections.delivered import DECIDED, ENDED
from hpo.study.delivery.decision import decide
from hpo.study.delivery.delivery import deliver
from hpo.study.trials import Trials
from hpo.trial.purchase import DELIVERED, MOST_ANSWERS, apart
from hpo.trial.versions.merged_labels import merged_labels
from hpo.trial.world import World
from labeling.types import LabelPlan


def buy_labels(
    world: World,
    trials: Trials,
    estimates: Callable[[], PlanEstimates],
    say: Callable[[str], None],
) -> None:
    """Buy the labels that a study delivers, if it does, by a plan decided on once for each cap.

    Of several processes one buys; the others wait for it, and have nothing left to buy.

    Args:
        world: the study's world.
        trials: keep the decision, and why the purchase ended.
        estimates: what the search's measurements say.
        say: told what is bought, in a few words.
    """
    if not world.config.delivers or not trials.purchases():
        return  # it searches for a plan; or no plan is within the limits or the money
    balance = world.ledger.balance()
    cap = str(balance.cap.micros)
    decided = trials.known(DECIDED)
    if cap not in decided:
        money = balance.left - confirmation.reserved(world)
        choice = decide(estimates(), world, money)
        decided[cap] = {"plan": choice.plan.key, "by": choice.by}
        trials.keep(DECIDED, decided)
    plan = LabelPlan.parse(decided[cap]["plan"])
    with apart(world, DELIVERED).buying(plan):
        ended = deliver(plan, world, say, expects=_expectation(plan, estimates, world))
    trials.keep(ENDED, {**trials.known(ENDED), cap: ended})


def _expectation(
    plan: LabelPlan, estimates: Callable[[], PlanEstimates], world: World
) -> Callable[[int], float] | None:
    """What people alone are expected to give for further answers; None without a machine."""
    if world.machine is None:
        return None

    def expects(answers: int) -> float:
        owned = merged_labels(world.own(), world.pool.tolist())
        total = answers + (0 if owned is None else int(owned[0].answers.sum()))
        pool = len(world.pool)
        every = replace(plan, overlap=1, tasks=min(pool, total), dynamic=None)
        if total > pool:
            every = replace(every, overlap=min(MOST_ANSWERS, total // pool))
        return float(estimates().draws([every]).mean())

    return expects

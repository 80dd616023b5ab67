"""The second phase of a study: decide by which plan to buy, then buy; both are kept."""

from __future__ import annotations

from collections.abc import Callable

from hpo.answer import confirmation
from hpo.answer.estimates.plan_estimates import PlanEstimates
from hpo.answer.sections.delivered import DECIDED, ENDED
from hpo.study.delivery.decision import decide
from hpo.study.delivery.delivery import deliver
from hpo.study.trials import Trials
from hpo.trial.purchase import DELIVERED, apart
from hpo.trial.world import World
from labeling.types import LabelPlan


def buy_labels(
    world: World,
    trials: Trials,
    estimates: Callable[[], PlanEstimates],
    say: Callable[[str], None],
    reason: str,
) -> str:
    """Buy the labels that a study delivers, if it does, by a plan decided on once for each cap.

    Of several processes one buys; the others wait for it, and have nothing left to buy.

    Args:
        world: the study's world.
        trials: keep the decision, and why the purchase ended.
        estimates: what the search's measurements say.
        say: told what is bought, in a few words.
        reason: why the search stopped, as far as it can be told now.

    Returns:
        Why the search stopped, as it was told before the purchase began: a study that was killed
        looks again, and then less money is left.
    """
    is_bought = trials.purchases() or world.machine is not None
    if not world.config.delivers or not is_bought:
        return reason  # it searches for a plan; or no plan is within the limits or the money
    balance = world.ledger.balance()
    cap = str(balance.cap.micros)
    decided = trials.known(DECIDED)
    if cap not in decided:
        money = balance.left - confirmation.reserved(world)
        choice = decide(estimates(), world, money)
        decided[cap] = {"plan": choice.plan.key, "by": choice.by, "stopped": reason}
        trials.keep(DECIDED, decided)
    plan = LabelPlan.parse(decided[cap]["plan"])
    with apart(world, DELIVERED).buying(plan):
        ended = deliver(plan, world, say)
    trials.keep(ENDED, {**trials.known(ENDED), cap: ended})
    return str(decided[cap].get("stopped", reason))

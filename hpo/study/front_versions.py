"""Label versions and models of the front's plans that were evaluated for nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hpo.study.trials import Trials
from hpo.trial.evaluate import fit_plan
from hpo.trial.label_versions import save_version
from hpo.trial.outcome import Outcome
from hpo.trial.world import World

_KEPT = "front versions"

State = Callable[[Outcome], str]
"""A plan and the state of its condition: more answers there may change its labels."""


def front_versions(front: Sequence[Outcome], trials: Trials, state: State) -> dict[str, str]:
    """The label versions of the front's plans that have one, by plan."""
    kept = trials.known(_KEPT)
    bought = {p.outcome.plan.key: p.version for p in trials.purchases()}
    found = {o.plan.key: bought.get(o.plan.key) or kept.get(state(o)) for o in front}
    return {plan: version for plan, version in found.items() if version is not None}


def keep_front(front: Sequence[Outcome], trials: Trials, state: State, world: World) -> None:
    """Save the labels and the model of every plan of the front that has no version yet."""
    kept, known = trials.known(_KEPT), front_versions(front, trials, state)
    for outcome in front:
        if outcome.plan.key not in known:
            kept[state(outcome)] = save_version(fit_plan(outcome.plan, world), world)
            trials.keep(_KEPT, kept)

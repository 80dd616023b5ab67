"""People beside a machine: they are asked only where they are expected to add something to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpo.settings.rows.machine import ALL, BELOW, OFF, VOTE
from hpo.study.delivery.allocation import Standing
from hpo.study.delivery.gain import LEAST_GAIN, promise
from hpo.study.delivery.machine_purchase import has_more_to_weigh
from hpo.trial.versions.machine.choice import MachineChoice, choose_use
from hpo.trial.versions.machine.worth import slope_of
from hpo.trial.world import World
from labeling.aggregation.best_labels import BestLabels
from labeling.machine.mixing import AUDITED
from labeling.seeds import generator
from labeling.types import Answers, Floats, LabelPlan, LabelSet

_LOOK = 200  # answers of a tranche after which the machine and people are compared again
_PART = 4  # of the money left, that people get before the machine is weighed again
_POWER = 2.0  # of the chance that a label is wrong, in the chance that people are asked about it


@dataclass(frozen=True, slots=True, eq=False)
class MachineStep:
    """What a machine's labels mean for the next answers of people.

    Attributes:
        stop: why people are not asked any more; "" where they are.
        standing: of the images: where people are to be asked, and how sure each label is; None for
            where they would be asked without a machine.
        most: answers of the next tranche: `_LOOK`, or as many as are owned, so that the next one
            can look again; fewer where little money may still go to the machine.
    """

    stop: str
    standing: Standing | None
    most: int


def machine_step(
    plan: LabelPlan,
    labels: LabelSet | None,
    answers: Answers | None,
    standing: Standing,
    affordable: int,
    world: World,
) -> MachineStep | None:
    """What people are to be asked next, given the machine; None where it changes nothing.

    Args:
        plan: seeds the folds.
        labels: labels of people's answers; None without any.
        answers: people's answers owned.
        standing: of the pool's images.
        affordable: answers that the money left bears.
        world: the study's world.
    """
    if labels is None or answers is None:
        most = _most(0, affordable, world)
        return MachineStep("", None, most) if has_more_to_weigh(world) else None
    choice = choose_use(plan, labels, answers, world)
    if choice is None:
        return None
    below = _standing_below(choice, standing, world)
    hoped, expected = _forecasts(choice, plan, labels, answers, below, affordable, world)
    done = (arm for arm in choice.arms if arm.use in (ALL, BELOW) and not arm.refused)
    now = max((arm.accuracy for arm in done), default=0.0)
    if 100 * (max(hoped.values()) - now) < LEAST_GAIN:
        return MachineStep(
            f"the machine's labels gave {100 * now:.1f} % on validation images, and people for the "
            "money left were not expected to add to it",
            None,
            0,
        )
    most = _most(int(labels.answers.sum()), affordable, world)
    use = max((BELOW, VOTE, OFF), key=lambda each: expected.get(each, 0.0))
    if use != BELOW or below is None:
        return MachineStep("", None, most)
    if not (below.room > 0).any():
        return MachineStep(
            "people answered about every image of which the machine is unsure", below, 0
        )
    return MachineStep("", below, most)


def _most(owned: int, affordable: int, world: World) -> int:
    """Answers of the next tranche: as many as are owned, and at least enough to look again.

    Where money may still go to the machine, people get a part of it before the next look.
    """
    enough = min(_LOOK, affordable // _PART) if has_more_to_weigh(world) else _LOOK
    return max(owned, enough, 1)


def _forecasts(
    choice: MachineChoice,
    plan: LabelPlan,
    labels: LabelSet,
    answers: Answers,
    below: Standing | None,
    affordable: int,
    world: World,
) -> tuple[dict[str, float], dict[str, float]]:
    """The accuracy that each way with people may reach with the money left, and is expected to.

    People are given up only where even the first is too low: the next tranche tells more. But which
    images they get follows what is expected, else a hope sends them to images of which the machine
    is sure.
    """
    slope, spread = slope_of(choice, plan, labels, answers, world)
    owned = int(labels.answers.sum())
    times = (owned + affordable) / max(1, owned)
    told = []
    for each in (min(1.0, slope + spread), slope):
        off = choice.arm(OFF).accuracy
        alone = 1 - (1 - off) * times**-each
        ahead = {OFF: alone}
        vote, mixed = choice.arm(VOTE), choice.arm(BELOW)
        if not vote.refused:
            ahead[VOTE] = alone + max(0.0, vote.accuracy - off)
        if below is not None and not mixed.refused:
            gain = _promised(choice, affordable, world) / 100
            ahead[BELOW] = mixed.accuracy + gain
            if choice.best.use != VOTE:  # it has the labels of a vote, and the machine's besides
                ahead[BELOW] = max(ahead[BELOW], ahead.get(VOTE, 0.0))
        told.append(ahead)
    return told[0], told[1]


def _promised(choice: MachineChoice, affordable: int, world: World) -> float:
    """Accuracy points that further answers to the least sure images promise."""
    arm = choice.arm(BELOW)
    if arm.made is None:
        return 0.0
    posterior, counts = arm.made.posterior, arm.made.labels.answers
    skill = choice.people.skill
    top = float(posterior.max(axis=1).mean())
    best = BestLabels(posterior, posterior, posterior, 1.0, True, skill, 0.0, top, 0.0, top)
    rng = generator(world.config.seed, "machine promise", str(int(counts.sum())))
    return promise(best, counts, affordable, True, rng).points


def _standing_below(choice: MachineChoice, standing: Standing, world: World) -> Standing | None:
    """Where people are asked by `BELOW`: images below a person's surety, and those to audit.

    Images without an answer are drawn first, the likelier the less sure their labels are. The least
    sure alone are images of a kind: a model of their labels was up to 1.8 points worse than one of
    random images, and one of images so drawn at most .5.
    """
    arm = choice.arm(BELOW)
    if arm.made is None or arm.refused:
        return None
    size = int(world.pool.max()) + 1
    by_row: Floats = np.full(size, 1 / len(world.market.asked.classes))
    by_row[arm.made.labels.task] = arm.made.posterior.max(axis=1)
    sure = by_row[world.pool]
    unsure = sure < choice.people.skill
    lacking = 0 if choice.audit is None else max(0, AUDITED - choice.audit.answers)
    audited = np.flatnonzero(~unsure & (standing.answers == 0))[:lacking]
    asked = unsure.copy()
    asked[audited] = True
    luck = generator(world.config.seed, "machine images").gumbel(size=len(sure))
    order = -_POWER * np.log(np.maximum(1 - sure, 1e-9)) - luck
    order += standing.answers * np.ptp(order)  # first answers before further ones
    order[audited] = -np.inf  # they come first: the rule stands on them
    return replace(standing, room=np.where(asked, standing.room, 0), sure=order)

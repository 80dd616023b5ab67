"""Answers bought elsewhere: in the store for nothing, and what they give today."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from budget.money import ZERO
from hpo.market.recorded import read_own_labels
from hpo.trial.evaluate import fit_plan, rounded, score_on
from hpo.trial.world import World
from labeling.recorded.own_labels import bring_in
from labeling.types import LabelPlan


def own_labels_today(world: World) -> dict[str, Any] | None:
    """Bring own labels into the store and say what a model trained on them gives.

    They stand beside the front, not on it: what they cost is not known here. No money moves.
    """
    own = read_own_labels(world.config, world.data, world.market)
    if own is None:
        return None
    bring_in(world.store, own)
    market = dataclasses.replace(world.market, name=own.condition.market)
    pool = np.intersect1d(np.array(own.tasks, dtype=np.int64), world.data.rows["pool"])
    theirs = world.but(market=market, pool=pool)
    trained = fit_plan(LabelPlan(ZERO, own.overlap, 0, len(pool), False), theirs)
    facts: dict[str, Any] = {
        "answers": int((~trained.answers.control).sum()),  # on images of the pool
        "labelled_images": len(trained.labels.task),
        "content": own.condition.market,
    }
    for role, name in (("validation", "search_estimate"), ("final", "final")):
        facts[name] = rounded(score_on(role, trained, theirs))
    return facts

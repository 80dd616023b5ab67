"""Sensitivity of the answer to assumptions of a simulated crowd that have no measurement."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from hpo.data.dataset import Dataset
from hpo.data.stand_ins import predict_from_known, stand_ins
from hpo.market.market import Market
from hpo.market.open import open_market
from hpo.market.simulated import scenario_of
from hpo.settings.config import StudyConfig
from hpo.settings.rows.unlabelled import STAND_INS
from hpo.trial.evaluate import train_labels
from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling.aggregation.methods import aggregate
from labeling.crowd.office.source import OfficeSource
from labeling.crowd.source import CrowdSource
from labeling.types import LabelPlan, Order

REDRAWS = 6


def difficulty_sensitivity(plan: LabelPlan, world: World) -> dict[str, Any] | None:
    """Buy a plan again from simulated crowds under both models of difficulty.

    "independent" draws an image's difficulty apart from what it looks like; "images" gives the
    hardest items to images whose classes overlap in feature space. Same crowds on both sides.

    Returns:
        Mean validation accuracy under each, their paired difference and its standard error, in
        accuracy; None where answers are not simulated, or the question has no truth.
    """
    if not world.market.kind.assumes_difficulty or is_subjective(world) or plan.dynamic is not None:
        return None
    accuracy = {}
    for model in ("independent", "images"):
        config = dataclasses.replace(world.config, difficulty=model)
        market = open_market(config, world.data, features=lambda: world.features.values)
        draws = [_accuracy(plan, world, market, world.data, draw) for draw in range(REDRAWS)]
        accuracy[model] = np.array(draws)
    gap = accuracy["images"] - accuracy["independent"]
    return {
        "plan": plan.key,
        "redraws": REDRAWS,
        **{model: round(float(values.mean()), 6) for model, values in accuracy.items()},
        "difference": round(float(gap.mean()), 6),
        "standard_error": round(float(gap.std(ddof=1) / np.sqrt(REDRAWS)), 6),
    }


def stand_in_sensitivity(plan: LabelPlan, world: World) -> dict[str, Any] | None:
    """Buy a plan again where the labels that nobody knows are drawn, and where they are likeliest.

    Returns:
        Mean accuracy on validation images under each, by the labels that the crowd answers from;
        no accuracy where no label is known at all; None where all are, or the question has no
        truth.
    """
    if world.data.stand_in is None or is_subjective(world) or plan.dynamic is not None:
        return None
    if not world.data.known.any():  # groups that look alike are one draw: no other is likelier
        return {"plan": plan.key, "redraws": 0}
    predicted = predict_from_known(world.data, world.features.values, world.config.seed)
    told: dict[str, Any] = {"plan": plan.key, "redraws": REDRAWS}
    for how in STAND_INS:
        drawn = stand_ins(predicted, world.data, how, world.config.seed)
        data = dataclasses.replace(world.data, stand_in=drawn)
        market = open_market(world.config, data, features=lambda: world.features.values)
        draws = [_accuracy(plan, world, market, data, draw) for draw in range(REDRAWS)]
        told[how] = round(float(np.mean(draws)), 6)
    return told


def _accuracy(plan: LabelPlan, world: World, market: Market, data: Dataset, draw: int) -> float:
    source = market.source
    if not isinstance(source, CrowdSource | OfficeSource):
        raise TypeError(f"{type(source).__name__} does not simulate")
    # A condition of its own is a crowd of its own over the same items.
    condition = dataclasses.replace(world.condition(plan), market=f"sensitivity {draw}")
    wanted = tuple((row, plan.overlap) for row in world.tasks(plan))
    limit = world.prices.list_price(plan).limit
    order = Order(condition, 0, wanted, limit, world.config.max_minutes)
    answers = source.answers(order)
    usable = answers.where(answers.usable)
    classes = len(world.data.classes)
    labels = aggregate(
        usable, world.tasks(plan), classes, world.config.aggregation, world.control_truth
    )
    trained, _ = train_labels(plan, labels, world)
    rows = world.data.rows["validation"]
    guess = trained.predict(world.features.values[rows]).argmax(axis=1)
    return float((guess == data.answered[rows]).mean())


def other_price_model(config: StudyConfig) -> StudyConfig:
    """The same study where price changes who comes, or where it does not: the other of the two."""
    selection = 0.0 if scenario_of(config).selection > 0 else 0.6
    return dataclasses.replace(
        config, study=f"{config.study}-g{selection:g}", selection=selection, price_models="one"
    )


def compare_price_models(
    mine: dict[str, Any], other: dict[str, Any], config: StudyConfig
) -> dict[str, Any]:
    """Whether two reports, under both price models, recommend the same price.

    Args:
        mine: this study's report.
        other: the report of `other_price_model`'s study.
        config: this study's configuration.
    """
    models: list[dict[str, Any]] = []
    for report, selection in (
        (mine, scenario_of(config).selection),
        (other, other_price_model(config).selection),
    ):
        best = report["recommended"]
        models.append(
            {
                "selection": selection,
                "plan": best["plan"] if best else None,
                "accuracy": best["accuracy"] if best else None,
                "price_tag": best["price_tag"] if best else None,
            }
        )
    prices = [row["plan"]["price_per_task"]["micros"] if row["plan"] else None for row in models]
    return {"models": models, "same_price": prices[0] == prices[1]}

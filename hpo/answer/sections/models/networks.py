"""Whether the answer holds for people who train networks: three amounts of labels, trained again.

The study decides by heads on frozen features. With `--confirm-trainer finetune` the recommended
plan and its neighbours on the front are trained once more as a network; of a study that delivers,
all labels, a half and a quarter of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.plan_in_words import counted
from hpo.answer.sections.delivered import buys_by, owned_key
from hpo.answer.sections.final import state_key
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import percent, points_words
from hpo.settings.table import HEAD

if TYPE_CHECKING:
    from hpo.trial.model.trained import Trained
    from labeling.types import LabelPlan

_MODELS = ("head", "network")
_ORDER = "Networks put these amounts of labels in {} heads do."
_PARTS = (4, 2, 1)
"""The delivered labels over the labels of a network."""


def _keys(findings: Findings) -> Sequence[str]:
    if findings.world.config.confirm_trainer == HEAD or not findings.has_stopped:
        return []
    if (plan := buys_by(findings)) is not None:
        return [f"{plan.key}/{owned_key(findings)}/1:{part}" for part in _PARTS]
    return [state_key(outcome, findings.own) for outcome in _neighbours(findings)]


def _neighbours(findings: Findings) -> list[Any]:
    """The recommended plan, and the next cheaper and the next dearer one of the front."""
    best, front = findings.best, list(findings.front)
    if best is None:
        return []
    keys = [outcome.plan.key for outcome in front]
    if best.plan.key not in keys:
        return [best]
    at = keys.index(best.plan.key)
    return front[max(0, at - 1) : at + 2]


def _measure(findings: Findings, key: str) -> Any:
    from hpo.answer.sections.models.beside_head import network_beside_head
    from hpo.trial.evaluate import fit_plan

    plan = buys_by(findings)
    if plan is not None:
        trained = _part_of_delivered(plan, findings, int(key.rpartition(":")[2]))
    else:
        outcomes = _neighbours(findings)
        chosen = next(o.plan for o in outcomes if state_key(o, findings.own) == key)
        trained = fit_plan(chosen, findings.world)
    if trained is None:
        return None
    labels = counted(len(trained.labels.task), "label")

    def say(done: int, most: int) -> None:
        findings.say(f"training a network on {labels}: pass {done} of at most {most}")

    return network_beside_head(trained, findings.world, say)


def _part_of_delivered(plan: LabelPlan, findings: Findings, part: int) -> Trained | None:
    """The model of the first labelled images of the pool: one in `part` of them."""
    import numpy as np

    from hpo.trial.versions.best import train_delivered
    from hpo.trial.versions.merged_labels import labels_inside_view

    world = findings.own
    owned = labels_inside_view(world)
    if owned is None:
        return None
    labels, answers, _ = owned
    labelled = world.pool[np.isin(world.pool, labels.task)]
    first = labelled[: max(2, len(labelled) // part)]
    behind = answers.where(np.isin(answers.task, first) | answers.control)
    return train_delivered(plan, labels.where(np.isin(labels.task, first)), behind, world).trained


def _tell(findings: Findings, report: Report) -> Report:
    kept = findings.kept(NETWORKS.name)
    made = {key: kept[key] for key in _keys(findings) if kept.get(key)}
    if not made:
        return {**report, "networks": None}
    keys = list(made)
    mine = keys[-1]
    if buys_by(findings) is None and findings.best is not None:
        mine = state_key(findings.best, findings.own)
    return {**report, "networks": told(list(made.values()), keys.index(mine))}


def told(made: Sequence[Mapping[str, Any]], mine: int) -> dict[str, Any]:
    """What reports hold of networks.

    Args:
        made: results of `network_beside_head`, from the fewest labels to the most.
        mine: place of the recommended plan, or of all delivered labels.
    """
    more = mine + 1 < len(made)
    pair = (mine + 1, mine) if more else (mine, mine - 1)
    gain = None
    if min(pair) >= 0:
        gain = {model: _gain(made, model, *pair) for model in _MODELS}
    rows = [
        {"labels": row["labels"], **{model: _score(row[model]) for model in _MODELS}}
        for row in made
    ]
    return {
        "network": made[mine]["name"],
        "recommended": mine,
        "rows": rows,
        "same_order": not any(_opposed(made, i, j) for j in range(len(made)) for i in range(j)),
        "gain_is_of_more": more,
        "gain": gain,
    }


def _score(score: Mapping[str, Any]) -> dict[str, Any]:
    return {name: score[name] for name in ("accuracy", "interval_95")}


def _gain(made: Sequence[Mapping[str, Any]], model: str, more: int, less: int) -> dict[str, Any]:
    from hpo.answer.sections.models.beside_head import difference

    return difference(made[more][model]["right"], made[less][model]["right"])


def _opposed(made: Sequence[Mapping[str, Any]], less: int, more: int) -> bool:
    """Whether a network tells two plans apart beyond noise, and heads order them otherwise."""
    network, head = (_gain(made, model, more, less) for model in ("network", "head"))
    low, high = network["interval_95"]
    if low <= 0 <= high:
        return False
    return bool(network["points"] * head["points"] < 0)


def _sentences(report: Mapping[str, Any]) -> list[str]:
    made = report.get("networks")  # reports of earlier versions have none
    if not made:
        return []
    mine = made["rows"][made["recommended"]]
    rows = ", ".join(
        f"{percent(row['network']['accuracy'])} from {counted(row['labels'], 'label')}"
        for row in made["rows"]
    )
    lines = [
        f"Networks: {made['network']}, trained on the same labels, gives "
        f"{percent(mine['network']['accuracy'])} where the head gives "
        f"{percent(mine['head']['accuracy'])} (validation images). It gives {rows}.",
    ]
    return [*lines, *_amount(made)]


def _amount(made: Mapping[str, Any]) -> list[str]:
    """Whether the recommended amount is right for networks, too."""
    if made["gain"] is None:
        return []
    order = "the same order as" if made["same_order"] else "another order than"
    gain = made["gain"]["network"]
    if made["gain_is_of_more"]:
        step = f"The next dearer plan gives a network {points_words(gain)} more"
        ends = "the recommended amount holds for networks", "train networks with the dearer plan"
    else:
        step = f"The last step in labels gave a network {points_words(gain)}"
        ends = "more labels would hardly help a network", "more labels may still help a network"
    return [_ORDER.format(order), f"{step}: {ends[gain['told_from_noise']]}."]


NETWORKS = Section(
    "networks",
    "training networks on the same labels",
    _keys,
    _measure,
    _tell,
    _sentences,
)

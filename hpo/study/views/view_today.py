"""A model of the labels inside a view, over one or several versions; it costs nothing.

Scored on the validation images, which the search has seen: one may look at as many views as one
likes, and the final images stay untouched by the choice among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from budget.errors import InputError
from hpo.study.study import Study
from hpo.study.views.version_catalogue import find_view, open_catalogue
from hpo.trial.evaluate import fit_plan, rounded, score_inside, score_on, train_labels
from hpo.trial.labels import check_test_view, to_labels
from hpo.trial.model.trained import Trained
from hpo.trial.outcome import plan_from_plain
from hpo.trial.versions.owned import merge
from hpo.trial.world import World
from labeling import versions
from labeling.types import Answers, Bools, Floats, LabelPlan, LabelSet
from labeling.versions import ANSWERS, LABELS, Version
from labeling.views import View, parse_view, view_to_plain
from labeling.views.columns import LABELS as OVER_LABELS
from labeling.views.columns import TEST_COLUMNS

_ROLE = "validation"


def view_today(study: Study, view: str | None, test_view: str | None) -> dict[str, Any]:
    """Train on the labels inside a view of the study's versions; score on validation images.

    Args:
        study: an open study.
        view: a view's name or expression; None for the recommended plan's model.
        test_view: an expression over test images to be scored beside all of them.

    Raises:
        InputError: a view is wrong, holds nothing, or there is nothing to score.
    """
    test = None if test_view is None else _test_view(test_view, study.world)
    trained, facts = _trained(study, view)
    inside = score_inside(test, _ROLE, trained, study.world) if test else None
    told = {
        **facts,
        "labelled_images": len(trained.labels.task),
        "answers": int((trained.answers.usable & ~trained.answers.control).sum()),
        "role": _ROLE,
        "images": len(study.world.data.rows[_ROLE]),
        **rounded(score_on(_ROLE, trained, study.world)),
        "test_view": inside,
    }
    key = f"{facts['view']['version'] if facts['view'] else ''}/{test.version if test else ''}"
    study.journal.write("view_today", f"{key}/{len(facts['versions'])}", told)
    return told


def _test_view(text: str, world: World) -> View:
    test = parse_view(text, "--test-view", TEST_COLUMNS)
    check_test_view(test, world.market)
    return test


def _trained(study: Study, text: str | None) -> tuple[Trained, dict[str, Any]]:
    """A model, and what it was trained on: the view, its versions and conditions."""
    if text is None:
        best = study.recommend()
        if best is None:
            raise InputError("--test-view: the study has no plan to score yet; run it first")
        return fit_plan(best.plan, study.world), {"view": None, "versions": [], "conditions": 1}
    with open_catalogue(study.folder) as catalogue:
        view = find_view(catalogue, text, name="--view")
        places = catalogue.places(view)
    if not places:
        raise InputError(f"--view: nothing is inside {view.text}; ask for less")
    by_version: dict[str, list[int]] = {}
    for version, position in places:
        by_version.setdefault(version, []).append(position)
    versions_inside = [
        (versions.load(version, study.folder), positions)
        for version, positions in by_version.items()
    ]
    # Merged labels are made of the same answers again.
    parts = [part for part in versions_inside if "plan" in part[0].manifest] or versions_inside
    labels, answers = labels_inside(view, parts, study.world)
    plan = _plan(parts[0][0], study)
    model, target = train_labels(plan, labels, study.world)
    facts = {
        "view": view_to_plain(view),
        "versions": [version.id for version, _ in parts],
        "conditions": len({version.manifest["condition"]["key"] for version, _ in parts}),
    }
    return Trained(plan, labels, answers, target, model), facts


def _plan(version: Version, study: Study) -> LabelPlan:
    """The plan whose folds are dealt: the version's, else the recommended one."""
    best = study.recommend()
    if "plan" not in version.manifest and best is not None:
        return best.plan
    return plan_from_plain(version.manifest["plan"])


def labels_inside(
    view: View, parts: Sequence[tuple[Version, Sequence[int]]], world: World
) -> tuple[LabelSet, Answers]:
    """The labels that a view keeps of some versions, and the answers behind them.

    Over labels: those of each version; an image that has several counts once, with the mean of its
    labels weighted by answers, of each condition the label with the most answers. Over answers:
    each answer once, with all control answers of the versions, aggregated anew.

    Args:
        view: the view.
        parts: each version with its rows that are inside, by position in the file.
        world: the study's world.
    """
    if view.over == OVER_LABELS:
        kept = [(version, *_kept_labels(version, places, world)) for version, places in parts]
        labels = kept[0][1] if len(kept) == 1 else _one_each([(v, k) for v, k, _ in kept])
        behind = [(v, a.where(np.isin(a.task, k.task) & ~a.control)) for v, k, a in kept]
        return labels, _distinct(behind)
    own = [
        (version, answers.where(answers.control | _mask(places, len(answers))))
        for version, places in parts
        for answers in [read_answers(version, world)]
    ]
    answers = _distinct(own)
    return to_labels(answers, world.pool, world), answers


def read_answers(version: Version, world: World) -> Answers:
    """The answers of a version on disk, as its study had them.

    Raises:
        InputError: it holds an image or class that the study does not have.
    """
    table = version.table(ANSWERS)
    row = {name: row for row, name in enumerate(world.data.images.names)}
    code = {name: code for code, name in enumerate(world.market.asked.classes)}
    try:
        return Answers(
            task=np.array([row[name] for name in table["image"]], dtype=np.int64),
            annotator=np.array([int(who) for who in table["annotator"]], dtype=np.int64),
            label=np.array([code[name] for name in table["label"]], dtype=np.int64),
            control=np.array([flag == "1" for flag in table["control"]], dtype=np.bool_),
            usable=np.array([flag == "1" for flag in table["usable"]], dtype=np.bool_),
        )
    except KeyError as error:
        raise InputError(
            f"version {version.id}: {error} is no image or class of study {world.config.study!r}"
        ) from None


def _kept_labels(version: Version, places: Sequence[int], world: World) -> tuple[LabelSet, Answers]:
    answers = read_answers(version, world)
    row = {name: row for row, name in enumerate(world.data.images.names)}
    tasks = [row[name] for name in version.table(LABELS)["image"]]
    labels = to_labels(answers, tasks, world)  # as they were saved, with shares
    return labels.where(_mask(places, len(labels.task))), answers


def _one_each(kept: Sequence[tuple[Version, LabelSet]]) -> LabelSet:
    """Each image once over several versions."""
    best: dict[int, dict[str, tuple[int, Floats, Floats]]] = {}
    for version, labels in kept:
        condition = version.manifest["condition"]["key"]
        for i, task in enumerate(labels.task.tolist()):
            mine = best.setdefault(task, {})
            count = int(labels.answers[i])
            if condition not in mine or count > mine[condition][0]:
                mine[condition] = (count, labels.shares[i], labels.posterior[i])
    rows = [list(mine.values()) for mine in best.values()]
    counts = np.array([sum(count for count, _, _ in row) for row in rows], dtype=np.int64)
    return LabelSet(
        np.array(list(best), dtype=np.int64),
        np.array([sum(n * share for n, share, _ in row) for row in rows]) / counts[:, None],
        np.array([sum(n * belief for n, _, belief in row) for row in rows]) / counts[:, None],
        counts,
    )


def _distinct(parts: Iterable[tuple[Version, Answers]]) -> Answers:
    """Each answer of several versions once: those of one condition share annotators and answers."""
    by_condition: dict[str, dict[tuple[int, ...], tuple[int, ...]]] = {}
    for version, answers in parts:
        by_answer = by_condition.setdefault(version.manifest["condition"]["key"], {})
        again: dict[tuple[int, ...], int] = {}
        columns = (answers.task, answers.annotator, answers.control, answers.label, answers.usable)
        for task, annotator, control, *rest in zip(*(c.tolist() for c in columns), strict=True):
            key = (task, annotator, control)  # an annotator may meet a control task twice
            again[key] = again.get(key, 0) + 1
            by_answer.setdefault((*key, again[key]), (task, annotator, control, *rest))
    return merge([_answers(list(by_answer.values())) for by_answer in by_condition.values()])


def _answers(rows: Sequence[tuple[int, ...]]) -> Answers:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    task, annotator, control, label, usable = columns
    return Answers(task, annotator, label, control.astype(np.bool_), usable.astype(np.bool_))


def _mask(places: Sequence[int], length: int) -> Bools:
    mask = np.zeros(length, dtype=np.bool_)
    mask[list(places)] = True
    return mask

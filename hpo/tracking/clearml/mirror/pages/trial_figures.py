"""A trial's plots: confusion matrix, precision and recall, accuracy by number of labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hpo.tracking.clearml.mirror.figures import BLUE, GREEN, GREY, with_interval
from hpo.tracking.clearml.mirror.run_directory import Child, RunDirectory
from hpo.tracking.clearml.server.records import Figure, Plot
from hpo.trial.outcome import Outcome
from hpo.trial.versions.label_versions import scores_file

_MOST_CLASSES = 30
"""The most classes that are shown: those with the most mistakes."""


def trial_plots(run: RunDirectory, child: Child) -> list[Plot]:
    """The plots of a trial. A question of taste has no confusion matrix."""
    classes: Sequence[str] = run.about["question"]["classes"]
    counts = _confused(run, child)
    plots = [Plot("Accuracy by labels", "in this condition", by_labels(run, child))]
    if counts:
        shown = _worst(counts, len(classes))
        plots += [
            Plot("Confusion", "validation images", confusion(counts, classes, shown)),
            Plot("Classes", "precision and recall", per_class(counts, classes, shown)),
        ]
    return plots


Confused = Counter[tuple[int, int]]
"""(true class, class said) -> images."""


def _confused(run: RunDirectory, child: Child) -> Confused:
    try:
        told = json.loads(scores_file(run.folder, child.version).read_text())
    except (OSError, ValueError):
        return Counter()  # of a study older than the file
    return Counter({(true, said): images for true, said, images in told["confused"]})


def _worst(counts: Confused, classes: int) -> list[int]:
    """The classes to show, in their own order."""
    wrong: Counter[int] = Counter()
    for (true, said), images in counts.items():
        if true != said:
            wrong[true] += images
            wrong[said] += images
    by_mistakes = sorted(range(classes), key=lambda at: (-wrong[at], at))
    return sorted(by_mistakes[:_MOST_CLASSES])


def confusion(counts: Confused, classes: Sequence[str], shown: Sequence[int]) -> Figure:
    """Images by true class and by the model's class."""
    names = [str(classes[at]) for at in shown]
    heat = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": [[counts[true, said] for said in shown] for true in shown],
        "colorscale": [[0, "#f7fbff"], [1, BLUE]],
        "texttemplate": "%{z}",
        "hovertemplate": "true %{y}, said %{x}: %{z}<extra></extra>",
    }
    layout = {
        "xaxis": {"title": {"text": "said by the model"}, "type": "category"},
        "yaxis": {
            "title": {"text": "true class"},
            "type": "category",
            "autorange": "reversed",
            "automargin": True,
        },
    }
    return {"data": [heat], "layout": layout}


def per_class(counts: Confused, classes: Sequence[str], shown: Sequence[int]) -> Figure:
    """Precision and recall of every class."""
    true, said = Counter[int](), Counter[int]()
    for (right, answer), images in counts.items():
        true[right] += images
        said[answer] += images
    shares = {"precision": (said, BLUE), "recall": (true, GREEN)}
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": [str(classes[at]) for at in shown],
            "y": [round(counts[at, at] / of[at], 4) if of[at] else None for at in shown],
            "marker": {"color": color},
        }
        for name, (of, color) in shares.items()
    ]
    axes = {"xaxis": {"type": "category"}, "yaxis": {"range": [0, 1], "title": {"text": "share"}}}
    return {"data": bars, "layout": {"barmode": "group", **axes}}


def in_condition(run: RunDirectory, child: Child) -> list[Outcome]:
    """The last outcome of each plan in a trial's condition and with its overlap."""
    plan = child.outcome.plan
    same = {
        o.plan.key: o
        for o in (*run.latest.values(), child.outcome)
        if replace(o.plan, tasks=plan.tasks) == plan
    }
    return sorted(same.values(), key=lambda o: (o.labels, o.plan.key))


def by_labels(run: RunDirectory, child: Child) -> Figure:
    """Accuracy by number of labels, of the evaluated plans of a condition."""
    outcomes = in_condition(run, child)
    rows = [(float(o.labels), o.accuracy, (o.low, o.high), o.plan.key) for o in outcomes]
    mine = child.outcome
    this = (float(mine.labels), mine.accuracy, (mine.low, mine.high), mine.plan.key)
    traces = [
        with_interval("plans of this condition", rows, GREY, "lines+markers"),
        with_interval("this plan", [this], BLUE, "markers"),
    ]
    layout = {
        "xaxis": {"title": {"text": "labelled images"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": f"{run.score} on validation images"}},
        "hovermode": "closest",
    }
    return {"data": traces, "layout": layout}

"""What a label version looks like: distribution, agreement, confidence, cost, and a few images."""

from __future__ import annotations

import base64
import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.tracking.clearml.figures import BLUE, GREEN, GREY, RED, Figure
from hpo.tracking.clearml.parts import Plot
from labeling import versions

Thumbnails = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Image names -> small PNGs of those that can be had."""

SAMPLES = 12
_BINS = 10


def preview_plots(version: Path, manifest: Mapping[str, Any], thumbnails: Thumbnails) -> list[Plot]:
    """The previews of a label version.

    Args:
        version: its folder.
        manifest: what its manifest.json says.
        thumbnails: where small images come from.
    """
    labels = _rows(version / versions.LABELS)
    answers = _rows(version / versions.ANSWERS)
    agreement = _agreement(labels, answers)
    confidence = [float(row["confidence"]) for row in labels]
    return [
        Plot("labels", "distribution", _bars(manifest["label_distribution"], "images", BLUE)),
        Plot("agreement", "of answers", _histogram(agreement, "share of answers that agree")),
        Plot("confidence", "of labels", _histogram(confidence, "probability of the label")),
        Plot("cost", "what the money bought", cost_bars(manifest["condition_cost"])),
        Plot("sample", "images and labels", sample_table(_sample(labels, agreement), thumbnails)),
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _agreement(labels: list[dict[str, str]], answers: list[dict[str, str]]) -> list[float]:
    """The share of usable answers that say the label, for each labelled image."""
    said: dict[str, Counter[str]] = defaultdict(Counter)
    for row in answers:
        if row["control"] == "0" and row["usable"] == "1":
            said[row["image"]][row["label"]] += 1
    found = []
    for row in labels:
        votes = said[row["image"]]
        found.append(round(votes[row["label"]] / max(1, votes.total()), 4))
    return found


def _bars(counts: Mapping[str, float], what: str, color: str) -> Figure:
    bars = {
        "type": "bar",
        "x": list(counts),
        "y": list(counts.values()),
        "marker": {"color": color},
        "name": what,
    }
    return {"data": [bars], "layout": {"yaxis": {"title": {"text": what}}}}


def _histogram(values: Sequence[float], what: str) -> Figure:
    """Images by tenths of a share, counted here so that every server shows the same."""
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int(value * _BINS + 1e-9))] += 1
    names = [f"{at / _BINS:.1f}-{(at + 1) / _BINS:.1f}" for at in range(_BINS)]
    figure = _bars(dict(zip(names, counts, strict=True)), "images", GREEN)
    figure["layout"]["xaxis"] = {"title": {"text": what}, "type": "category"}
    return figure


_COST = {"labels": BLUE, "controls": GREEN, "unusable": RED, "fee": GREY}


def cost_bars(cost: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Dollars by what they bought, as settled in the version's condition."""
    dollars = {name: int(cost[name]["micros"]) / 1e6 for name in _COST}
    figure = _bars(dollars, "dollars", BLUE)
    figure["data"][0]["marker"] = {"color": list(_COST.values())}
    return figure


# --- the sample ---

_COLUMNS = ("image", "label", "confidence", "answers", "agreement")


def _sample(labels: list[dict[str, str]], agreement: list[float]) -> list[dict[str, str]]:
    """Evenly spaced rows from the least to the most confident label."""
    order = sorted(range(len(labels)), key=lambda at: (float(labels[at]["confidence"]), at))
    chosen = min(SAMPLES, len(order))
    places = [order[round(at * (len(order) - 1) / max(1, chosen - 1))] for at in range(chosen)]
    return [{**labels[at], "agreement": f"{agreement[at]:.2f}"} for at in places]


def sample_table(rows: Sequence[Mapping[str, str]], thumbnails: Thumbnails) -> Figure:
    """A table with an image in each row; a table of Plotly's own cannot hold images."""
    small = thumbnails([row["image"] for row in rows])
    down = [-(place + 1) for place in range(len(rows))]
    texts = [
        {
            "type": "scatter",
            "mode": "text",
            "x": [column + 0.7] * (len(rows) + 1),
            "y": [0, *down],
            "text": [f"<b>{name}</b>", *(row[name] for row in rows)],
            "textposition": "middle right",
            "hoverinfo": "skip",
            "showlegend": False,
            "name": name,
        }
        for column, name in enumerate(_COLUMNS)
    ]
    images = [
        {
            "source": "data:image/png;base64," + base64.b64encode(small[row["image"]]).decode(),
            "xref": "x",
            "yref": "y",
            "x": 0,
            "y": y,
            "sizex": 0.9,
            "sizey": 0.9,
            "xanchor": "center",
            "yanchor": "middle",
        }
        for row, y in zip(rows, down, strict=True)
        if row["image"] in small
    ]
    hidden = {"visible": False, "fixedrange": True}
    return {
        "data": texts,
        "layout": {
            "images": images,
            "xaxis": {**hidden, "range": [-0.6, len(_COLUMNS) + 0.9]},
            "yaxis": {**hidden, "range": [-len(rows) - 0.7, 0.7]},
            "height": 60 + 48 * (len(rows) + 1),
        },
    }


def as_png(pixels: Any) -> bytes:
    """An image of [h, w, 3] or [h, w, 1] bytes as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(buffer, "PNG")
    return buffer.getvalue()

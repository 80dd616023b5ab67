"""Previews of a label version: distributions, agreement, confidence, cost, and a few images."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpo.tracking.clearml.mirror.figures import BLUE, GREEN, GREY, RED
from hpo.tracking.clearml.server.records import Figure, Plot
from labeling import versions

Thumbnails = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Image names -> small PNGs of those that can be had."""

SAMPLES = 12
_BINS = 10


def preview_plots(
    version: versions.Version, settled: Mapping[str, int], thumbnails: Thumbnails
) -> list[Plot]:
    """The previews of a label version.

    Args:
        version: the version.
        settled: micro-dollars by kind of cost.
        thumbnails: where small images come from.
    """
    labels = _rows(version.table(versions.LABELS))
    agreement = [float(row["agreement"]) for row in labels]
    confidence = [float(row["confidence"]) for row in labels]
    manifest = version.manifest
    best = manifest.get("best_label_distribution")
    return [
        Plot("labels", "distribution", _bars(manifest["label_distribution"], "images", BLUE)),
        *([Plot("best labels", "distribution", _bars(best, "images", BLUE))] if best else []),
        Plot("agreement", "of answers", _histogram(agreement, "share of answers that agree")),
        Plot("confidence", "of labels", _histogram(confidence, "probability of the label")),
        Plot("cost", "paid in its whole condition by then", cost_bars(settled)),
        Plot("sample", "images and labels", sample_table(_sample(labels), thumbnails)),
    ]


def _rows(columns: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _bars(counts: Mapping[str, float], name: str, color: str) -> Figure:
    bars = {
        "type": "bar",
        "x": list(counts),
        "y": list(counts.values()),
        "marker": {"color": color},
        "name": name,
    }
    return {"data": [bars], "layout": {"yaxis": {"title": {"text": name}}}}


def _histogram(values: Sequence[float], name: str) -> Figure:
    """Images by tenths of a share, counted here so that every server shows the same."""
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int(value * _BINS + 1e-9))] += 1
    names = [f"{at / _BINS:.1f}-{(at + 1) / _BINS:.1f}" for at in range(_BINS)]
    figure = _bars(dict(zip(names, counts, strict=True)), "images", GREEN)
    figure["layout"]["xaxis"] = {"title": {"text": name}, "type": "category"}
    return figure


def cost_bars(settled: Mapping[str, int]) -> Figure:
    """Dollars by kind of cost, from micro-dollars."""
    dollars = {n.removeprefix("settled_"): micros / 1e6 for n, micros in settled.items()}
    figure = _bars(dollars, "dollars", BLUE)
    figure["data"][0]["marker"] = {"color": [BLUE, GREEN, RED, GREY][: len(dollars)]}
    return figure


# --- the sample ---

_COLUMNS = ("image", "label", "confidence", "answers", "agreement")


def _sample(labels: list[dict[str, str]]) -> list[dict[str, str]]:
    """Evenly spaced rows from the least to the most confident label."""
    order = sorted(range(len(labels)), key=lambda at: (float(labels[at]["confidence"]), at))
    chosen = min(SAMPLES, len(order))
    places = [order[round(at * (len(order) - 1) / max(1, chosen - 1))] for at in range(chosen)]
    shares = ("confidence", "agreement")
    return [{**labels[at], **{n: f"{float(labels[at][n]):.2f}" for n in shares}} for at in places]


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

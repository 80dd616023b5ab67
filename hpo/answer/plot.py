"""The front as one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.files import replacing
from hpo.answer.sentences import cents, percent
from labeling.campaign.campaign import score_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = 8, 4.8  # inches


def plot_front(report: Mapping[str, Any], path: Path) -> None:
    """Draw a front and save it as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    draw_front(report, figure.add_subplot())
    with replacing(path) as draft:
        figure.savefig(draft, dpi=130, format="png")


def new_axes() -> Axes:
    """Axes of a new figure, which a notebook shows by itself."""
    from matplotlib import pyplot

    return pyplot.subplots(figsize=_SIZE, layout="constrained")[1]


def draw_front(report: Mapping[str, Any], axes: Axes) -> None:
    """Draw accuracy against money, log-dollar axis.

    All purchases as dots as they were measured, the front as expected with its 95 % intervals, the
    recommended plan marked; the rule of thumb's curve beside it. The model that a study delivers
    is marked at the money spent; direct purchases for the whole budget stand beside it.
    """
    bought = report["purchases"]
    if bought:
        tags = [row["price_tag"]["micros"] / 1e6 for row in bought]
        accuracies = [row["measured"]["accuracy"] for row in bought]
        axes.scatter(tags, accuracies, s=22, color="0.65", label="purchases, as measured", zorder=2)
    front = report["front"]
    x = [row["price_tag"]["micros"] / 1e6 for row in front]
    y = [row["accuracy"] for row in front]
    below = [row["accuracy"] - row["interval_95"][0] for row in front]
    above = [row["interval_95"][1] - row["accuracy"] for row in front]
    axes.errorbar(
        x,
        y,
        [below, above],
        color="#1f5fa8",
        marker="o",
        capsize=3,
        zorder=3,
        label="front, expected with 95 % interval",
    )
    rule = report["advice"].get("rule_of_thumb", {}).get("curve", [])
    axes.plot(
        [row["price_tag"]["micros"] / 1e6 for row in rule],
        [row["accuracy"] for row in rule],
        color="0.45",
        linestyle="--",
        label="rule of thumb, expected",
    )
    if report["delivery"]:
        _plot_delivered(axes, report)
    elif best := report["recommended"]:
        words = f"recommended: {cents(best['price_tag'])}, {percent(best['accuracy'])} expected"
        _star(axes, best["price_tag"], best, words)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"${value:g}")
    axes.xaxis.set_minor_formatter(
        lambda value, _: f"${value:g}" if f"{value:.0e}"[0] in "25" else ""
    )
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axes.set_xlabel("price tag of the plan (reward and fee, dollars, log scale)")
    axes.set_ylabel(f"{score_name(report['question']['kind'])} of the trained model")
    axes.set_title(f"How much to invest in annotations: study {report['study']}")
    axes.grid(alpha=0.25)
    if axes.has_data():
        axes.legend(loc="lower right", fontsize=9)


def _plot_delivered(axes: Axes, report: Mapping[str, Any]) -> None:
    """The delivered model at the money spent, and direct purchases for the whole budget."""
    made, spent = report["delivery"], report["money"]["spent"]
    direct = made["directly"]
    axes.errorbar(
        [row["price_tag"]["micros"] / 1e6 for row in direct],
        [row["accuracy"] for row in direct],
        [
            [row["accuracy"] - row["interval_95"][0] for row in direct],
            [row["interval_95"][1] - row["accuracy"] for row in direct],
        ],
        color="#2f7d4f",
        marker="s",
        linestyle="",
        capsize=3,
        zorder=3,
        label="bought directly and evenly, expected",
    )
    final = made["final"]
    words = f"delivered: {cents(spent)}, {percent(final['accuracy'])} on final images"
    _star(axes, spent, final, words)


def _star(axes: Axes, money: Mapping[str, Any], row: Mapping[str, Any], words: str) -> None:
    cost, (low, high) = money["micros"] / 1e6, row["interval_95"]
    axes.errorbar(
        [cost],
        [row["accuracy"]],
        [[row["accuracy"] - low], [high - row["accuracy"]]],
        color="#c8481c",
        marker="*",
        markersize=15,
        capsize=4,
        zorder=4,
        label=words,
    )

"""Draw what a study leaves on a ClearML server: `python docs/clearml_pictures.py [RUN_DIR]`.

The very figures that are sent to the server are drawn, by matplotlib instead of Plotly. Without a
run directory the default study is run first.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from hpo import Study
from hpo.tracking.clearml.mirror import controller, manifest_facts, previews
from hpo.tracking.clearml.mirror.images import Images
from hpo.tracking.clearml.mirror.run_directory import read_run
from hpo.tracking.clearml.server.records import Plot
from labeling import versions

DOCS = Path(__file__).parent
STEPS = {"hv": "steps-post", "vh": "steps-pre"}


def main(words: list[str]) -> None:
    """Draw the controller's plots and the previews of one label version."""
    if words:
        draw(Path(words[0]))
        return
    with tempfile.TemporaryDirectory() as runs:
        study = Study(budget="20", runs=runs)
        study.run()
        study.close()
        draw(study.folder)


def draw(folder: Path) -> None:
    """Draw both pictures from a run directory."""
    run = read_run(folder)
    record = controller.controller_record(run, "labelworth", {}, "completed", "", "")
    plots = record.build("").plots
    picture(plots, DOCS / "clearml-study.png", 2)
    child = max(run.children, key=lambda child: (child.outcome.plan.overlap, child.paid))
    version = versions.load(child.version, folder / "versions")
    images = Images(folder, run.about["data"]["content"])
    cost = manifest_facts.settled(version.manifest, None)
    shown = previews.preview_plots(version, cost, images.thumbnails)
    picture(shown, DOCS / "clearml-labels.png", 3)


def picture(plots: list[Plot], path: Path, columns: int) -> None:
    """Draw plots side by side, and what needs the room in rows of its own."""
    plots = sorted(plots, key=_is_wide)
    narrow = sum(not _is_wide(plot) for plot in plots)
    rows = -(-narrow // columns) + len(plots) - narrow
    figure = Figure(figsize=(6.5 * columns, 4.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, columns)
    for at, plot in enumerate(plots):
        row = at // columns if at < narrow else rows - len(plots) + at
        axes = figure.add_subplot(grid[row, :] if _is_wide(plot) else grid[row, at % columns])
        axes.set_title(" / ".join(filter(None, [plot.metric, plot.variant])))
        other = axes.twinx() if "yaxis2" in plot.figure["layout"] else axes
        for trace in plot.figure["data"]:
            DRAW[trace["type"]](trace, other if trace.get("yaxis") == "y2" else axes)
        if other is not axes:
            other.set_ylabel(plot.figure["layout"]["yaxis2"]["title"]["text"])
            other.set_ylim(bottom=0)
            other.legend(fontsize=7, loc="lower right")
        dress(plot.figure["layout"], axes)
    figure.savefig(path, dpi=80)


def _is_wide(plot: Plot) -> bool:
    return plot.figure["data"][0]["type"] in ("parcoords", "table")


def scatter(trace: dict[str, Any], axes: Axes) -> None:
    """Points, lines, steps, error bars, or texts."""
    x, y = trace["x"], trace["y"]
    if trace["mode"] == "text":
        for place, height, words in zip(x, y, trace["text"], strict=True):
            bold = "bold" if words.startswith("<b>") else "normal"
            plain = words.removeprefix("<b>").removesuffix("</b>")
            axes.text(place, height, plain, va="center", weight=bold, fontsize=8)
        return
    line, marker = trace.get("line", {}), trace.get("marker", {})
    color = line.get("color") or marker.get("color")
    if isinstance(color, list):
        axes.scatter(x, y, s=18, c=color, label=trace["name"])
        return
    style = {"dash": "--"}.get(line.get("dash", ""), "-") if "lines" in trace["mode"] else ""
    errors = trace.get("error_y")
    axes.errorbar(
        x,
        y,
        [errors["arrayminus"], errors["array"]] if errors else None,
        color=color,
        linestyle=style or "none",
        marker={"star": "*"}.get(marker.get("symbol", ""), "o")
        if "markers" in trace["mode"]
        else "",
        markersize=marker.get("size", 4),
        capsize=2 if errors else 0,
        drawstyle=STEPS.get(line.get("shape", ""), "default"),
        label=trace["name"],
    )


def bar(trace: dict[str, Any], axes: Axes) -> None:
    """Bars by category."""
    axes.bar([str(name) for name in trace["x"]], trace["y"], color=trace["marker"]["color"])
    axes.tick_params(axis="x", rotation=30 if len(trace["x"]) > 5 else 0)


def table(trace: dict[str, Any], axes: Axes) -> None:
    """The last rows of a table."""
    header, cells = trace["header"]["values"], trace["cells"]["values"]
    rows = [list(row) for row in zip(*cells, strict=True)][-16:]
    axes.axis("off")
    shown = axes.table(
        [[str(cell)[:28] for cell in row] for row in rows],
        colLabels=[str(name).removeprefix("General/") for name in header],
        loc="upper center",
        cellLoc="left",
    )
    shown.auto_set_font_size(False)
    shown.set_fontsize(8)
    shown.scale(1, 1.1)
    shown.auto_set_column_width(list(range(len(header))))


def parcoords(trace: dict[str, Any], axes: Axes) -> None:
    """A line for each plan over all dimensions."""
    from matplotlib import colormaps

    dimensions, color = trace["dimensions"], trace["line"]["color"]
    scaled = []
    for dimension in dimensions:
        low, high = min(dimension["values"]), max(dimension["values"])
        scaled.append([(v - low) / ((high - low) or 1) for v in dimension["values"]])
        ticks = dimension.get("ticktext") or (f"{low:g}", f"{high:g}")
        place = len(scaled) - 1
        axes.text(place, -0.04, ticks[0], ha="center", va="top", fontsize=8)
        axes.text(place, 1.03, ticks[-1], ha="center", va="bottom", fontsize=8)
        axes.axvline(place, color="black", linewidth=0.5)
    low, high = min(color), max(color)
    for at, value in enumerate(color):
        shade = colormaps["viridis"]((value - low) / ((high - low) or 1))
        axes.plot([column[at] for column in scaled], color=shade, linewidth=1)
    names = [dimension["label"] for dimension in dimensions]
    axes.set_xticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(-0.12, 1.12)
    axes.set_yticks([])


DRAW = {"scatter": scatter, "bar": bar, "table": table, "parcoords": parcoords}


def dress(layout: dict[str, Any], axes: Axes) -> None:
    """Titles, scales and images of a layout."""
    for side in ("x", "y"):
        axis = layout.get(f"{side}axis", {})
        if "title" in axis:
            getattr(axes, f"set_{side}label")(axis["title"]["text"])
        if axis.get("type") == "log":
            axes.set_xscale("log")
        if axis.get("range"):
            getattr(axes, f"set_{side}lim")(*axis["range"])
        if axis.get("visible") is False:
            getattr(axes, f"get_{side}axis")().set_visible(False)
    for image in layout.get("images", []):
        from PIL import Image

        content = base64.b64decode(image["source"].partition(",")[2])
        small = OffsetImage(Image.open(io.BytesIO(content)), zoom=0.4)
        axes.add_artist(AnnotationBbox(small, (image["x"], image["y"]), frameon=False))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="best")


if __name__ == "__main__":
    main(sys.argv[1:])

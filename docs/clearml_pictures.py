"""Draw what a study leaves on a ClearML server: `python docs/clearml_pictures.py [RUN_DIR]`.

The study is published to a local stand-in for the server, and the plots that were posted are
drawn by Plotly's own code in headless Chromium, with the margins and sizes of ClearML's page.
Needs the package `plotly<6` (for its plotly.js 2.35, the page's) and Debian's `chromium`. Without
a run directory the default study is run first.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from hpo import Study  # noqa: E402
from tests.clearml_server import StandIn  # noqa: E402

WIDTH, HEIGHT = 700, 450
"""Pixels of a plot, and of one whose layout names no height, as on the page."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE = """<!doctype html><meta charset="utf-8"><script>{plotly}</script>
<style>
body {{ margin: 0; background: white; font-family: sans-serif; width: {width}px }}
#all {{ columns: {columns}; column-gap: 0 }}
.plot {{ break-inside: avoid; border: 1px solid #e5e8f1; box-sizing: border-box }}
h3 {{ margin: 0; padding: 6px; background: #f2f4fc; color: #14508a; font-size: 15px;
      font-weight: normal; text-align: center }}
</style><div id="all"></div><script>
for (const [name, figure] of {figures}) {{
  const plot = document.createElement("div"), body = document.createElement("div");
  plot.className = "plot"; plot.innerHTML = "<h3>" + name + "</h3>"; plot.append(body);
  document.getElementById("all").append(plot);
  const table = figure.data[0].type == "table";
  const page = {{height: {height}, width: {plot} - 4, showlegend: figure.data.length > 1,
    legend: {{orientation: "h", y: -0.2}}, margin: table ? {{l: 24, t: 62, r: 24, b: 0}} :
    {{l: 70, r: 50, t: 80, b: 90}}}};
  if (table) page.width = Math.max(page.width, figure.data[0].cells.values.length * 100);
  Plotly.newPlot(body, figure.data, {{...page, ...figure.layout, width: page.width}},
    {{staticPlot: true}});
}}
const all = document.getElementById("all");
all.setAttribute("pixels", Math.ceil(all.getBoundingClientRect().height));
</script>"""

Plots = Sequence[Mapping[str, Any]]


def main(words: list[str]) -> None:
    """Draw the plots of a study, of one of its trials, and the previews of that one's labels."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(words[0]) if words else run(Path(work))
        copy = shutil.copytree(folder, Path(work) / "copy")  # it remembers where it was published
        study, trial, labels = posted(copy, Path(work))
    picture(study, DOCS / "clearml-study.png", 2)
    picture(trial, DOCS / "clearml-trial.png", 3)
    picture(labels, DOCS / "clearml-labels.png", 2)


def run(runs: Path) -> Path:
    """The default search for a plan."""
    study = Study(budget="20", goal="plan", runs=runs)
    study.run()
    study.close()
    return study.folder


def posted(folder: Path, work: Path) -> tuple[Plots, Plots, Plots]:
    """The plots that a server gets: of the study, a trial, and a label version.

    The trial is the recommended plan's; the version is one with several answers to an image.
    """
    server = StandIn()
    os.environ.update(server.settings(), CLEARML_CONFIG_FILE=f"{work}/none.conf")
    from hpo.tracking.clearml.mirror.publish import publish

    outcome = publish(folder, None, lambda *_: None)
    if outcome.problems:
        raise SystemExit("\n".join(outcome.problems))
    tasks = list(server.api.tasks)
    trials = [task for task in tasks if task["type"] == "training"]
    best = next(task for task in trials if "recommended" in task["tags"])
    dense = max(trials, key=lambda t: int(t["hyperparams"]["General"]["overlap"]["value"]))
    ids = (
        next(task["id"] for task in tasks if task["type"] == "optimizer"),
        best["id"],
        dense["hyperparams"]["Datasets"]["labels"]["value"],
    )
    found = [server.api.call("events.get_task_plots", {"task": task})["plots"] for task in ids]
    server.stop()
    return found[0], found[1], found[2]


def picture(plots: Plots, path: Path, columns: int) -> None:
    """Draw plots in columns, and what needs the room below them."""
    shown = [plot for plot in plots if not plot["metric"].startswith("__")]
    figures = [(plot["metric"], json.loads(plot["plot_str"])) for plot in shown]
    wide = [figure for figure in figures if figure[1]["data"][0]["type"] in ("table", "parcoords")]
    narrow = [figure for figure in figures if figure not in wide]
    parts = [draw(narrow, columns, columns * WIDTH)]
    if wide:
        parts.append(draw(wide, 1, columns * WIDTH))
    from PIL import Image

    images = [Image.open(part) for part in parts]
    whole = Image.new("RGB", (images[0].width, sum(image.height for image in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    whole.convert("P", palette=Image.Palette.ADAPTIVE, colors=200).save(path, optimize=True)
    for part in parts:
        part.unlink()


def draw(figures: Sequence[tuple[str, Mapping[str, Any]]], columns: int, width: int) -> Path:
    """A picture of figures, by the browser; its height is what the page says it needs."""
    from plotly.offline import get_plotlyjs

    page = PAGE.format(
        plotly=get_plotlyjs(),
        width=width,
        columns=columns,
        figures=json.dumps(figures).replace("</", "<\\/"),
        height=HEIGHT,
        plot=width // columns,
    )
    browser = next(found for name in BROWSERS if (found := shutil.which(name)))
    with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as file:
        file.write(page)
        file.flush()
        shot = Path(file.name).with_suffix(".png")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"]
        dumped = subprocess.run(  # noqa: S603
            [browser, *flags, f"--window-size={width},1000", "--dump-dom", f"file://{file.name}"],
            capture_output=True,
            text=True,
            check=True,
        )
        pixels = re.search(r'pixels="(\d+)"', dumped.stdout)
        if pixels is None:
            raise SystemExit(f"{browser}: the page was not drawn")
        size = [f"--window-size={width},{pixels[1]}", "--hide-scrollbars", f"--screenshot={shot}"]
        subprocess.run(  # noqa: S603
            [browser, *flags, *size, f"file://{file.name}"], capture_output=True, check=True
        )
    return shot


if __name__ == "__main__":
    main(sys.argv[1:])

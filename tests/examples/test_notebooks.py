"""The notebooks run from the first cell to the last, and show what they promise."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hpo.study.looking import bar
from tests import ROOT


def executed(name: str, folder: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook, run in a folder."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "examples" / name, as_version=4)
    runner = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(folder)}}
    )
    python = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    runner.execute(env={**os.environ, "PYTHONPATH": python, "OMP_NUM_THREADS": "1"})
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cells: list[dict[str, Any]], kind: str) -> list[str]:
    """What cells show in a form, such as text/html."""
    outputs = [output for cell in cells for output in cell["outputs"]]
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_quickstart_shows_the_answer_a_table_and_plots(tmp_path: Path) -> None:
    cells = executed("quickstart.ipynb", tmp_path)
    pages = shown(cells, "text/html")
    assert any("Spend about $" in page and "<table>" in page for page in pages)
    assert any("purchase" in page for page in pages)
    assert len(shown(cells, "image/png")) == 2
    streams = [o["text"] for cell in cells for o in cell["outputs"] if o["output_type"] == "stream"]
    assert any("of $1.00" in text for text in [*streams, *shown(cells, "text/plain")])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_own_photos_end_with_labels_and_a_model(tmp_path: Path) -> None:
    cells = executed("own_photos.ipynb", tmp_path)
    assert any("MADE" in page or "made up" in page for page in shown(cells, "text/html"))
    assert (tmp_path / "runs/folder-photos/model.safetensors").is_file()


def test_notebooks_are_kept_without_outputs() -> None:
    for path in (ROOT / "examples").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") for cell in cells), path.name


def test_no_bar_is_drawn_outside_a_notebook() -> None:
    from budget.money import Money

    assert not bar.in_notebook()
    with bar.shown(None, Money(1_000_000)) as watch:
        assert watch is None

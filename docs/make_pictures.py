"""Draw the pictures of the README from a real run: `python docs/make_pictures.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hpo import Study
from hpo.answer.plot import plot_front


def main() -> None:
    """Search for a plan in a temporary folder and plot its front."""
    with tempfile.TemporaryDirectory() as runs:
        study = Study(budget="20", goal="plan", runs=runs)
        report = study.run()
        study.close()
    plot_front(report, Path(__file__).parent / "front.png")


if __name__ == "__main__":
    main()

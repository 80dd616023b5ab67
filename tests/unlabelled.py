"""A folder of scanned digits of which few have a label."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CLASSES = ("loop", "straight", "open")
SETTINGS: dict[str, object] = {
    "study": "s",
    "seed": 3,
    "price": "0.001,0.002",
    "overlap": "1,2",
    "controls": "0,1",
    "tasks": "50%,100%",
    "exam": "off",
}
"""Settings of a small study on such a folder."""


def few_known(root: Path, images: int, known: int) -> dict[str, object]:
    """Write `images` scans, of which the first `known` are labelled; and name them by settings."""
    from PIL import Image

    from hpo.data.dataset import DIGITS3
    from training.images import load_digits

    scans, digits = load_digits()
    assert scans.pixels is not None
    folder = root / "scans"
    folder.mkdir()
    lines = ["image,label"]
    for row in range(images):
        pixels = np.rint(scans.pixels[row, ..., 0] * 240).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{row:04d}.png")
        if row < known:
            lines.append(f"{row:04d}.png,{CLASSES[DIGITS3[int(digits[row])]]}")
    (root / "known.csv").write_text("\n".join(lines) + "\n")
    return {"data": f"folder:{folder}", "labels": str(root / "known.csv")}


def truth_of(names: tuple[str, ...], classes: tuple[str, ...]) -> np.ndarray:
    """[n] the true class code of each image that `few_known` wrote."""
    from hpo.data.dataset import DIGITS3
    from training.images import load_digits

    _, digits = load_digits()
    rows = [int(Path(name).stem) for name in names]
    return np.array([classes.index(CLASSES[DIGITS3[int(digits[row])]]) for row in rows])

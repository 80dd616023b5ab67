"""The folder in which the documentation's commands run: photos and tables as pages name them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from tests.commands import Done, Running

CLASSES = ("cat", "dog", "bird")
_PHOTOS, _KNOWN, _MORE = 310, 60, 20
_PATIENCE_S = 1800
STUDIES: dict[str, tuple[str, ...]] = {
    "digits3": (),
    "plan": ("--goal", "plan"),
    "mine": ("--data", "photos", "--labels", "photos.csv"),
}
_ODD = ("DIR", "PHOTOS", "NEW_PHOTOS", "NEW_IMAGES", "new-photos")


def make_ground(folder: Path) -> None:
    """Photos in folders and tables; what stands for a reader's own files."""
    from PIL import Image

    from training.images import load_digits

    scans, digits = load_digits()
    assert scans.pixels is not None
    pixels = np.rint(scans.pixels[: _PHOTOS + _MORE, ..., 0] * 240).astype(np.uint8)
    classes = [CLASSES[digit % 3] for digit in digits[: _PHOTOS + _MORE]]
    photos = [f"{kind}/{row:04d}.png" for row, kind in enumerate(classes[:_PHOTOS])]
    more = [f"{row:04d}.png" for row in range(_PHOTOS, _PHOTOS + _MORE)]
    paths = [*(folder / "photos" / name for name in photos), *(folder / "more" / n for n in more)]
    for path, image in zip(paths, pixels, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    _table(folder / "photos.csv", photos, classes)
    _table(folder / "known.csv", photos[:_KNOWN], classes)
    _table(folder / "more.csv", more, classes[_PHOTOS:])
    np.savez(folder / "photos.npz", x=pixels[:_PHOTOS], y=np.array(classes[:_PHOTOS]))
    (folder / "new").mkdir()
    for number, name in enumerate(more[:2], start=1):
        shutil.copy(folder / "more" / name, folder / "new" / f"{number}.png")
    for odd in _ODD:
        shutil.copytree(folder / "more", folder / odd)


def _table(path: Path, names: list[str], classes: list[str]) -> None:
    rows = [f"{name},{kind}" for name, kind in zip(names, classes, strict=False)]
    path.write_text("\n".join(["image,label", *rows]) + "\n")


def run(folder: Path, *words: str) -> Done:
    """Run a command to its end, however busy the machine is."""
    return Running(*words, cwd=folder).end(_PATIENCE_S)


def make_study(folder: Path, name: str) -> None:
    """A study that pages take for granted, as the first of them makes it."""
    words = ("--budget", "20", "--study", name, "--clearml", "off", *STUDIES[name])
    done = run(folder, *words)
    assert done.returncode == 0, done.stderr


def version_in(folder: Path) -> str:
    """The label version that pages call VERSION."""
    report = json.loads((folder / "runs/digits3/report.json").read_text())
    return str(report["delivery"]["labels"]["version"])

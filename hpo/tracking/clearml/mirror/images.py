"""The images behind a study, for the root dataset and for thumbnails."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from hpo.settings.run_folder import read_config
from hpo.tracking.clearml.mirror.previews import SAMPLES, as_png
from hpo.tracking.clearml.server.dataset_layout import File

if TYPE_CHECKING:
    from hpo.data.dataset import Dataset

THUMBNAIL = 40  # pixels
_SAMPLE = 160


class Images:
    """The images of a study's configuration, read at their first use.

    Args:
        folder: the run directory.
        content: their content hash in the journal.
        external: their address on the web; None uploads them.
        shown: whether they leave this machine; else only their names and roles do.
    """

    def __init__(
        self, folder: Path, content: str, external: str | None = None, shown: bool = True
    ) -> None:
        self._folder = folder
        self._content = content
        self._external = external
        self.shown = shown

    @cached_property
    def _data(self) -> Dataset:
        from hpo.data.dataset import load

        data = load(read_config(self._folder), self._folder)
        if data.key() != self._content:
            raise InputError(
                f"{self._folder}: the images are not those of the study any more; bring them back"
            )
        if self._external is not None and data.images.paths is None:
            raise InputError("--images-external: only images of --data folder:DIR lie on the web")
        return data

    @property
    def external(self) -> bool:
        """Whether the images are linked and not uploaded."""
        return self._external is not None

    def files(self) -> Iterator[File]:
        """Every image in use, by its name, and an index of their roles.

        Raises:
            InputError: the images are not where the configuration says, or have changed.
        """
        data = self._data
        rows = np.sort(np.concatenate(list(data.rows.values())))
        yield File("index.csv", self._index(data))
        for row in rows if self.shown else ():
            name = data.images.names[row]
            if data.images.paths is not None:
                link = f"{self._external.rstrip('/')}/{quote(name)}" if self._external else None
                yield File(name, data.images.paths[row], link)
            elif data.images.pixels is not None:
                yield File(f"{name}.png", as_png(_bytes(data.images.pixels[row])))

    def _index(self, data: Dataset) -> bytes:
        table = io.StringIO(newline="")
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["image", "role", "content"])
        for role, rows in data.rows.items():
            for row in rows:
                writer.writerow([data.images.names[row], role, data.images.hashes[row]])
        return table.getvalue().encode()

    def thumbnails(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """Small PNGs by image name; empty if images cannot be read, or are not shown."""
        return self._small(names, THUMBNAIL)

    def samples(self) -> Mapping[str, bytes]:
        """Larger PNGs of some images of the pool, evenly spaced, by image name."""
        try:
            data = self._data
        except InputError:
            return {}
        rows = np.sort(data.rows["pool"])
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLES).round().astype(int))]
        return self._small([data.images.names[row] for row in chosen], _SAMPLE)

    def _small(self, names: Sequence[str], pixels: int) -> dict[str, bytes]:
        from training.images import read_batch

        if not self.shown:
            return {}
        try:
            row_of = {name: row for row, name in enumerate(self._data.images.names)}
            asked = [name for name in names if name in row_of]
            batch = read_batch(self._data.images, [row_of[name] for name in asked], pixels)
        except InputError:
            return {}
        return {name: as_png(image) for name, image in zip(asked, batch, strict=True)}


def _bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """An image of bytes, or of floats in 0..1, as bytes."""
    return np.asarray(image if image.dtype == np.uint8 else np.rint(image * 255), dtype=np.uint8)

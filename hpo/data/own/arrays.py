"""Arrays in memory as a study's images: for data of one's own (`hpo.add_data`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from budget.errors import InputError
from hpo.data.dataset import Dataset, assembled
from hpo.data.folder import FolderImages
from hpo.data.labels_csv import LabelLine
from hpo.data.listing import Listing
from hpo.settings.config import StudyConfig


def arrays_dataset(x: NDArray[Any], labels: Sequence[str], config: StudyConfig) -> Dataset:
    """Images or features with labels; roles are drawn by the study's seed.

    Args:
        x: images [n, height, width] or [n, height, width, channels], or features [n, d].
        labels: n class names; "" where the label is not known.
        config: the study's configuration.

    Raises:
        InputError: the arrays do not fit.
    """
    from training.images import index_array, index_vectors

    if len(labels) != len(x):
        raise InputError(f"--data: {config.data}: {len(x)} items but {len(labels)} labels")
    names = [str(row) for row in range(len(x))]
    index = index_vectors(x, names, config.data) if x.ndim == 2 else index_array(x, names)
    pairs = zip(names, labels, strict=True)
    lines = tuple(LabelLine(0, name, label) for name, label in pairs)
    first: dict[str, int] = {}
    twins = {row: first.setdefault(content, row) for row, content in enumerate(index.hashes)}
    keep = tuple(sorted(first.values()))
    notes = []
    if out := len(lines) - len(keep):
        notes.append(f"{out} items with the content of another are left out")
    read = FolderImages(index, lines, keep, twins, out, tuple(notes))
    return assembled(Listing(lines, config.data, False, ()), read, None, config)

"""Arrays of NumPy's files, without pickles; whatever is wrong with a file is one line."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from budget.files import regular


def read_arrays(
    file: Path, names: Collection[str], setting: str = ""
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Arrays of an .npz file by name.

    Args:
        file: the file; a single array of an .npy file has the name "".
        names: of the arrays to read, where the file holds them.
        setting: that names the file, for messages.

    Returns:
        The arrays, and the names of all that the file holds.

    Raises:
        InputError: the file cannot be read, or an array cannot.
    """
    try:
        with regular(file).open("rb") as content:
            loaded = np.load(content, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"": loaded}, ("",)
            found = {n: np.asarray(loaded[n]) for n in names if n in loaded.files}
            return found, tuple(loaded.files)
    except Exception as error:  # a damaged archive fails in many ways
        told = getattr(error, "strerror", None) or " ".join(str(error).split())
        prefix = f"{setting}: " if setting else ""
        raise InputError(f"{prefix}{file}: cannot be read as a numpy file: {told}") from None

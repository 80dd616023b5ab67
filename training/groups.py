"""Groups of items that look alike, by their features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DIRECTIONS = 32  # principal components: distances in more of them tell little apart
_STARTS = 4


def look_alikes(values: NDArray[np.float32], groups: int, seed: int) -> NDArray[np.int64]:
    """Group of each item: k-means on the principal components of its features.

    Args:
        values: [n, D] features.
        groups: how many; groups may be empty where there are fewer different items.
        seed: of the starts.

    Returns:
        [n] group, numbered by the first item of each.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    distinct = len(np.unique(values, axis=0))
    if distinct < 2:
        return np.zeros(len(values), dtype=np.int64)
    state = seed % 2**32
    directions = min(_DIRECTIONS, *values.shape)
    reduced = PCA(directions, svd_solver="full").fit_transform(values.astype(np.float64))
    count = min(groups, distinct)
    group = KMeans(count, n_init=_STARTS, random_state=state).fit_predict(reduced)
    _, first = np.unique(group, return_index=True)
    number = np.empty(count, dtype=np.int64)
    number[group[np.sort(first)]] = np.arange(count)
    return np.asarray(number[group])

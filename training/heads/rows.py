"""The rows that a stack of heads is fitted to, in the basis in which it is solved.

The basis is the eigenbasis of the rows' covariance, whatever the heads' weights: a function of the
rows alone. So fits to the same rows share it, and a fit gives the same digits whether the basis was
made for it or for another fit before. With fewer rows than features it spans the centred rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]

KEPT_BYTES = 512 * 2**20  # of rows, as given and in their basis, kept for the next fit
NEAR_ZERO = 4.0  # mean square of features up to which single precision has digits enough


class RotatedRows:
    """Features of N rows in their own eigenbasis.

    Args:
        X: [N, D] finite features; nobody changes them while this lives.

    Attributes:
        given: [N, D] the features.
        basis: [D, r] orthonormal columns.
        single: [N, r] features in the basis, in single precision.
        near_zero: the features are about standardised.
    """

    def __init__(self, X: Floats) -> None:
        import torch

        basis = _eigenbasis(X)
        self.basis = torch.from_numpy(basis)
        self.single = torch.from_numpy(X.astype(np.float32) @ basis.astype(np.float32))
        self.near_zero = bool(np.einsum("nd,nd->", X, X) <= NEAR_ZERO * X.size)
        self.given = X
        self._double: Tensor | None = None

    @property
    def double(self) -> Tensor:
        """[N, r] features in the basis, in double precision."""
        import torch

        if self._double is None:
            self._double = torch.from_numpy(self.given @ self.basis.numpy())
        return self._double


_kept: RotatedRows | None = None


def rows_of(X: Floats) -> RotatedRows:
    """The rows in their basis: those of the last call, if they are the same."""
    global _kept
    kept = _kept
    if kept is not None and np.array_equal(kept.given, X):
        return kept
    keeps = 2.5 * X.nbytes <= KEPT_BYTES
    rows = RotatedRows(X.copy() if keeps else X)  # whoever gave kept rows may change them
    _kept = rows if keeps else None
    return rows


def _eigenbasis(X: Floats) -> Floats:
    """Orthonormal columns [D, r], r at most N."""
    centred = X - X.mean(axis=0)
    if len(X) >= X.shape[1]:
        _, basis = np.linalg.eigh(centred.T @ centred)
        return np.asarray(basis)
    # The covariance is D x D, but of rank below N: the SVD of the rows never forms it.
    _, _, basis = np.linalg.svd(centred, full_matrices=False)
    return np.ascontiguousarray(basis.T)

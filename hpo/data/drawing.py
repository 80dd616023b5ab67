"""Roles of images that no file gives one: drawn once, by seed, each class in proportion."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hpo.data.labels_csv import ROLES
from hpo.settings.config import StudyConfig
from labeling.seeds import generator

# The split of the 1,797 scans; other data without roles is split in the same proportions.
_SPLIT = {"pool": 980, "control": 50, "validation": 367, "final": 400}
_CONTROLS = 20  # images that an exam and control tasks can do with


def weights_of(config: StudyConfig) -> dict[str, Fraction]:
    """How the images are shared among the roles, where no file gives roles."""
    if config.roles is not None:
        return dict(zip(ROLES, config.roles, strict=True))
    return {role: Fraction(size) for role, size in _SPLIT.items()}


def split(
    truth: NDArray[np.int64],
    keep: NDArray[np.int64],
    seed: int,
    weights: Mapping[str, Fraction] | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Split rows into the four roles, once, by seed, stratified by class.

    Each class's rows get evenly spaced positions with a random start in a random order; sorted by
    position, any run of rows holds each class in proportion (systematic sampling).

    Args:
        truth: [n] class codes.
        keep: rows to split.
        seed: the study's seed.
        weights: of the roles; None for the proportions of the 1,797 digits (980 pool, 50
            control, 367 validation, 400 final).

    Returns:
        Role -> ascending rows.
    """
    rng = generator(seed, "split")
    position = np.empty(len(truth))
    for code in np.unique(truth[keep]):
        members = keep[truth[keep] == code]
        ranks = rng.permutation(len(members)) + rng.random()
        position[members] = ranks / len(members)
    order = keep[np.argsort(position[keep], kind="stable")]
    shares = weights or _SPLIT
    total, whole = len(order), sum(shares.values())
    sizes = {
        role: round(total * shares[role] / whole) for role in ("control", "validation", "final")
    }
    rows, start = {}, 0
    for role, size in sizes.items():
        rows[role] = np.sort(order[start : start + size])
        start += size
    rows["pool"] = np.sort(order[start:])
    return rows


def draw_missing(
    given: dict[str, NDArray[np.int64]],
    unset: NDArray[np.int64],
    truth: NDArray[np.int64],
    config: StudyConfig,
) -> dict[str, NDArray[np.int64]]:
    """Roles of images of which some have one: the roles that none has are drawn.

    Args:
        given: role -> rows that have it.
        unset: rows without a role.
        truth: [n] class codes; images without a label stay in the pool.
        config: gives the seed and the shares.
    """
    free = np.sort(np.concatenate([unset, given["pool"]]))
    known, unknown = free[truth[free] >= 0], free[truth[free] < 0]
    absent = [role for role in ROLES[1:] if not len(given[role])]
    weights = weights_of(config)
    total = len(free) + sum(len(given[role]) for role in ROLES[1:])
    if config.roles is None:
        weights = _with_controls(weights, total)
    # Shares are of all images, but only the free ones are shared out.
    scale = Fraction(total, max(len(free), 1)) / sum(weights.values())
    wanted = {role: weights[role] * scale if role in absent else Fraction(0) for role in ROLES[1:]}
    most = Fraction(1, 2) if len(absent) < len(ROLES) - 1 else Fraction(1)
    less = most / max(most, sum(wanted.values()))
    shares = {role: share * less for role, share in wanted.items()}
    shares["pool"] = Fraction(1) - sum(shares.values(), Fraction(0))
    drawn = split(truth, known, config.seed, shares)
    rows = {role: drawn[role] if role in absent else given[role] for role in ROLES[1:]}
    return {**rows, "pool": np.sort(np.concatenate([drawn["pool"], unknown]))}


def _with_controls(weights: dict[str, Fraction], count: int) -> dict[str, Fraction]:
    """Shares with as many control images as are advised, up to a tenth of a small folder."""
    whole = sum(weights.values())
    least = whole * Fraction(min(_CONTROLS, count // 10), max(count, 1))
    more = max(Fraction(0), least - weights["control"])
    return {**weights, "control": weights["control"] + more, "pool": weights["pool"] - more}

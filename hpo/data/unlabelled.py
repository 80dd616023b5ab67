"""Images without labels: which of them are bought test labels for, and which stay in the pool.

A model is measured on validation and final images. Where their labels are not known, the study
buys them. Few known labels become control tasks, by which annotators are checked, and a check of
the labels that are bought: they are asked about along with the others, unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hpo.settings.config import StudyConfig
from labeling.seeds import generator

Rows = NDArray[np.int64]
Roles = Mapping[str, Rows]
"""Role -> ascending rows."""

ADVISED = {"control": 20, "validation": 200, "final": 200}
"""Images that a role should have at least."""
TESTS = ("validation", "final")
"""Roles of the images that models are measured on."""

_MOST_CONTROLS = 50
_MOST_TESTED = Fraction(2, 5)  # of the images without a label: the rest is to be learned from


def is_for_tests(given: Roles, unset: Rows, truth: Rows) -> bool:
    """Whether no image has a role beside the pool's, some have no label, and few have one."""
    free = np.concatenate([unset, given["pool"]])
    known = int((truth[free] >= 0).sum())
    is_bare = not any(len(given[role]) for role in ADVISED)
    return is_bare and known < len(free) and known < sum(ADVISED.values())


def deal_roles(truth: Rows, keep: Rows, seed: int) -> dict[str, Rows]:
    """Roles of images of which few have a label, and none has a role.

    A third of the known labels, 20 to 50, become control tasks; validation and final images share
    the rest. Each role holds each class in proportion, as far as its numbers go.

    Args:
        truth: [n] class codes, -1 where unknown.
        keep: rows in use.
        seed: the study's.
    """
    known = keep[truth[keep] >= 0]
    order = _evenly(truth, known, seed)
    controls = min(len(known), _MOST_CONTROLS, max(ADVISED["control"], len(known) // 3))
    half = controls + -(-(len(order) - controls) // 2)
    return {
        "pool": np.sort(keep[truth[keep] < 0]),
        "control": np.sort(order[:controls]),
        "validation": np.sort(order[controls:half]),
        "final": np.sort(order[half:]),
    }


def _evenly(truth: Rows, known: Rows, seed: int) -> Rows:
    """Rows in a random order in which any run holds each class in proportion."""
    rng = generator(seed, "few known labels")
    position = np.zeros(len(truth))
    for code in np.unique(truth[known]):
        members = known[truth[known] == code]
        position[members] = (rng.permutation(len(members)) + rng.random()) / len(members)
    return np.asarray(known[np.argsort(position[known], kind="stable")])


def has_enough(role: str, rows: Roles, truth: Rows, config: StudyConfig) -> bool:
    """Whether a role has known labels enough to measure by, so that none are bought."""
    known = int((truth[rows[role]] >= 0).sum())
    return not config.test_images or known >= (1 if config.few_labels_ok else ADVISED[role])


def with_tests(rows: Roles, truth: Rows, config: StudyConfig) -> dict[str, Rows]:
    """Roles with test images drawn from the pool, by seed, where known labels are too few.

    Images that have these roles already, without a label, count first.

    Args:
        rows: the roles so far.
        truth: [n] class codes, -1 where unknown.
        config: says how many test labels may be bought.
    """
    bare = rows["pool"][truth[rows["pool"]] < 0]
    short = [role for role in TESTS if not has_enough(role, rows, truth, config)]
    order = generator(config.seed, "test images").permutation(bare)
    most, start, dealt = int(len(bare) * _MOST_TESTED) // 2, 0, dict(rows)
    for role in short:
        wanted = config.test_images // 2 - int((truth[rows[role]] < 0).sum())
        drawn = order[start : start + max(0, min(most, wanted))]
        dealt[role] = np.sort(np.concatenate([rows[role], drawn]))
        start += len(drawn)
    dealt["pool"] = rows["pool"][~np.isin(rows["pool"], order[:start])]
    return dealt


def test_notes(rows: Roles, truth: Rows, config: StudyConfig) -> tuple[str, ...]:
    """What is said of test labels that are to be bought; nothing where all are known."""
    lacking = {role: int((truth[rows[role]] < 0).sum()) for role in TESTS}
    if not any(lacking.values()):
        return ()
    known = int((truth >= 0).sum())
    counts = " and ".join(f"{count} {role}" for role, count in lacking.items() if count)
    few = f"{known} labels are known, too few to measure models by. " if known else ""
    asked_too = min(sum(lacking.values()), sum(int((truth[rows[r]] >= 0).sum()) for r in TESTS))
    are = "is" if asked_too == 1 else "are"
    check = f" {asked_too} of known label {are} asked about, too." if asked_too else ""
    alone = " --few-labels-ok measures by the known labels alone." if known else ""
    return (
        f"{few}Labels of {counts} images are bought first, {config.test_overlap} answers each."
        f"{check} The accuracy is corrected for wrong answers, and its interval is wider for "
        f"it.{alone}",
    )


def unlabelled_notes(known: NDArray[np.bool_], config: StudyConfig) -> tuple[str, ...]:
    """What a study lacks where no label is known, or does without where some are."""
    if not known.any():
        return (
            "No label is known: no control task and no exam can be used; annotators are judged by "
            "how far their answers agree.",
        )
    is_without = config.classes is not None and config.labels is None
    if is_without and config.controls == (0,) and config.exam == (False,):
        return (
            f"{int(known.sum())} labels are known: --controls 0,1 and --exam off,on would check "
            "annotators by them.",
        )
    return ()

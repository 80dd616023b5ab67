"""The labels that models are measured by, as a table: known ones and bought ones, told apart."""

from __future__ import annotations

from budget.files import write_whole
from hpo.data.unlabelled import TESTS
from hpo.trial.truth.bought import bought_tests
from hpo.trial.world import World
from labeling.tables.spelling import guarded
from labeling.tables.writing import csv_text

TEST_LABELS = "test_labels.csv"
KNOWN, BOUGHT = "known", "bought"
"""Marks of a label: given by the user, or bought to measure by."""
_COLUMNS = ("image", "role", "label", "mark", "confidence")


def write_test_labels(world: World) -> None:
    """Write validation and final images with their labels into the study's folder.

    A bought label's confidence is its probability by the answers; a known label has 1. Nothing is
    written where no label was bought.
    """
    tests = bought_tests(world)
    if tests is None:
        return
    data, rows = world.data, []
    for role in TESTS:
        for row in (int(row) for row in data.rows[role]):
            code = int(tests.code[row])
            if code < 0:
                continue
            is_known = bool(data.known[row])
            sure = 1.0 if is_known else float(tests.posterior[row, code])
            names = (data.images.names[row], role, data.classes[code])
            mark = KNOWN if is_known else BOUGHT
            rows.append([*(guarded(name) for name in names), mark, f"{sure:.6f}"])
    write_whole(world.folder / TEST_LABELS, csv_text(_COLUMNS, rows).encode())

"""Networks trained on labels: they learn, and a killed run ends as an undisturbed one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.images import load_digits
from training.networks import finetuning
from training.networks.finetuning import train_network
from training.networks.recipes import FROM_SCRATCH

SHORT = replace(FROM_SCRATCH, epochs=4, patience=4)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.threads.usable_cores", lambda: 1)


def digits(labelled: int) -> tuple[object, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Zeros and ones: index, labelled rows, their targets, other rows, their digits."""
    index, digit = load_digits()
    rows = np.flatnonzero(digit < 2)
    mine, other = rows[:labelled], rows[labelled : labelled + 100]
    return index, mine, np.eye(2)[digit[mine]], other, digit[other]


def test_a_network_learns_from_soft_labels_with_weights() -> None:
    index, rows, targets, other, truth = digits(80)
    soft = 0.8 * targets + 0.1
    result = train_network(
        index, rows, soft, np.arange(1.0, 81.0), other, replace(SHORT, epochs=12), seed=1
    )
    assert result.probabilities.shape == (100, 2)
    assert np.allclose(result.probabilities.sum(axis=1), 1, atol=1e-5)
    assert (result.probabilities.argmax(axis=1) == truth).mean() > 0.95
    assert 1 <= result.best <= result.epochs <= 12


class KilledError(Exception):
    pass


def test_a_killed_run_goes_on_and_gives_what_an_undisturbed_run_gives(tmp_path: Path) -> None:
    index, rows, targets, other, _ = digits(40)
    counts = np.ones(40)
    whole = train_network(index, rows, targets, counts, other, SHORT, seed=1)

    def stop(passes: int, most: int) -> None:
        if passes == 2:
            raise KilledError

    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KilledError):
        train_network(index, rows, targets, counts, other, SHORT, seed=1, checkpoint=file, say=stop)
    made: list[int] = []
    again = train_network(
        index,
        rows,
        targets,
        counts,
        other,
        SHORT,
        seed=1,
        checkpoint=file,
        say=lambda passes, most: made.append(passes),
    )
    assert made == [3, 4]
    np.testing.assert_allclose(again.probabilities, whole.probabilities, atol=1e-6)
    assert not file.exists()


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_checkpoint_that_is_damaged_or_of_other_labels_is_passed_over(
    tmp_path: Path, damage: str
) -> None:
    index, rows, targets, other, _ = digits(40)
    one = replace(SHORT, epochs=1)
    file = tmp_path / "checkpoint.pt"

    def stop(passes: int, most: int) -> None:
        raise KilledError

    labels = targets if damage == "cut" else targets[::-1].copy()
    with pytest.raises(KilledError):
        train_network(index, rows, labels, np.ones(40), other, one, 1, checkpoint=file, say=stop)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:500])
    whole = train_network(index, rows, targets, np.ones(40), other, one, 1)
    again = train_network(index, rows, targets, np.ones(40), other, one, 1, checkpoint=file)
    np.testing.assert_allclose(again.probabilities, whole.probabilities, atol=1e-6)


@pytest.mark.parametrize(("rows", "held"), [(2, 0), (398, 60), (390, 0), (10_000, 500)])
def test_of_many_labels_some_are_held_out(rows: int, held: int) -> None:
    assert finetuning._held_out(rows, False) == held


@pytest.mark.parametrize(("rows", "held"), [(1, 0), (75, 25), (300, 60), (1000, 150)])
def test_of_few_labels_a_third_is_held_out_where_all_are_learned_from_later(
    rows: int, held: int
) -> None:
    assert finetuning._held_out(rows, True) == held


def test_no_batch_holds_a_single_image() -> None:
    for rows in (2, 32, 33, 65):
        parts = finetuning._batches(np.arange(rows), 32)
        assert min(len(part) for part in parts) > 1
        assert np.concatenate(parts).tolist() == list(range(rows))

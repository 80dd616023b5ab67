"""A pretrained network starts as the head on its features, and ends no worse on held-out labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import fit
from training.backbone import embed, load_backbone
from training.images import ImageIndex, load_digits, read_batch
from training.networks import finetuning
from training.networks.architecture import build
from training.networks.finetuning import HeadStart, NetworkResult, train_network
from training.networks.recipes import Recipe, fine_tuned
from training.weights.files import WeightsFile
from training.weights.sources import find_weights

timm = pytest.importorskip("timm")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:timm")

LABELS = 48
SIDE = 32
WITH_BATCH_STATISTICS = "test_efficientnet"
Found = dict[str, Any]
Train = Callable[..., NetworkResult]


class KilledError(Exception):
    pass


@pytest.fixture(autouse=True)
def _alike_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.threads.usable_cores", lambda: 1)
    monkeypatch.setattr("training.networks.architecture._is_bf16_fast", lambda device: False)
    monkeypatch.setattr("training.backbone.pick_device", lambda: "cpu")


@pytest.fixture(scope="module")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], WeightsFile]:
    """Random weights of a tiny model, as a file."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("weights")

    def weights(name: str) -> WeightsFile:
        file = folder / f"{name}.safetensors"
        torch.manual_seed(0)
        save_file(timm.create_model(name).state_dict(), file)
        return find_weights(name, file)

    return weights


def fitted(name: str, weights: WeightsFile) -> tuple[ImageIndex, Found, HeadStart, Recipe]:
    """Zeros to twos: images, labelled rows with targets, the head on their features, the recipe."""
    index, digit = load_digits()
    rows = np.flatnonzero(digit < 3)[:LABELS]
    features = embed(load_backbone(name, weights, SIDE), index, rows.tolist())
    shares = 0.9 * np.eye(3)[digit[rows]] + 0.1 / 3
    counts = np.arange(LABELS) % 3 + 1.0
    model = fit.train(features, {"soft": shares}, shares, counts, np.random.default_rng(0))
    labels = {"rows": rows, "targets": shares, "weights": counts}
    recipe = replace(fine_tuned(name, weights, SIDE), epochs=3)
    return index, labels, HeadStart(replace(model, temperature=0.5), features), recipe


@pytest.fixture
def train(weights_of: Callable[[str], WeightsFile]) -> Train:
    """`train_network` on digits, asked about the labelled images."""
    name = WITH_BATCH_STATISTICS
    index, labels, start, recipe = fitted(name, weights_of(name))

    def made(rate: float = recipe.rate, **more: Any) -> NetworkResult:
        recipe_ = replace(recipe, rate=rate)
        return train_network(
            index, **labels, asked=labels["rows"], recipe=recipe_, seed=1, start=start, **more
        )

    made.head = start.model.logits(start.features)
    return made


@pytest.fixture
def best_is_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held-out losses by passes: the second pass is best."""
    loss = (1.0, 0.8, 0.7, 0.75)
    monkeypatch.setattr(
        "training.networks.finetuning._Run._held_out_loss", lambda run: loss[run.passes]
    )


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", WITH_BATCH_STATISTICS])
def test_before_the_first_step_a_network_is_the_head(
    weights_of: Callable[[str], WeightsFile], name: str
) -> None:
    index, labels, start, recipe = fitted(name, weights_of(name))
    network = build(recipe, 3, index.side, start.model)
    network.module.eval()
    logits = network.logits(read_batch(index, labels["rows"], SIDE)).detach().numpy()
    head = start.model.logits(start.features)
    assert head.std() > 0.1
    np.testing.assert_allclose(logits, head, atol=1e-4)


def test_a_network_that_only_gets_worse_stays_the_head(train: Train) -> None:
    made = train(rate=30.0)
    assert (made.best, made.epochs) == (0, 3)
    head = np.exp(train.head) / np.exp(train.head).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.probabilities, head, atol=1e-4)


def test_a_network_that_gets_better_learns_from_all_labels_and_the_same_each_time(
    train: Train, best_is_two: None
) -> None:
    said: list[tuple[int, int]] = []
    made = train(say=lambda done, most: said.append((done, most)))
    assert said == [(1, 6), (2, 6), (3, 6), (4, 5), (5, 5)]
    assert (made.best, made.epochs) == (2, 3)
    assert np.array_equal(made.probabilities, train().probabilities)


def test_held_out_labels_count_where_the_network_learns_again(
    train: Train, best_is_two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []
    loss = finetuning._Run._loss

    def counted(run: Any, part: Any, pixels: Any) -> Any:
        learned.extend([len(run.held)] * len(part))
        return loss(run, part, pixels)

    monkeypatch.setattr(finetuning._Run, "_loss", counted)
    train()
    assert learned == [16] * 3 * (LABELS - 16) + [0] * 2 * LABELS


@pytest.mark.slow
@pytest.mark.parametrize("killed_after", [1, 3, 4])
def test_a_run_killed_while_it_chooses_or_learns_again_goes_on(
    train: Train, best_is_two: None, tmp_path: Path, killed_after: int
) -> None:
    def stop(passes: int, most: int) -> None:
        if passes == killed_after:
            raise KilledError

    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KilledError):
        train(checkpoint=file, say=stop)
    passes: list[int] = []
    again = train(checkpoint=file, say=lambda done, most: passes.append(done))
    assert passes[0] == killed_after + 1
    assert np.array_equal(again.probabilities, train().probabilities)
    assert not list(tmp_path.iterdir())


def test_training_leaves_batch_statistics_alone_and_moves_low_layers_less(
    weights_of: Callable[[str], WeightsFile],
) -> None:
    import torch

    index, labels, start, recipe = fitted("test_resnet", weights_of("test_resnet"))
    network = build(recipe, 3, index.side, start.model)
    before = network.copy()
    optimiser = network.optimiser(recipe.rate)
    finetuning._schedule(optimiser, recipe).step(1)
    network.to_training()
    logits = network.logits(read_batch(index, labels["rows"], SIDE))
    torch.nn.functional.cross_entropy(logits, torch.tensor(labels["targets"])).backward()
    optimiser.step()
    changed = {name for name, now in network.copy().items() if not torch.equal(now, before[name])}
    assert {"1.weight", "1.bias", "0.bn1.weight", "0.layer4.0.bn2.weight"} < changed
    low, high = (
        (network.module.state_dict()[name] - before[name]).abs().max()
        for name in ("0.bn1.weight", "0.layer4.0.bn2.weight")
    )
    assert low < 0.5 * high
    assert not [name for name in changed if "running" in name or "batches" in name]


def test_the_head_that_later_passes_have_to_beat_has_not_seen_the_held_out_labels(
    weights_of: Callable[[str], WeightsFile],
) -> None:
    _, labels, start, _ = fitted("test_resnet", weights_of("test_resnet"))
    kept = slice(0, 30)
    targets, counts = labels["targets"].copy(), labels["weights"]
    some = fit.fit_again(start.model, start.features[kept], targets[kept], counts[kept])
    whole = fit.fit_again(start.model, start.features, targets, counts)
    assert (some.rows, some.lam, some.temperature) == (30, start.model.lam, None)
    assert np.abs(some.weights - start.model.weights).max() > 1e-2
    np.testing.assert_allclose(whole.weights, start.model.weights, atol=1e-3)

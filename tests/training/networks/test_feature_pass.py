"""A pass that was killed goes on; its features are those of an undisturbed one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import backbone, features
from training.images import ImageIndex, index_array
from training.networks import feature_pass
from training.weights.files import WeightsFile, file_hash

pytest.importorskip("timm")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:timm")
COUNT = 40


@pytest.fixture
def index() -> ImageIndex:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (COUNT, 20, 24, 3), dtype=np.uint8)
    return index_array(pixels, [str(row) for row in range(COUNT)])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_killed_pass_computes_only_what_it_lacks(
    after: int, index: ImageIndex, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_pass, "PART", 12)
    whole = features.extract(index, "test_resnet", weights, tmp_path / "a", 64)
    embed, seen = backbone.embed, []

    def until(model: backbone.Backbone, images: ImageIndex, rows: list[int]) -> object:
        if len(seen) == after:
            raise Killed
        seen.append(rows)
        return embed(model, images, rows)

    monkeypatch.setattr(backbone, "embed", until)
    with pytest.raises(Killed):
        features.extract(index, "test_resnet", weights, tmp_path / "b", 64)
    first, after = list(seen), -1
    # A part that was cut short by the kill is computed again.
    damaged = sorted((tmp_path / "b").glob("*/*.parts/*"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-7])
    told: list[tuple[int, int]] = []
    with feature_pass.watching(lambda done, of: told.append((done, of))):
        again = features.extract(index, "test_resnet", weights, tmp_path / "b", 64)
    assert np.array_equal(again.values, whole.values)
    later = seen[len(first) :]
    assert later[0] == first[0]
    new = dict.fromkeys(int(row) for rows in later[1:] for row in rows)  # batches are filled up
    assert list(new) == list(range(12 * len(first), COUNT))
    assert told == [(0, 40), (12, 40), (24, 40), (36, 40), (40, 40)]
    assert list((tmp_path / "b").glob("*/*.parts")) == []


def test_a_pool_that_grew_computes_its_new_images_and_gives_the_same_bytes(
    index: ImageIndex, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = features.extract(index, "test_resnet", weights, tmp_path / "a", 64)
    assert index.pixels is not None
    few = index_array(index.pixels[:30], index.names[:30])
    features.extract(few, "test_resnet", weights, tmp_path / "b", 64)
    embed, seen = backbone.embed, []

    def counted(model: backbone.Backbone, images: ImageIndex, rows: list[int]) -> object:
        seen.extend(rows)
        return embed(model, images, rows)

    monkeypatch.setattr(backbone, "embed", counted)
    grown = features.extract(index, "test_resnet", weights, tmp_path / "b", 64)
    assert set(seen) == set(range(30, COUNT))
    assert np.array_equal(grown.values, whole.values)
    assert grown.key == whole.key


def test_features_do_not_depend_on_cores_or_neighbours(
    index: ImageIndex, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = WeightsFile(weights, "file:w", file_hash(weights))
    model = backbone.load_backbone("test_resnet", file, 64)
    if model.device != "cpu":
        pytest.skip("this test is about processors")
    together = backbone.embed(model, index)
    for cores in (1, 3):
        monkeypatch.setattr(backbone, "usable_cores", lambda n=cores: n)
        assert np.array_equal(backbone.embed(model, index), together)
    alone = np.concatenate([backbone.embed(model, index, [row]) for row in range(COUNT)])
    assert np.abs(alone - together).max() < 1e-5 * together.std()


def test_small_photos_are_seen_larger_and_a_wish_wins(weights: Path) -> None:
    file = WeightsFile(weights, "file:w", file_hash(weights))
    assert backbone.input_side("test_resnet", file, 32) == 128
    assert backbone.input_side("test_resnet", file, 64) == 128
    assert backbone.input_side("test_resnet", file, 65) == 160
    assert backbone.input_side("test_resnet", file, 32, 96) == 96
    assert backbone.input_side("test_vit", file, 32) == 160  # it takes its own size only


def test_another_size_is_another_cache_entry(
    index: ImageIndex, weights: Path, tmp_path: Path
) -> None:
    sizes = (64, 96, None)
    made = [features.extract(index, "test_resnet", weights, tmp_path, size) for size in sizes]
    assert len({each.key for each in made}) == 3
    assert [each.image_size for each in made] == [64, 96, 128]

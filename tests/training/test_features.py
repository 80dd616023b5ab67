"""Features are computed once, cached by content, and the same either way."""

import numpy as np
import pytest
from PIL import Image

from budget.errors import InputError
from training import features
from training.images import ImageIndex, index_array, scan_images


def colour_index(n=12, seed=0, side=24):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(n, side, side, 3), dtype=np.uint8)
    return index_array(pixels, [f"i{k}" for k in range(n)])


@pytest.fixture
def counted(monkeypatch):
    """Counts computations."""
    calls = []
    compute = features._compute
    monkeypatch.setattr(features, "_compute", lambda *a: calls.append(a[1]) or compute(*a))
    return calls


def test_no_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="no images"):
        features.extract(ImageIndex((), (), None, (), 0), "auto", None, tmp_path)


def test_weights_for_a_weights_free_backbone_are_refused(tmp_path):
    with pytest.raises(InputError, match="leave out --backbone-file"):
        features.extract(colour_index(), "patch", tmp_path / "w.safetensors", tmp_path)


@pytest.mark.parametrize("backbone", ["pixels", "patch"])
def test_second_call_computes_nothing_and_gives_the_same(tmp_path, counted, backbone):
    cache = tmp_path / "deep" / "cache"
    first = features.extract(colour_index(), backbone, None, cache)
    second = features.extract(colour_index(), backbone, None, cache)
    assert counted == [backbone]
    assert first.key == second.key
    assert first.values.dtype == np.float32
    assert np.array_equal(first.values, second.values)
    filters = [f"{first.key}.filters.safetensors"] if backbone == "patch" else []
    assert sorted(p.name for p in cache.iterdir()) == [*filters, f"{first.key}.safetensors"]


def test_patches_of_a_cache_that_lacks_them_are_learned_again_and_are_the_same(tmp_path, counted):
    first = features.extract(colour_index(), "patch", None, tmp_path)
    (tmp_path / f"{first.key}.filters.safetensors").unlink()
    again = features.extract(colour_index(), "patch", None, tmp_path)
    assert counted == ["patch"]
    assert np.array_equal(first.filters.packed(), again.filters.packed())


@pytest.mark.slow
def test_other_images_order_or_backbone_are_other_entries(tmp_path, counted):
    index = colour_index()
    turned = index_array(index.pixels[::-1], index.names)
    keys = {
        features.extract(images, backbone, None, tmp_path).key
        for images in (index, turned, colour_index(seed=1))
        for backbone in ("pixels", "patch")
    }
    assert len(keys) == len(counted) == 6


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "text", "other"])
def test_damaged_cache_file_is_rebuilt(tmp_path, counted, damage):
    good = features.extract(colour_index(), "pixels", None, tmp_path)
    file = tmp_path / f"{good.key}.safetensors"
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    other = features.extract(colour_index(n=5), "pixels", None, tmp_path / "other")
    file.write_bytes(
        {
            "truncated": content[:-100],
            "empty": b"",
            "flipped": bytes(flipped),
            "text": b"not features",
            "other": (tmp_path / "other" / f"{other.key}.safetensors").read_bytes(),
        }[damage]
    )
    again = features.extract(colour_index(), "pixels", None, tmp_path)
    assert np.array_equal(again.values, good.values)
    assert file.read_bytes() == content
    assert len(counted) == 3


def test_cache_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="cannot write the feature cache"):
        features.extract(colour_index(), "pixels", None, tmp_path / "cache")


def test_auto_takes_pixels_for_tiny_images_and_patches_else(tmp_path):
    tiny = features.extract(colour_index(side=16), "auto", None, tmp_path)
    small = features.extract(colour_index(side=17), "auto", None, tmp_path)
    assert (tiny.name, tiny.values.shape) == ("pixels", (12, 16 * 16 * 3))
    assert (small.name, small.values.shape) == ("patch", (12, 512))
    assert (small.weights_source, small.weights_hash) == ("none", "")


def test_folder_and_array_of_the_same_pixels_have_the_same_features(tmp_path):
    array = colour_index()
    for name, image in zip(array.names, array.pixels, strict=True):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    folder, bad = scan_images(tmp_path, [f"{name}.png" for name in array.names])
    assert bad == ()
    for backbone in ("pixels", "patch"):
        a = features.extract(array, backbone, None, tmp_path / "cache")
        b = features.extract(folder, backbone, None, tmp_path / "cache")
        np.testing.assert_allclose(a.values, b.values, atol=1e-6)


@pytest.mark.slow
def test_patch_features_tell_textures_apart_that_mean_colour_cannot(tmp_path):
    # Stripes across against stripes down with random phase: linear in pixels is chance level.
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    wave = np.sin(np.arange(32) * 2 * np.pi / 6 + rng.uniform(0, 6.3, size=(300, 1)))
    planes = np.where(
        y[:, None, None] == 1, wave[:, :, None] + np.zeros(32), wave[:, None, :] + np.zeros((32, 1))
    )
    noisy = np.clip(128 + 40 * planes + rng.normal(0, 40, size=planes.shape), 0, 255)
    index = index_array(noisy.astype(np.uint8), [str(k) for k in range(300)])
    accuracy = {}
    for backbone in ("pixels", "patch"):
        X = features.extract(index, backbone, None, tmp_path).values
        accuracy[backbone] = held_out_accuracy(X, y)
    assert accuracy["patch"] > 0.95 > 0.7 > accuracy["pixels"]


def held_out_accuracy(X, y):
    from training.fit import train

    shares, rng = np.eye(2)[y[:200]], np.random.default_rng(0)
    model = train(X[:200], {"soft": shares}, shares, np.ones(200), rng, scale=X)
    return (model.predict(X[200:]).argmax(1) == y[200:]).mean()

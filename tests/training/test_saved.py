"""A saved model predicts what the model in memory predicts, temperature included."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from budget.errors import InputError
from training.encoder import Encoder, encoder_of
from training.features import extract
from training.fit import Model, train
from training.images import index_array, scan_images
from training.saved import load_model, model_bytes


def head(temperature: float | None) -> Model:
    rng = np.random.default_rng(0)
    weights, mean = rng.normal(size=(6, 3)), rng.normal(size=5)
    return Model(
        weights, mean, np.full(5, 2.0), 0.01, "soft", 0.1, 98, (), 0.0, 1, temperature=temperature
    )


@pytest.mark.parametrize("temperature", [None, 0.3])
def test_a_saved_model_predicts_the_same(tmp_path, temperature):
    X = np.random.default_rng(1).normal(size=(40, 5))
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(head(temperature), ("a", "b", "c"), {"plan": "p"}))
    saved = load_model(path)
    assert saved.model.temperature == temperature
    np.testing.assert_array_equal(saved.model.predict(X), head(temperature).predict(X))


def test_a_temperature_sharpens_and_keeps_the_class():
    X = np.random.default_rng(1).normal(size=(40, 5))
    sharp, plain = head(0.3).predict(X), head(None).predict(X)
    assert (sharp.argmax(axis=1) == plain.argmax(axis=1)).all()
    assert (sharp.max(axis=1) > plain.max(axis=1)).all()
    np.testing.assert_allclose(sharp.sum(axis=1), 1)


def test_a_model_saved_without_a_temperature_is_read(tmp_path):
    """Files of studies from before there was one."""
    from safetensors.numpy import load, save

    model = head(None)
    raw = model_bytes(model, ("a", "b", "c"), {})
    start = 8 + int.from_bytes(raw[:8], "little")
    text = json.loads(json.loads(raw[8:start])["__metadata__"]["labelworth"])
    del text["model"]["temperature"]
    path = tmp_path / "model.safetensors"
    path.write_bytes(save(load(raw), {"labelworth": json.dumps(text)}))
    X = np.ones((2, 5))
    np.testing.assert_array_equal(load_model(path).model.predict(X), model.predict(X))
    assert replace(model, temperature=2.0).predict(X).max() < model.predict(X).max()


# --- files that are refused ---


@pytest.mark.parametrize("name", ["model.pt", "model.PKL", "model.joblib", "model.bin"])
def test_a_pickle_is_refused_by_name_and_never_run(tmp_path, name):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle ran",))

    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="run code"):
        load_model(tmp_path / name)
    renamed = tmp_path / "model.safetensors"
    renamed.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="no model saved by labelworth"):
        load_model(renamed)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 100, b"\0" * 8 + b"{}", bytes(4)])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors: no model saved by labelworth"):
        load_model(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_model(tmp_path / "nowhere.safetensors")


def changed(path, **said):
    """A saved model with other texts or tensors."""
    from safetensors.numpy import load, save

    raw = model_bytes(head(None), ("a", "b", "c"), {}, Encoder("pixels", (1, 5, 1)))
    start = 8 + int.from_bytes(raw[:8], "little")
    text = json.loads(json.loads(raw[8:start])["__metadata__"]["labelworth"])
    tensors = {**load(raw), **{k: v for k, v in said.items() if isinstance(v, np.ndarray)}}
    text |= {k: v for k, v in said.items() if not isinstance(v, np.ndarray)}
    path.write_bytes(save(tensors, {"labelworth": json.dumps(text)}))
    return path


@pytest.mark.parametrize(
    "said",
    [
        {"classes": ["a", "b"]},
        {"model": {}},
        {"encoder": {"backbone": "patch", "shape": [32, 32, 3]}},
        {"encoder": {"backbone": "pixels", "shape": [8, 8]}},
        {"encoder": {"backbone": "pixels", "shape": [0, 8, 1]}},
        {"encoder": {"backbone": "pixels", "shape": [8, 8, 2]}},
        {"mean": np.zeros(4)},
        {"scale": np.full(5, np.nan)},
        {"weights": np.zeros(6)},
        {"filters": np.zeros((108, 65), np.float32)},
    ],
)
def test_a_model_whose_parts_do_not_fit_is_refused(tmp_path, said):
    with pytest.raises(InputError, match="no model saved by labelworth"):
        load_model(changed(tmp_path / "model.safetensors", **said))


# --- labelling new images ---


def striped(n, seed, side=40):
    """Images with upright or level stripes, and the direction of each."""
    rng = np.random.default_rng(seed)
    turned = rng.integers(2, size=n)
    x = np.arange(side)
    waves = 127 + 100 * np.sin(x / rng.uniform(1, 3, n)[:, None] + rng.uniform(0, 6, n)[:, None])
    images = np.where(turned[:, None, None], waves[:, None, :], waves[:, :, None])
    noisy = images[..., None] + rng.normal(0, 10, (n, side, side, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8), turned


def folder(path, images):
    path.mkdir()
    for row, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(path / f"{row:04d}.png")
    return sorted(path.iterdir())


def trained(index, truth, backbone, cache):
    features = extract(index, backbone, None, cache)
    shares = np.eye(2)[truth]
    rng = np.random.default_rng(0)
    model = train(features.values, {"hard": shares}, shares, np.ones(len(truth)), rng)
    return features, replace(model, temperature=0.7)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A model of patch features, its own images, and others."""
    tmp_path = tmp_path_factory.mktemp("photos")
    images, turned = striped(60, 0)
    index, _ = scan_images(tmp_path, [f"own/{p.name}" for p in folder(tmp_path / "own", images)])
    features, model = trained(index, turned, "patch", tmp_path / "cache")
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(model, ("level", "upright"), {}, encoder_of(features, index)))
    new, turned = striped(70, 1)
    return path, index, model.predict(features.values), folder(tmp_path / "new", new), turned


def test_a_model_of_patches_labels_its_own_images_as_its_study_did(photos):
    path, index, predicted, _, _ = photos
    labelled = load_model(path).label(index.paths)
    np.testing.assert_allclose(labelled.probabilities, predicted, atol=1e-6)


def test_a_model_of_patches_labels_an_image_alike_alone_in_a_batch_and_on_another_day(photos):
    path, _, _, files, turned = photos
    batch = load_model(path).label(files)
    assert (np.array(batch.labels) == np.array(["level", "upright"])[turned]).mean() > 0.95
    assert batch.images == tuple(map(str, files))
    backwards = load_model(path).label(files[::-1])
    np.testing.assert_allclose(backwards.probabilities[::-1], batch.probabilities, atol=1e-6)
    for row in (0, 7, 64, 69):
        alone = load_model(path).label([str(files[row])])
        np.testing.assert_allclose(alone.probabilities[0], batch.probabilities[row], atol=1e-6)
        assert alone.labels == (batch.labels[row],)
        assert alone.confidence[0] == alone.probabilities[0].max()


def test_the_same_model_is_the_same_bytes_with_its_patches(photos):
    path = photos[0]
    saved = load_model(path)
    assert saved.encoder.filters is not None
    assert model_bytes(saved.model, saved.classes, saved.facts, saved.encoder) == path.read_bytes()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_of_arrays_labels_their_files(tmp_path, channels):
    images, turned = striped(40, 2, side=12)
    images = images[..., :channels]
    index = index_array(images, [str(row) for row in range(40)])
    features, model = trained(index, turned, "pixels", tmp_path / "cache")
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(model, ("a", "b"), {}, encoder_of(features, index)))
    labelled = load_model(path).label(folder(tmp_path / "files", images))
    np.testing.assert_allclose(labelled.probabilities, model.predict(features.values), atol=1e-6)


def test_nothing_to_label_is_an_empty_answer(photos):
    labelled = load_model(photos[0]).label([])
    assert labelled.labels == ()
    assert labelled.probabilities.shape == (0, 2)


def test_a_file_that_is_no_image_is_named_and_the_others_are_labelled(photos, tmp_path):
    path, _, _, files, _ = photos
    (tmp_path / "bad.png").write_bytes(b"no image")
    wanted = [files[0], tmp_path / "bad.png", tmp_path / "gone.png", files[1]]
    with pytest.raises(InputError, match=r"bad\.png: no image to label \(unsupported\) and 1 more"):
        load_model(path).label(wanted)
    (part,) = load_model(path).stream(wanted)
    assert part.images == (str(files[0]), str(files[1]))
    assert [image.reason for image in part.bad] == ["unsupported", "missing"]


def test_a_model_without_an_encoder_says_that_it_takes_features(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(head(None), ("a", "b", "c"), {}))
    with pytest.raises(InputError, match="takes features, not images"):
        load_model(path).label([tmp_path / "a.png"])


def test_an_encoder_of_another_width_is_refused(tmp_path):
    path = changed(tmp_path / "m.safetensors", encoder=Encoder("pixels", (2, 2, 1)).to_plain())
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="gives 4 features an image, its head takes 5"):
        load_model(path).label([tmp_path / "a.png"])


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """A model on a timm backbone, its weights file, and images."""
    import timm
    import torch
    from safetensors.torch import save_file

    tmp_path = tmp_path_factory.mktemp("embedded")
    torch.manual_seed(0)
    weights = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), weights)
    images, turned = striped(20, 3)
    files = folder(tmp_path / "images", images)
    index, _ = scan_images(tmp_path / "images", [file.name for file in files])
    features = extract(index, "test_resnet", weights, tmp_path / "cache")
    shares, rng = np.eye(2)[turned], np.random.default_rng(0)
    model = train(features.values, {"hard": shares}, shares, np.ones(20), rng)
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(model, ("a", "b"), {}, encoder_of(features, index)))
    return path, weights, files, model.predict(features.values)


def test_a_model_on_a_backbone_labels_with_its_weights_file(embedded):
    path, weights, files, predicted = embedded
    labelled = load_model(path).label(files, weights)
    np.testing.assert_allclose(labelled.probabilities, predicted, atol=1e-5)


def test_weights_that_are_absent_or_others_are_told_with_their_hash(
    embedded, tmp_path, monkeypatch
):
    from safetensors.numpy import load_file, save_file

    path, weights, files, _ = embedded
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    said = r"needs the weights of test_resnet with hash [0-9a-f]{32}.*--backbone-file"
    with pytest.raises(InputError, match=said):
        load_model(path).label(files)
    others = {k: np.asarray(v) for k, v in load_file(weights).items()} | {
        "fc.bias": np.ones(1000, "f4")
    }
    save_file(others, tmp_path / "o.safetensors")
    with pytest.raises(InputError, match=said):
        load_model(path).label(files, tmp_path / "o.safetensors")

"""A timm model is loaded with exactly its weights or refused in one clear line."""

import subprocess
import time

import numpy as np
import pytest

from budget.errors import InputError
from training import backbone, features
from training.images import index_array
from training.weights.names import classifier_prefixes

pytest.importorskip("timm")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:timm")


@pytest.fixture(scope="module")
def states():
    """Random weights of three tiny models, with their classifiers."""
    import timm
    import torch

    torch.manual_seed(0)
    names = ("test_vit", "test_resnet", "test_byobnet")
    return {name: timm.create_model(name).state_dict() for name in names}


@pytest.fixture
def write(tmp_path):
    from safetensors.torch import save_file

    def write_(state, name="weights.safetensors"):
        save_file(state, tmp_path / name)
        return tmp_path / name

    return write_


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(5, 40, 30, 3), dtype=np.uint8)
    return index_array(pixels, list("abcde"))


def load(name, file):
    return backbone.load_backbone(name, backbone.find_weights(name, file))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_weights_with_or_without_classifier_load_and_features_are_deterministic(
    states, write, images, tmp_path, name
):
    whole = features.extract(images, name, write(states[name]), tmp_path / "1")
    prefixes = classifier_prefixes(load(name, write(states[name])).model)
    headless = {k: v for k, v in states[name].items() if not k.startswith(prefixes)}
    assert len(headless) < len(states[name])
    bare = features.extract(images, name, write(headless, "bare.safetensors"), tmp_path / "2")
    assert whole.values.shape[0] == 5
    assert whole.values.std(axis=0).max() > 0
    assert np.array_equal(whole.values, bare.values)
    assert whole.key != bare.key
    assert whole.weights_source == "file:weights.safetensors"
    assert len(whole.weights_hash) == 32


def test_cached_features_need_no_backbone(states, write, images, tmp_path, monkeypatch):
    file = write(states["test_vit"])
    first = features.extract(images, "test_vit", file, tmp_path / "cache")
    monkeypatch.setattr(backbone, "load_backbone", lambda *_: pytest.fail("backbone was called"))
    second = features.extract(images, "test_vit", file, tmp_path / "cache")
    assert np.array_equal(first.values, second.values)


def test_other_weights_are_another_cache_entry(states, write, images, tmp_path):
    changed = {k: v + 0.01 if v.is_floating_point() else v for k, v in states["test_vit"].items()}
    a = features.extract(images, "test_vit", write(states["test_vit"]), tmp_path)
    b = features.extract(images, "test_vit", write(changed, "b.safetensors"), tmp_path)
    assert a.key != b.key
    assert not np.array_equal(a.values, b.values)


def test_renamed_keys_are_refused_naming_the_first(states, write):
    renamed = {f"backbone.{k}": v for k, v in states["test_resnet"].items()}
    with pytest.raises(InputError, match=r"does not fit test_resnet: conv1\S* is missing"):
        load("test_resnet", write(renamed))


def test_other_architecture_is_refused(states, write):
    for ours, theirs in (("test_vit", "test_resnet"), ("test_resnet", "test_byobnet")):
        with pytest.raises(InputError, match=f"does not fit {ours}"):
            load(ours, write(states[theirs]))


def test_a_deeper_relative_that_holds_all_keys_is_refused(states, write):
    # resnet34's file holds every key of resnet18 with equal shapes
    deeper = dict(states["test_resnet"])
    deeper["layer1.7.conv1.weight"] = deeper["conv1.0.weight"].clone()
    with pytest.raises(InputError, match=r"also holds layer1\.7\.conv1\.weight"):
        load("test_resnet", write(deeper))


def test_one_missing_or_misshapen_weight_is_refused(states, write):
    state = dict(states["test_vit"])
    norm = state.pop("norm.weight") if "norm.weight" in state else state.pop("fc_norm.weight")
    with pytest.raises(InputError, match=r"norm\.weight is missing"):
        load("test_vit", write(state))
    key = "norm.weight" if "norm.weight" in states["test_vit"] else "fc_norm.weight"
    with pytest.raises(InputError, match=r"norm\.weight is \(\d+,\), expected \(\d+,\)"):
        load("test_vit", write({**state, key: norm[:-1].clone()}))


def test_files_that_are_no_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load("test_vit", tmp_path / "nowhere.safetensors")
    for name in ("model.pth", "model.bin", "model.npz"):
        (tmp_path / name).write_bytes(b"\x80\x04")
        with pytest.raises(InputError, match=r"only \.safetensors"):
            load("test_vit", tmp_path / name)
    for content in (b"", b"\x80\x04K\x01.", b"\xff" * 100):
        (tmp_path / "bad.safetensors").write_bytes(content)
        with pytest.raises(InputError, match="not a readable safetensors file"):
            load("test_vit", tmp_path / "bad.safetensors")


def test_weights_with_nan_do_not_become_features(states, write, images, tmp_path):
    spoilt = {k: v * np.nan if v.is_floating_point() else v for k, v in states["test_vit"].items()}
    with pytest.raises(InputError, match="not finite"):
        features.extract(images, "test_vit", write(spoilt), tmp_path)


def test_unknown_name_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"unknown backbone 'resnet_18'.*resnet18"):
        backbone.find_weights("resnet_18", None)
    with pytest.raises(InputError, match=r"unknown backbone 'resnet18\.a7_in1k'.*resnet18\.a"):
        backbone.find_weights("resnet18.a7_in1k", None)
    with pytest.raises(InputError, match=r"unknown backbone 'pixel'.*pixels"):
        features.extract(index_array(np.zeros((1, 4, 4)), ["a"]), "pixel", None, tmp_path)


def test_offline_without_weights_is_a_clear_error_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    began = time.perf_counter()
    with pytest.raises(InputError, match=r"--backbone-file .* --backbone patch"):
        backbone.find_weights("resnet18.a1_in1k", None)
    assert time.perf_counter() - began < 5  # measured .2 s; timm's own retries take 46 s


def test_hub_that_does_not_answer_is_given_up_after_the_limit(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    limits = []

    def hang(command, timeout, **_):
        limits.append(timeout)
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(InputError, match="hub cannot be reached"):
        backbone.find_weights("resnet18.a1_in1k", None)
    assert limits == [10.0]


def test_cached_hub_weights_are_taken_without_network(monkeypatch, states, write, images, tmp_path):
    file = write(states["test_vit"], "model.safetensors")
    asked = []

    def cached(repository, name):
        asked.append((repository, name))
        return str(file)

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("network was used"))
    found = features.extract(images, "test_vit.r160_in1k", None, tmp_path)
    assert asked == [("timm/test_vit.r160_in1k", "model.safetensors")]
    assert found.weights_source == "hub:timm/test_vit.r160_in1k"


def test_timm_that_cannot_be_imported_is_one_line(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match="timm cannot be imported") as caught:
        backbone.find_weights("resnet18", None)
    assert "\n" not in str(caught.value)

"""An exported graph gives the model's probabilities, as onnxruntime runs it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hpo.cli.main import main
from training import patches
from training.encoder import Encoder
from training.fit import Model
from training.saved import load_model, model_bytes

CLASSES = ("a", "b", "c")


def saved(path, encoder, dim, scale=1.0):
    rng = np.random.default_rng(0)
    head = Model(
        *(rng.normal(size=(dim + 1, 3)) * scale, rng.normal(size=dim) / 10, np.full(dim, 0.5)),
        *(0.01, "soft", 0.1, 98, (), 0.0, 1),
        temperature=0.6,
    )
    path.write_bytes(model_bytes(head, CLASSES, {}, encoder))
    return load_model(path)


@pytest.fixture
def patched(tmp_path):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    filters = patches.learn(lambda rows: pixels[rows], 60)
    return saved(
        tmp_path / "m.safetensors", Encoder("patch", (32, 32, 3), filters=filters), 512, 0.2
    )


def test_without_the_extra_the_remedy_is_one_line(tmp_path, capsys, monkeypatch):
    saved(tmp_path / "m.safetensors", Encoder("pixels", (4, 4, 1)), 16)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    words = ["export", str(tmp_path / "m.safetensors"), "--onnx", str(tmp_path / "m.onnx")]
    assert main(words) == 2
    assert "pip install 'labelworth[onnx]'" in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()


def test_a_model_of_features_alone_cannot_be_exported(tmp_path, capsys):
    pytest.importorskip("onnx")
    saved(tmp_path / "m.safetensors", None, 16)
    words = ["export", str(tmp_path / "m.safetensors"), "--onnx", str(tmp_path / "m.onnx")]
    assert main(words) == 2
    assert "takes features, not images" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 7, 3)])
def test_a_graph_of_pixels_equals_its_model(tmp_path, shape):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from training.saved.onnx import largest_difference, onnx_bytes

    model = saved(tmp_path / "m.safetensors", Encoder("pixels", shape), int(np.prod(shape)))
    assert largest_difference(onnx_bytes(model), model) < 1e-5


def test_a_graph_of_patches_equals_its_model_and_another_does_not(patched):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from training.saved.onnx import largest_difference, onnx_bytes

    content = onnx_bytes(patched)
    assert largest_difference(content, patched) < 1e-4
    sharper = replace(patched, model=replace(patched.model, temperature=0.3))
    assert largest_difference(content, sharper) > 1e-2


def test_the_file_takes_any_number_of_images_and_names_the_classes(patched, tmp_path, capsys):
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")

    out = tmp_path / "m.onnx"
    words = ["export", str(tmp_path / "m.safetensors"), "--onnx", str(out)]
    assert main(words) == 0
    assert "checked: probabilities differ by at most" in capsys.readouterr().out
    assert main(words) == 2
    assert "add --overwrite" in capsys.readouterr().err
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    files = []
    for row, image in enumerate(images):
        files.append(tmp_path / f"{row}.png")
        Image.fromarray(image).save(files[-1])
    session = onnxruntime.InferenceSession(out.read_bytes(), providers=["CPUExecutionProvider"])
    (p,) = session.run(["probabilities"], {"images": images})
    np.testing.assert_allclose(p, patched.label(files).probabilities, atol=1e-4)
    (alone,) = session.run(["probabilities"], {"images": images[3:4]})
    np.testing.assert_allclose(alone[0], p[3], atol=1e-6)
    props = {prop.key: prop.value for prop in onnx.load(out).metadata_props}
    assert props["classes"] == '["a", "b", "c"]'


def test_a_graph_with_its_backbone_equals_its_model(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    import timm
    import torch
    from safetensors.torch import save_file

    from training.backbone import find_weights, load_backbone
    from training.saved.onnx import largest_difference, onnx_bytes

    torch.manual_seed(0)
    weights = tmp_path / "w.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), weights)
    file = find_weights("test_resnet", weights)
    encoder = Encoder("test_resnet", (0, 0, 3), file.source, file.hash)
    dim = load_backbone("test_resnet", file).dim
    model = saved(tmp_path / "m.safetensors", encoder, dim, 0.1)
    assert largest_difference(onnx_bytes(model, weights), model, weights) < 1e-4

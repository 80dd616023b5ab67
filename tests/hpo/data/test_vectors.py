"""Features in place of images: read whole, refused by name, studied without a backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budget.errors import InputError
from hpo.data.dataset import load
from hpo.data.new_images import with_new_images
from hpo.settings.config import StudyConfig, make_config
from hpo.study.study import Study
from hpo.trial.world import features_of
from tests.heads import FixedHeads


def clouds(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of two classes, and the classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    return rng.normal(labels[:, None] * 2.0, 1.0, (count, 6)), labels


def config_of(folder: Path, arrays: dict[str, Any], **more: object) -> StudyConfig:
    np.savez(folder / "texts.npz", **arrays)
    given = {"budget": "5", "data": f"npz:{folder / 'texts.npz'}", "few_labels_ok": True}
    return make_config({**given, **more})


def test_features_are_the_features_whatever_the_backbone(tmp_path: Path) -> None:
    features, labels = clouds(300)
    config = config_of(tmp_path, {"features": features, "labels": labels}, backbone="resnet18")
    data = load(config)
    assert (features_of(config, data, tmp_path).values == features.astype(np.float32)).all()
    assert data.classes == ("0", "1")
    assert (data.truth == labels).all()
    assert any("no backbone is" in note for note in data.notes)


def test_names_roles_and_unknown_labels(tmp_path: Path) -> None:
    features, labels = clouds(200)
    text = np.array(["ham", "spam"])[labels]
    text[:100] = ""
    roles = np.array(["pool"] * 100 + ["control"] * 30 + ["validation"] * 30 + ["final"] * 40)
    names = np.array([f"mail {row}" for row in range(200)])
    arrays = {"features": features, "labels": text, "roles": roles, "names": names}
    data = load(config_of(tmp_path, arrays))
    assert data.classes == ("ham", "spam")
    assert data.images.names[7] == "mail 7"
    assert [len(data.rows[role]) for role in ("pool", "control", "validation", "final")] == [
        100,
        30,
        30,
        40,
    ]
    assert (data.truth[:100] == -1).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": np.zeros((4, 0))}, "features must be numbers"),
        ({"features": np.zeros(40)}, "features must be numbers"),
        ({"features": np.full((40, 2), np.nan)}, "features must be finite"),
        ({"features": np.full((40, 2), 1e300)}, "features must be finite"),
        ({"features": np.array([["a", "b"]] * 40)}, "features must be numbers"),
        ({"labels": np.zeros(39, dtype=int)}, "labels must be 40 texts or whole numbers"),
        ({"labels": np.zeros(40)}, "labels must be 40 texts or whole numbers, is float64"),
        ({"names": np.array(["a"] * 40)}, "'a' is listed twice"),
        (
            {"roles": np.array(["train"] * 40)},
            "'train' of row 0 is not one of pool, control",
        ),
        ({"labels": np.array([""] * 40)}, "at least two classes are needed"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    features, labels = clouds(40)
    with pytest.raises(InputError, match=said):
        load(config_of(tmp_path, {"features": features, "labels": labels, **change}))


def test_new_items_are_features_of_the_same_encoder(tmp_path: Path) -> None:
    features, labels = clouds(300)
    config = config_of(tmp_path, {"features": features, "labels": labels})
    data = load(config)
    more, _ = clouds(20, seed=1)
    np.savez(tmp_path / "more.npz", features=more)
    joined = with_new_images(config, data, f"npz:{tmp_path / 'more.npz'}", None)
    assert (features_of(config, joined, tmp_path).values[300:] == more.astype(np.float32)).all()
    np.savez(tmp_path / "other.npz", features=more[:, :3])
    with pytest.raises(InputError, match="3 features beside the study's 6"):
        with_new_images(config, data, f"npz:{tmp_path / 'other.npz'}", None)
    np.savez(tmp_path / "images.npz", x=np.zeros((3, 4, 4), dtype=np.uint8), y=np.zeros(3, int))
    with pytest.raises(InputError, match="holds features; give the new ones likewise"):
        with_new_images(config, data, f"npz:{tmp_path / 'images.npz'}", None)


@pytest.mark.slow
def test_a_study_of_features_with_few_labels(tmp_path: Path) -> None:
    features, labels = clouds(400)
    known = np.where(np.arange(400) < 60, labels, -1)
    np.savez(tmp_path / "texts.npz", features=features, labels=known)
    study = Study(
        runs=tmp_path / "runs",
        trainer=FixedHeads(),
        budget="2",
        data=f"npz:{tmp_path / 'texts.npz'}",
        test_images=60,
        trials=1,
        exam="off",
    )
    report = study.run()
    study.close()
    assert report["data"]["images"] == {"pool": 280, "control": 20, "validation": 50, "final": 50}
    assert report["delivery"]["final"]["accuracy"] > 0.7
    assert (tmp_path / "runs" / study.config.study / "model.safetensors").exists()

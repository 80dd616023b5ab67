"""The examples of a market, an aggregator, a trainer and data of one's own run as they are told."""

from __future__ import annotations

import csv
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

import hpo
from budget.errors import InputError
from hpo.settings.parsing import OWN_DATA
from labeling.aggregation.registry import AGGREGATORS
from tests import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def found() -> Iterator[None]:
    """The examples can be imported; what they add is not there for the tests after them."""
    sys.path.insert(0, str(EXAMPLES))
    kinds = patch.dict("hpo.settings.market_kinds._BY_NAME")
    with patch.dict(AGGREGATORS), patch.dict(OWN_DATA), kinds:
        yield
    sys.path.remove(str(EXAMPLES))
    for path in EXAMPLES.glob("own_*.py"):
        sys.modules.pop(path.stem, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_aggregator", "own_trainer", "own_data"])
def test_an_example_ends_with_an_answer(name: str, tmp_path: Path) -> None:
    answer = importlib.import_module(name).main(str(tmp_path))
    assert isinstance(answer, hpo.Answer)
    assert answer["purchases"]
    assert answer["money"]["spent"]["micros"] <= answer["money"]["cap"]["micros"]


@pytest.mark.slow
def test_answers_of_ones_own_market_are_the_labels(tmp_path: Path) -> None:
    example = importlib.import_module("own_market")
    assert isinstance(example.main(str(tmp_path)), hpo.Answer)
    with (tmp_path / "colleagues/labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    digits = hpo.Study.open(tmp_path / "colleagues")
    try:
        data = digits.world.data
        truth = dict(zip(data.images.names, data.truth, strict=True))
    finally:
        digits.close()
    assert rows
    assert all(data.classes[truth[row["image"]]] == row["label"] for row in rows)


def test_a_name_that_is_taken_is_refused() -> None:
    own = importlib.import_module("own_aggregator")
    hpo.add_aggregator("squared", own.squared)  # the same again
    with pytest.raises(InputError, match="'majority' is taken"):
        hpo.add_aggregator("majority", own.squared)
    with pytest.raises(InputError, match="has to stand at the top of a module"):
        hpo.add_aggregator("local", lambda votes: (votes.counts, votes.counts))
    with pytest.raises(InputError, match="'digits' is taken"):
        hpo.add_data("digits", importlib.import_module("own_data").shapes)
    with pytest.raises(InputError, match="'toloka' is taken"):
        hpo.add_market(hpo.MarketKind("toloka", "own_market", "", ""))


def test_every_public_name_is_there_and_no_other_is_promised() -> None:
    assert sorted(hpo.__all__) == sorted(set(hpo.__all__))
    for name in hpo.__all__:
        assert getattr(hpo, name).__name__ == name

"""Configuration: bad input is named before anything happens, good input survives a round trip."""

from fractions import Fraction

import pytest

from budget.errors import InputError
from budget.money import Money
from hpo.cli.generated_docs import settings_table
from hpo.settings.config import (
    StudyConfig,
    check_unchanged,
    make_config,
    read_toml,
    to_plain,
    to_toml,
)
from hpo.settings.setting import REQUIRED
from hpo.settings.table import SETTINGS
from tests import ROOT


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget": "twenty"}, "budget: 'twenty' is not an amount of dollars"),
        ({"budget": "-5"}, "budget: -5 is negative"),
        ({"budget": "nan"}, "budget: 'nan' is not a finite amount"),
        ({"budget": "inf"}, "budget: 'inf' is not a finite amount"),
        ({"budget": "0"}, "budget: 0 buys nothing"),
        ({"budget": "1e30"}, "too large"),
        ({"budget": "0.0000001"}, "more than six decimals"),
        ({}, "--budget: how much may be spent"),
        ({"budget": "20", "data": "digit"}, "did you mean 'digits'"),
        ({"budget": "20", "data": "npz:"}, "data: 'npz:' is not known"),
        ({"budget": "20", "aggregation": "mean"}, "aggregation: 'mean' is not known"),
        ({"budget": "20", "overlaps": "3"}, "overlaps: no such setting; did you mean 'overlap'"),
        ({"budget": "20", "price": "0.0004"}, "below the platform's smallest reward of $0.005"),
        ({"budget": "20", "price": "0"}, "price: annotators do not answer for $0"),
        ({"budget": "20", "price": "0.01:0.001:0.001"}, "a range is LOW:HIGH:STEP"),
        ({"budget": "20", "price": "0.001:1:0.000001"}, "gives too many values"),
        ({"budget": "20", "price": ","}, "price: no value given"),
        ({"budget": "20", "controls": "10"}, "10 control tasks leave no room in a suite of 10"),
        ({"budget": "20", "overlap": "0"}, "overlap: 0 is not a whole number at least 1"),
        ({"budget": "20", "overlap": "1.5"}, "overlap: 1.5 is not a whole number"),
        ({"budget": "20", "overlap": True}, "overlap: True is not a number"),
        ({"budget": "20", "tasks": "120%"}, "not a share of the pool"),
        ({"budget": "20", "tasks": "0"}, "tasks: 0 is not a whole number at least 1"),
        ({"budget": "20", "exam": "maybe"}, "exam: 'maybe' is neither on nor off"),
        ({"budget": "20", "max_minutes": "-1"}, "not a positive number of minutes"),
        ({"budget": "20", "max_plan_share": "2"}, "max_plan_share: 2 is not between"),
        ({"budget": "20", "seed": "-1"}, "seed: -1 is not a whole number"),
        ({"budget": "20", "trials": "0"}, "trials: 0 is not a whole number at least 1"),
        ({"budget": "20", "trials": "1e999999999"}, "is not a whole number from 1 to"),
        ({"budget": "20", "max_minutes": "1e400"}, "not a positive number of minutes"),
        ({"budget": "20", "study": "../x"}, "study: '../x' is not a folder name"),
        ({"budget": "20", "data": "photos"}, "'photos' is not known, and there is no such folder"),
        ({"budget": "20", "roles": "70/5/12"}, "roles: '70/5/12' is not the percent of pool"),
        ({"budget": "20", "roles": "70/5/12/14"}, "four numbers above 0 that make 100"),
        ({"budget": "20", "roles": "75/0/12/13"}, "four numbers above 0 that make 100"),
        ({"budget": "20", "roles": "70/5/12/x"}, "roles: 'x' is not a number"),
        ({"budget": "20", "labels": "x.csv"}, "only --data folder:DIR takes a labels file"),
        ({"budget": "20", "backbone_file": "x.safetensors"}, "weights need their model"),
    ],
)
def test_bad_input_is_one_line_naming_field_and_remedy(given: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        make_config(given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_origin_names_the_flag() -> None:
    with pytest.raises(InputError, match=r"^--budget: 'twenty'"):
        make_config({"budget": "twenty"}, {"budget": "--budget"})


def test_every_setting_is_a_row_and_a_typed_field_and_its_default_is_readable() -> None:
    assert sorted(row.name for row in SETTINGS) == sorted(StudyConfig.__dataclass_fields__)
    config = make_config({"budget": "20"})
    for row in SETTINGS:
        if row.default != REQUIRED and row.name != "study":
            assert getattr(config, row.name) == row.read(row.default, row.name)


def test_the_page_of_settings_is_made_from_the_rows() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert settings_table() in page, "run: make docs"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"max_minutes": "none", "trials": 3, "price": "0.002"},
        {"data": "folder:photos", "labels": "l.csv", "max_plan_share": "33%"},
        {"price": {"low": 1, "high": 2, "step": 0.5}, "tasks": [10, "50%"], "exam": "on"},
    ],
)
def test_round_trips_through_json_and_toml(given: dict[str, object], tmp_path) -> None:
    config = make_config({"budget": "20", **given})
    assert make_config(to_plain(config)) == config
    path = tmp_path / "study.toml"
    path.write_text(to_toml(config))
    assert make_config(read_toml(path)) == config


def test_dimensions_take_lists_ranges_and_single_values(tmp_path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(
        "budget = 20\n[space]\nprice = {low = 0.001, high = 0.002, step = 0.0005}\n"
        'overlap = 3\ntasks = ["10%", 50]\ncontrols = [0, 2]\nexam = true\n'
    )
    config = make_config(read_toml(path))
    assert config.price == (Money(1000), Money(1500), Money(2000))
    assert config.overlap == (3,)
    assert config.tasks == ("10%", "50")
    assert config.controls == (0, 2)
    assert config.exam == (True,)
    assert make_config({"budget": "1", "overlap": "1:7:2"}).overlap == (1, 3, 5, 7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budgt = 20", "budgt: no such setting; did you mean 'budget'"),
        ("budget = ", "not valid TOML"),
        ("space = 3", r"space: must be a table \[space\]"),
        ("price = 0.002\n[space]\nprice = 0.003", "price: given both at the top and in"),
        ("[space]\nprise = 0.003", "prise: no such setting; did you mean 'price'"),
    ],
)
def test_bad_toml_names_file_and_key(text: str, said: str, tmp_path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        make_config(read_toml(path))
    assert str(path) in str(caught.value)


def test_toml_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_toml(tmp_path)


def test_only_the_budget_of_a_study_may_change_and_only_up() -> None:
    old = make_config({"budget": "20"})
    check_unchanged(old, make_config({"budget": "30"}))
    with pytest.raises(InputError, match=r"can be raised, not lowered to \$10.00"):
        check_unchanged(old, make_config({"budget": "10"}))
    with pytest.raises(
        InputError, match=r"--sampler: study 'digits3' was started with money, now gp"
    ):
        check_unchanged(old, make_config({"budget": "20", "sampler": "gp"}))


def test_tariff_follows_the_settings() -> None:
    tariff = make_config({"budget": "20", "fee_share": "20%", "fee_minimum": "0.01"}).tariff
    assert tariff.fee_share == Fraction(1, 5)
    assert tariff.cost(1, Money(10_000)) == Money(20_000)

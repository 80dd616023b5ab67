"""Scenarios: what is wrong with one is named, what is right is documented."""

from __future__ import annotations

from dataclasses import fields, replace
from importlib import resources
from pathlib import Path

import pytest

from budget.errors import InputError
from labeling.crowd.scenario import Scenario, load_scenario, scenario_names

NAMES = (
    "default",
    "experts-few",
    "food-campaign",
    "hard-items",
    "machine-pasters",
    "office",
    "price-selection",
    "slow-supply",
    "spam-heavy",
)


def _file(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_unknown_scenario_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'spam-heavy'") as caught:
        load_scenario("spamheavy")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("skil_sd = 1.0", "unknown parameter 'skil_sd'; did you mean 'skill_sd'"),
        ("spammers = 1.5", "spammers is 1.5; it must be between 0 and 1"),
        ("spammers = true", "spammers is True; it must be a number"),
        ("spammers = nan", "spammers is nan"),
        ("skill_sd = '1'", "skill_sd is '1'; it must be a number"),
        ("careless = 0.6\nspammers = 0.4", "below 1 together with spammers"),
        ("spam_random = 0.9", "they sum to"),
        ("skip_share = 0.6\nexpire_share = 0.4", "below 1 together with expire_share"),
        ("confusion = [[0, 1], [1]]", "confusion is"),
        ("confusion = 3", "confusion must be a square table"),
        ("confusion = [[1, 0], [0, 1]]", "confusion is"),
        ("exam_pass_rates = 0.5", "exam_pass_rates must be a list of shares"),
        ("exam_pass_rates = [0.5, 1.2]", "exam_pass_rates is (0.5, 1.2)"),
        ("tested_share = 0", "tested_share is 0"),
        ("population = 10.5", "whole people only"),
        ("population = 0", "population is 0"),
        ("name = 3", "name is 3"),
        ("base = 'nowhere'", "no scenario and no .toml file"),
        ("base = 3", "base is 3"),
        ("spammers = ", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load_scenario(_file(tmp_path, text))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_its_own_base_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"base = '{path.as_posix()}'", encoding="utf-8")
    with pytest.raises(InputError, match="lead back to itself"):
        load_scenario(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no scenario and no \.toml file"):
        load_scenario(tmp_path / "absent.toml")


def test_a_file_changes_its_base_and_nothing_else(tmp_path: Path) -> None:
    mine = load_scenario(_file(tmp_path, "base = 'spam-heavy'\nlooks_per_minute = 3"))
    base = load_scenario("spam-heavy")
    changed = {f.name for f in fields(Scenario) if getattr(mine, f.name) != getattr(base, f.name)}
    assert changed == {"name", "looks_per_minute"}
    assert mine.name == "mine"
    assert mine.key != base.key


def test_every_named_scenario_loads_and_has_its_file_name() -> None:
    assert scenario_names() == NAMES
    for name in NAMES:
        assert load_scenario(name).name == name


def test_every_parameter_of_the_default_states_its_source() -> None:
    folder = resources.files("labeling.crowd") / "scenarios"
    lines = (folder / "default.toml").read_text(encoding="utf-8").splitlines()
    silent = [line for line in lines if " = " in line and "#" not in line]
    # A name is not a number, and the spam kinds share the source of the first of them.
    allowed = ("name", "about", "spam_same", "spam_repeat", "spam_collude")
    assert [line for line in silent if not line.startswith(allowed)] == []


def test_no_figure_that_was_tuned_claims_to_be_measured() -> None:
    folder = resources.files("labeling.crowd") / "scenarios"
    for name in NAMES:
        for line in (folder / f"{name}.toml").read_text(encoding="utf-8").splitlines():
            figure = line.partition("#")[0]
            assert not (figure and "[M" in line and ("fits" in line or "tuned" in line)), line


def test_the_shares_are_those_documented() -> None:
    default, heavy = load_scenario("default"), load_scenario("spam-heavy")
    assert default.careless + default.spammers == pytest.approx(0.18)
    assert heavy.careless + heavy.spammers == pytest.approx(0.40)
    assert default.selection == 0
    assert load_scenario("price-selection").selection == pytest.approx(0.6)
    assert load_scenario("slow-supply").looks_per_minute == 4


def test_the_name_does_not_change_the_content_key() -> None:
    default = load_scenario("default")
    assert replace(default, name="other").key == default.key
    assert replace(default, skill_sd=0.5).key != default.key


def test_parameters_that_came_later_leave_the_default_key_alone() -> None:
    default = load_scenario("default")
    assert default.key == "a388dcccb7e77777"
    assert replace(default, taste_sd=0.5).key != default.key
    assert replace(default, exam_pass_rates=(0.5,)).key != default.key


def test_overlap_is_bounded_by_who_can_look_in_time() -> None:
    slow = load_scenario("slow-supply")
    assert slow.most_overlap(15) == 60
    assert slow.most_overlap(0.01) == 1
    assert slow.most_overlap(None) == slow.population

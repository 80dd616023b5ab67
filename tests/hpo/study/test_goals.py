"""Goals: a target accuracy, the worth of a point, and questions to a finished study."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from budget.errors import InputError
from budget.money import Money
from hpo.answer import confirmation
from hpo.answer.sections.confirmed import CONFIRMED
from hpo.settings.config import make_config
from hpo.settings.stored_answer import to_json
from hpo.study.conclusion import Conclusion
from hpo.study.study import Study
from tests.conftest import Command

Make = Callable[..., Study]
TARGET = {"study": "s", "budget": "1", "target": "0.45"}


@pytest.mark.slow
def test_a_target_stops_the_search_when_it_is_reached_and_confirmed(small_study: Make) -> None:
    report = small_study(**TARGET).run()
    whole = small_study(**{**TARGET, "study": "whole", "target": None}).run()
    target, best = report["advice"]["target"], report["recommended"]
    assert report["stopped"] == "a plan reaches the target of 45 %"
    assert report["money"]["spent"]["micros"] < whole["money"]["spent"]["micros"]
    assert report["confirmation"]["paid"]["micros"] > 0
    assert target["chosen"]["plan"] == best["plan"] == report["answer"]["chosen"]["plan"]
    assert best["why"] == "cheapest evaluated plan that reaches 45 % with 90 % probability"
    low, high = target["dollars_95"]
    assert low["micros"] <= target["chosen"]["price_tag"]["micros"]
    assert high is None or high["micros"] >= low["micros"]


@pytest.mark.slow
def test_a_target_beyond_reach_is_said_to_be(small_study: Make) -> None:
    report = small_study(study="s", target="99.9%", budget="0.15").run()
    assert report["advice"]["target"]["chosen"] is None
    assert "reaches" not in report["stopped"]


@pytest.mark.slow
def test_a_study_with_a_target_that_fails_in_its_confirmation_ends_as_if_undisturbed(
    small_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = to_json(small_study(runs=tmp_path / "a", **TARGET).run())
    broken = small_study(runs=tmp_path / "b", **TARGET)
    with monkeypatch.context() as patched:
        patched.setattr(confirmation, "buy", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            broken.run()
    broken.close()
    assert to_json(small_study(runs=tmp_path / "b", **TARGET).run()) == undisturbed


@pytest.mark.slow
def test_the_search_goes_on_where_the_confirmation_denies_the_target(
    small_study: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target counts as reached until the plan was bought again, and from then on as not."""

    def reached(conclusion: Conclusion) -> str | None:
        trials = conclusion._trials
        bought, confirmed = trials.purchases(), trials.known(CONFIRMED.name)
        return "a plan reaches the target" if bought and not confirmed else None

    agreed = small_study(**TARGET).run()
    monkeypatch.setattr(Conclusion, "reached", reached)
    denied = small_study(**{**TARGET, "study": "denied"}).run()
    assert len(denied["purchases"]) > 1
    assert denied["confirmations"]
    assert "reaches the target" not in denied["stopped"]
    assert denied["money"]["spent"]["micros"] > agreed["money"]["spent"]["micros"]


@pytest.mark.slow
def test_worth_ends_the_search_where_money_is_worth_more_than_points(
    small_study: Make, finished_small: Path
) -> None:
    worthless = small_study(study="s", worth="1 point = $0.0001").run()
    assert worthless["stopped"] == "no plan promised 10000 points per dollar any more"
    assert worthless["advice"]["verdict"]["stop"]
    without = json.loads((finished_small / "report.json").read_text())
    assert len(worthless["purchases"]) < len(without["purchases"])


@pytest.mark.slow
def test_the_worth_of_a_point_moves_the_plan_that_is_chosen(small_study: Make) -> None:
    worthless = small_study(study="s", budget="0.5", worth="1 point = $0.0001").run()
    precious = small_study(study="precious", budget="0.5", worth="1 point = $1000").run()
    assert len(precious["purchases"]) > len(worthless["purchases"])
    cheap, dear = (r["answer"]["chosen"]["price_tag"]["micros"] for r in (worthless, precious))
    assert cheap < dear


@pytest.mark.parametrize("text", ["1 point = $50", "1 point = 50", "50", "$50", "point = $50"])
def test_worth_is_read_in_words(text: str) -> None:
    assert make_config({"budget": "5", "worth": text}).worth == Money.parse("50")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("worth", "2 points = $50", "is not the worth of a point"),
        ("worth", "0", "a point that is worth 0"),
        ("worth", "1 point = many", "many"),
        ("target", "1.2", "is not between"),
        ("target", "0", "is not between"),
    ],
)
def test_goals_that_make_no_sense_are_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make_config({"budget": "5", name: text})


@pytest.fixture
def asked(finished_small: Path, tmp_path: Path) -> Path:
    """The folder of a finished study."""
    return Path(shutil.copytree(finished_small, tmp_path / "asked/s"))


def test_a_finished_study_is_asked_and_changes_nothing(asked: Path, command: Command) -> None:
    before = (asked / "report.json").read_bytes()
    words = ("ask", str(asked), "--accuracy", "0.5", "--dollars", "0.1", "--images", "400")
    code, out, _ = command(*words)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("For 400 images spend about $")
    assert any(line.startswith("50 % ") for line in lines)
    assert any(line.startswith("Up to $0.10 the best plan is ") for line in lines)
    answers = json.loads(command(*words, "--json")[1])
    assert answers["images"]["images"] == 400
    assert answers["dollars"]["chosen"]["price_tag"]["micros"] <= 100_000
    assert (asked / "report.json").read_bytes() == before


def test_answers_of_ask_are_those_of_the_report(asked: Path, command: Command) -> None:
    report = json.loads((asked / "report.json").read_text())
    told = json.loads(command("ask", str(asked), "--dollars", "1000", "--json")[1])["dollars"]
    rows = {row["plan"]["key"]: row for row in report["purchases"]}
    same = rows.get(told["chosen"]["plan"]["key"])
    if same is not None:
        assert told["chosen"]["accuracy"] == pytest.approx(same["accuracy"], abs=1e-4)
        assert told["chosen"]["price_tag"] == same["price_tag"]
    most = max(row["accuracy"] for row in report["front"])
    assert told["chosen"]["accuracy"] >= most - 1e-4


def test_a_question_that_is_none_is_refused(asked: Path, command: Command) -> None:
    code, _, err = command("ask", str(asked))
    assert code == 2
    assert "give --accuracy, --dollars or --images" in err
    code, _, err = command("ask", str(asked), "--accuracy", "7")
    assert code == 2
    assert "--accuracy" in err

"""Who answers: recordings replayed, recorded difficulty, own labels, questions of taste."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from hpo.answer.terminal import words
from hpo.settings.stored_answer import to_json
from hpo.trial.trainer import CrossValidated
from tests.reports import schema

RECORDED = {"price": "0.002", "controls": "0", "exam": "off", "overlap": "1,2,3"}


def record(path: Path, names: list[str], truth: np.ndarray, annotators: int, answers: int) -> None:
    """Answers of people who err one time in five; everybody answers some of the images."""
    rng = np.random.default_rng(0)
    lines = ["task,annotator,label,seconds"]
    for name, right in zip(names, truth, strict=True):
        for person in rng.choice(annotators, answers, replace=False):
            label = right if rng.random() > 0.2 else rng.integers(3)
            lines.append(f"{name},a{person},{label},{4 + rng.random():.2f}")
    path.write_text("\n".join(lines) + "\n")


def bought(report: dict) -> list[dict]:
    """Purchases without their version ids, which name the study."""
    return [{**row, "version": None} for row in report["purchases"]]


@pytest.fixture
def recorded(tmp_path: Path, small_data: str) -> str:
    """A recording of the small pool: three answers to each image."""
    truth = np.load(small_data.removeprefix("npz:"))["y"]
    path = tmp_path / "recorded.csv"
    record(path, [str(row) for row in range(len(truth))], truth, 12, 3)
    return str(path)


def test_a_recording_is_replayed_at_the_plan_s_price(small_study, recorded: str) -> None:
    report = small_study(market=f"replay:{recorded}", trials=2, **RECORDED).run()
    assert report["market"]["kind"] == "replay"
    assert report["recommended"]["final"]["accuracy"] > 0.4  # by chance a third
    assert any("knows nothing about price" in note for note in report["notes"])
    assert all(row["plan"]["overlap"] <= 3 for row in report["purchases"])
    again = small_study(market=f"replay:{recorded}", study="again", trials=2, **RECORDED).run()
    assert bought(again) == bought(report)


def test_a_replay_defaults_to_what_recordings_know(recorded: str) -> None:
    from hpo.settings.config import make_config

    config = make_config({"budget": "5", "market": f"replay:{recorded}"})
    assert (config.controls, config.exam, len(config.price)) == ((0,), (False,), 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"overlap": "4"}, r"--overlap: 4 answers per task, but .* has 3"),
        ({"controls": "9"}, "controls"),
        ({"exam": "on"}, "exam"),
        ({"price_models": "both"}, "market replay knows nothing about price"),
    ],
)
def test_what_a_recording_cannot_give_is_refused_before_anything(
    settings: dict[str, str], said: str, small_study, recorded: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        small_study(market=f"replay:{recorded}", **{**RECORDED, **settings})
    assert not list(tmp_path.glob("runs/*/study.json"))


def test_images_without_an_answer_are_named(small_study, tmp_path: Path, small_data: str) -> None:
    truth = np.load(small_data.removeprefix("npz:"))["y"]
    path = tmp_path / "part.csv"
    record(path, [str(row) for row in range(25)], truth[:25], 12, 3)
    with pytest.raises(InputError, match="images of the pool have no recorded answer"):
        small_study(market=f"replay:{path}", **RECORDED)


def test_recorded_difficulty_under_simulated_people(small_study, recorded: str) -> None:
    report = small_study(market=f"hybrid:{recorded}", trials=1).run()
    assert report["market"]["kind"] == "hybrid"
    assert any("from a recording" in note for note in report["notes"])


def test_own_labels_cost_nothing_and_say_what_they_give(
    small_study, bought_twice: Path, recorded: str
) -> None:
    plain = json.loads((bought_twice / "report.json").read_text())
    study = small_study(own_labels=recorded, trials=2, study="own")
    report = study.run()
    assert report["own_labels"]["final"]["accuracy"] > 0.5
    assert report["own_labels"]["answers"] == 3 * len(study.world.pool)  # tests are not trained on
    assert report["money"] == plain["money"]
    assert bought(report) == bought(plain)
    assert any(note.startswith("Own labels:") for note in report["notes"])
    assert to_json(small_study(own_labels=recorded, trials=2, study="own").run()) == to_json(report)


@pytest.mark.slow
def test_both_price_models_are_compared(small_study) -> None:
    report = small_study(price_models="both", trials=2).run()
    models = report["price_models"]["models"]
    assert [row["selection"] for row in models] == [0.0, 0.6]
    assert all(row["plan"] for row in models)
    said = "does not decide the price" if not report["price_models"]["same_price"] else "same price"
    assert any(said in note for note in report["notes"])


@pytest.mark.slow
def test_the_answer_says_how_much_it_leans_on_independent_difficulty(
    small_study, bought_twice: Path
) -> None:
    report = json.loads((bought_twice / "report.json").read_text())
    lean = report["sensitivity"]
    assert lean["redraws"] >= 2
    assert lean["difference"] == pytest.approx(lean["images"] - lean["independent"], abs=2e-6)
    assert any("hard where classes overlap" in note for note in report["notes"])
    other = small_study(trials=2, difficulty="images", study="images").run()
    assert other["purchases"][0]["version"] != report["purchases"][0]["version"]


@pytest.mark.slow
def test_dynamic_overlap_is_searched_and_stops_early(small_study) -> None:
    report = small_study(overlap="dynamic(1,5,0.8)", sampler="random", trials=2).run()
    for row in report["purchases"]:
        assert row["plan"]["dynamic"] == "dynamic(1,5,0.8)"
        tasks = row["plan"]["tasks"]
        assert tasks <= row["answers"] < 5 * tasks
        assert row["paid"]["micros"] > 0
    with pytest.raises(InputError, match="money does not search dynamic overlap"):
        small_study(overlap="dynamic(1,5,0.8)", sampler="money", study="x")


def test_a_question_of_taste_is_learned_as_a_share(small_study, more_data: str) -> None:
    settings = {"campaign": "two-questions", "data": more_data, "trainer": CrossValidated()}
    study = small_study(**settings, question="neat", trials=2)
    report = study.run()
    assert report["question"]["kind"] == "subjective"
    best = report["recommended"]
    assert 0.6 < best["final"]["accuracy"] < 1
    assert any("matter of taste" in note for note in report["notes"])
    for scores in (best, best["final"], *report["front"], *report["purchases"]):
        assert not {"macro_f1", "ece", "balanced_accuracy", "calibration"} & set(scores)
        assert scores["log_loss"] > 0
    schema().validate(report)
    assert not any("% accuracy" in line for line in words(report))
    assert any("% agreement with the panel" in line for line in words(report))
    for trial in study.outcomes():
        assert trial.macro_f1 is None
        assert trial.ece is None
    with pytest.raises(InputError, match="question 'tidy'"):
        small_study(**settings, question="tidy", study="x")


@pytest.mark.slow
def test_the_other_question_of_the_same_page_is_learned_too(small_study) -> None:
    report = small_study(campaign="two-questions", question="class", trials=2).run()
    assert report["question"]["kind"] == "objective"
    assert report["recommended"]["final"]["accuracy"] > 0.4  # by chance a third


def test_unknown_campaign(small_study) -> None:
    with pytest.raises(InputError, match="did you mean 'two-questions'"):
        small_study(campaign="two-question")


@pytest.mark.slow
def test_the_food_campaign_runs_in_a_simulated_study_and_its_exam_is_checked(
    small_study, more_data: str
) -> None:
    report = small_study(campaign="food", trials=2).run()
    assert report["question"]["classes"] == ["solid", "liquid", "other"]
    assert any("solid, liquid, other stand for the data's classes" in n for n in report["notes"])
    assert report["recommended"]["final"]["accuracy"] > 0.4  # by chance a third
    with pytest.raises(InputError, match=r"an exam of 10 tasks .* need more than 10 control"):
        small_study(campaign="food", exam="on", study="other", data=more_data)


def test_a_campaign_s_own_plan_is_quoted_to_the_cent() -> None:
    from hpo.market.quote import meant, quote_space
    from hpo.settings.config import make_config

    (quoted,) = quote_space(meant(make_config({"budget": "20", "campaign": "food"})))
    assert quoted.plan.key == "p0.002-k3-c1-n980-exam"
    assert quoted.quote.assignments == 327
    assert (str(quoted.quote.reward), str(quoted.quote.fee)) == ("$6.54", "$1.962")
    chosen = make_config({"budget": "20", "campaign": "food", "overlap": "1,2"})
    assert meant(chosen) == chosen

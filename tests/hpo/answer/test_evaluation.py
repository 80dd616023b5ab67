"""The report tells which classes the answer's model confuses, and where it errs most."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hpo.answer.sections.models.evaluation import evaluation_lines
from hpo.answer.terminal import words
from training.saved import load_model


@pytest.fixture(scope="module")
def delivered(delivered_small: Path) -> tuple[dict, Path]:
    report = json.loads((delivered_small / "report.json").read_text())
    assert report["delivery"] is not None
    return report, delivered_small


def test_the_evaluation_is_that_of_the_delivered_model(delivered) -> None:
    report, folder = delivered
    told, final = report["evaluation"], report["delivery"]["final"]
    confusion = np.array(told["confusion"])
    assert confusion.sum() == told["images"] == final["images"]
    assert np.trace(confusion) / confusion.sum() == pytest.approx(final["accuracy"], abs=1e-6)
    recalls = [row["recall"] for row in told["per_class"] if row["recall"] is not None]
    assert np.mean(recalls) == pytest.approx(final["balanced_accuracy"], abs=1e-6)
    assert [row["images"] for row in told["per_class"]] == confusion.sum(axis=1).tolist()
    assert [row["said"] for row in told["per_class"]] == confusion.sum(axis=0).tolist()
    assert sum(part["images"] for part in told["reliability"]) == told["images"]
    names = [row["class"] for row in told["per_class"]]
    assert names == list(load_model(folder / "model.safetensors").classes)


def test_the_worst_come_first_and_carry_what_is_known_of_them(delivered) -> None:
    told = delivered[0]["evaluation"]
    for kind in ("worst_images", "worst_labels"):
        losses = [row["loss"] for row in told[kind]]
        assert losses == sorted(losses, reverse=True)
        assert 0 < len(losses) <= 20
        assert len({row["image"] for row in told[kind]}) == len(losses)
    confusion = np.array(told["confusion"])
    wrong = confusion.sum() - np.trace(confusion)
    missed = [row for row in told["worst_images"] if row["true"] != row["said"]]
    assert len(missed) == min(wrong, 20)
    # Simulated people answer from true labels, so a report of theirs can tell them.
    assert all(row["true"] is not None for row in told["worst_labels"])


def test_the_details_tell_recalls_and_confusions(delivered) -> None:
    report = delivered[0]
    said = words(report)
    assert all(line in said for line in evaluation_lines(report["evaluation"]))


def test_a_few_classes_are_shown_as_a_matrix() -> None:
    told = {
        "images": 30,
        "brier": 0.25,
        "confusion": [[10, 2], [0, 18]],
        "per_class": [
            {"class": "a very long name", "images": 12, "recall": 10 / 12},
            {"class": "dog", "images": 18, "recall": 1.0},
        ],
    }
    assert evaluation_lines(told) == [
        "Recall on 30 final images: a very long name: 83 % of 12, dog: 100 % of 18. Brier score "
        "0.250.",
        "Taken for another most often: a very long name for dog (2).",
        "  true          a very long…  dog",
        "  a very long…            10    2",
        "  dog                      0   18",
    ]


def test_a_study_that_searches_for_a_plan_evaluates_the_recommended_one(
    small_study, bought_twice: Path, tmp_path: Path
) -> None:
    shutil.copytree(bought_twice, tmp_path / "runs/s")
    study = small_study(study="s", trials=2, goal="plan")
    report = json.loads((study.folder / "report.json").read_text())
    told = report["evaluation"]
    correct = np.trace(np.array(told["confusion"])) / told["images"]
    assert correct == pytest.approx(report["recommended"]["final"]["accuracy"], abs=1e-6)
    assert study.report() == report  # nothing is measured twice, and the same is told
    json.dumps(told, allow_nan=False)


def test_a_chosen_aggregator_is_told_with_what_it_was_chosen_by() -> None:
    told = {
        "images": 2,
        "per_class": [{"class": "a", "images": 2, "recall": 1.0}],
        "confusion": [[2]],
        "brier": 0.1,
    }
    fits = {"weighted": -0.91, "majority": -0.9, "dawid-skene": -0.85}
    chosen = {"chosen": "dawid-skene", "answers": 40, "fits": fits}
    assert evaluation_lines({**told, "aggregator": chosen})[-1] == (
        "Aggregation: dawid-skene, by the log-likelihood of 40 answers that were left out once: "
        "weighted -0.910, majority -0.900, dawid-skene -0.850 each."
    )
    single = {"chosen": "weighted", "answers": 0, "fits": dict.fromkeys(fits, 0.0)}
    assert "No image has two answers" in evaluation_lines({**told, "aggregator": single})[-1]
    assert not any("Aggregation" in line for line in evaluation_lines(told))


@pytest.mark.slow
def test_a_study_that_chooses_its_aggregator_says_which(small_study) -> None:
    settings = {"overlap": "3", "tasks": "50%", "trials": 1, "confirm": "0", "budget": "1"}
    report = small_study(aggregation="auto", **settings).run()
    told = report["evaluation"]["aggregator"]
    assert told["chosen"] in told["fits"]
    assert told["answers"] > 0

"""`--confirm-trainer finetune`: networks on the same labels, and what the answer makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpo.answer.sections.models.networks import NETWORKS, told
from hpo.settings.stored_answer import to_json
from hpo.study.study import Study
from tests.heads import FixedHeads
from tests.unlabelled import SETTINGS, few_known
from training.networks import recipes

Make = Callable[..., Study]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of one pass, by one thread."""
    brief = replace(recipes.FROM_SCRATCH, epochs=2)
    monkeypatch.setattr(recipes, "FROM_SCRATCH", brief)
    monkeypatch.setattr("training.threads.usable_cores", lambda: 1)


@pytest.mark.slow
def test_a_search_trains_networks_on_the_recommended_plan_and_its_neighbours(
    small_study: Make, short: None
) -> None:
    report = small_study(study="s", confirm_trainer="finetune").run()
    made, front = report["networks"], [row["plan"]["key"] for row in report["front"]]
    at = front.index(report["recommended"]["plan"]["key"])
    assert len(made["rows"]) == len(front[max(0, at - 1) : at + 2])
    assert made["network"] == "small-cnn"
    lines = NETWORKS.sentences(report)
    assert lines[0].startswith("Networks: small-cnn, trained on the same labels, gives ")


@pytest.mark.slow
def test_a_study_that_delivers_trains_networks_on_parts_of_its_labels(
    small_study: Make, short: None
) -> None:
    said: list[str] = []
    study = small_study(study="m", goal="model", confirm_trainer="finetune")
    made = study.run(watch=lambda progress: said.append(progress.doing))["networks"]
    passes = [line for line in said if line.startswith("training a network on ")]
    assert [line.rpartition(": ")[2] for line in passes] == 3 * [
        "pass 1 of at most 2",
        "pass 2 of at most 2",
    ]
    labels = [row["labels"] for row in made["rows"]]
    assert made["recommended"] == len(labels) - 1
    assert labels == [labels[-1] // 4, labels[-1] // 2, labels[-1]]


@pytest.mark.slow
def test_a_study_killed_while_a_network_trains_ends_as_if_undisturbed(
    small_study: Make, short: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    settings = {"study": "s", "confirm_trainer": "finetune"}
    whole = to_json(small_study(runs=tmp_path / "a", **settings).run())
    broken = small_study(runs=tmp_path / "b", **settings)
    with monkeypatch.context() as patched:
        patched.setattr("training.networks.finetuning._Run.predict", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            broken.run()
    broken.close()
    resumed = small_study(runs=tmp_path / "b", **settings)
    assert to_json(resumed.run()) == whole
    assert not (resumed.world.folder / "network").exists()


@pytest.mark.slow
def test_networks_are_measured_on_bought_test_labels_where_few_are_known(
    short: None, tmp_path: Path
) -> None:
    settings = {**SETTINGS, **few_known(tmp_path, images=240, known=60)}
    settings |= {"budget": "1.2", "goal": "plan", "trials": 1, "test_images": 40}
    study = Study(runs=tmp_path, trainer=FixedHeads(), confirm_trainer="finetune", **settings)
    made = study.run()["networks"]
    study.close()
    assert made["rows"][made["recommended"]]["labels"] > 0


def row(labels: int, head: int, network_: int) -> dict[str, Any]:
    """A result on 100 images, of which the models get so many right."""

    def score(hits: int) -> dict[str, Any]:
        right = "1" * hits + "0" * (100 - hits)
        return {"accuracy": hits / 100, "interval_95": [0.0, 1.0], "right": right}

    return {
        "name": "small-cnn",
        "labels": labels,
        "head": score(head),
        "network": score(network_),
    }


@pytest.mark.parametrize(
    ("rows", "mine", "same_order", "ends"),
    [
        (((50, 60, 60), (100, 70, 71)), 0, True, "train networks with the dearer plan."),
        (((50, 60, 60), (100, 70, 61)), 0, True, "the recommended amount holds for networks."),
        (((50, 70, 60), (100, 60, 80)), 1, False, "more labels may still help a network."),
        (((50, 60, 80), (100, 61, 80)), 1, True, "more labels would hardly help a network."),
    ],
)
def test_the_sentences_follow_from_what_networks_gain(
    rows: tuple[tuple[int, int, int], ...], mine: int, same_order: bool, ends: str
) -> None:
    made = told([row(*each) for each in rows], mine)
    assert made["same_order"] is same_order
    lines = NETWORKS.sentences({"networks": made})
    assert ("in the same order as heads do" in lines[1]) is same_order
    assert lines[-1].endswith(ends)


def test_one_plan_alone_has_no_gain_to_tell() -> None:
    made = told([row(50, 60, 60)], 0)
    assert made["gain"] is None
    assert len(NETWORKS.sentences({"networks": made})) == 1


def test_reports_without_networks_say_nothing() -> None:
    assert NETWORKS.sentences({}) == NETWORKS.sentences({"networks": None}) == []

"""The next step: a plan for the rest of the pool or for new images, from an account of its own."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from budget.files import write_whole
from budget.money import Money
from hpo.settings.config import to_plain
from hpo.settings.run_folder import read_config
from hpo.settings.stored_answer import to_json
from hpo.study.next_purchase import Wish, carry_out, prepare
from hpo.study.study import open_study
from labeling.types import LabelPlan
from tests import oracle
from tests.commands import labelworth
from tests.heads import FixedHeads
from training.images import load_digits


def bought(folder: Path, **wish: object) -> dict:
    purchase = prepare(folder, Wish(**wish), FixedHeads())
    try:
        return carry_out(purchase, lambda doing: None)
    finally:
        purchase.world.close()


def told(folder: Path) -> dict:
    study = open_study(folder)
    try:
        return study.report()
    finally:
        study.close()


PLAN = "p0.002-k3-c1-n5"  # the number is replaced by --tasks


def test_the_rest_of_the_pool_under_a_cap_of_its_own_leaves_the_study_s_answer_alone(
    folder: Path,
) -> None:
    before = told(folder)
    part = bought(folder, plan=PLAN, tasks=40)
    whole = bought(folder, plan=PLAN)
    pool = before["data"]["images"]["pool"]
    assert part["plan"] == "p0.002-k3-c1-n40"
    assert [order["tasks"] for order in (*part["orders"], *whole["orders"])] == [40, pool - 40]
    for report in (part, whole):
        money = report["money"]
        paid = sum(order["assignments"] for order in report["orders"]) * Money(26_000)
        assert money["spent"]["micros"] == paid.micros <= money["cap"]["micros"]
        assert sum(p["micros"] for p in money["bought"].values()) == paid.micros
        assert money["held"]["micros"] == 0
    assert whole["labels"]["images"] == pool
    assert whole["final"]["accuracy"] > 0.6
    assert told(folder) == before
    assert oracle.paid_twice(folder) == 0


def test_the_same_command_again_buys_nothing_and_says_the_same(folder: Path) -> None:
    first = bought(folder, plan=PLAN, tasks=40)
    content = (folder / "bought/p0.002-k3-c1-n40/report.json").read_bytes()
    assert bought(folder, plan=PLAN, tasks=40) == first
    assert (folder / "bought/p0.002-k3-c1-n40/report.json").read_bytes() == content
    assert json.loads(content) == first


@pytest.mark.slow
def test_the_recommended_plan_is_the_default_and_a_study_goes_on_without_buying_twice(
    folder: Path,
) -> None:
    best = told(folder)["recommended"]["plan"]
    report = bought(folder)
    assert report["plan"].rsplit("-n", 1)[0] == best["key"].rsplit("-n", 1)[0]
    config = replace(read_config(folder), budget=Money(2_000_000), trials=5)
    write_whole(folder / "study.json", to_json(to_plain(config)).encode())
    again = open_study(folder, FixedHeads())
    after = again.run()
    again.close()
    assert len(after["purchases"]) == 5
    assert after["money"]["held"]["micros"] == 0
    assert oracle.paid_twice(folder) == 0


def test_the_final_model_can_be_used_without_the_study(folder: Path, small_data: str) -> None:
    from training.saved import load_model

    report = bought(folder, plan=PLAN)
    saved = load_model(folder / "bought/p0.002-k3-c1-n49/model.safetensors")
    assert saved.classes == ("0", "1", "2")
    assert saved.facts["labels"] == report["labels"]["version"]
    study = open_study(folder)
    rows = study.world.data.rows["final"]
    guess = saved.model.predict(study.world.features.values[rows]).argmax(axis=1)
    accuracy = float((guess == study.world.data.truth[rows]).mean())
    study.close()
    assert accuracy == pytest.approx(report["final"]["accuracy"], abs=1e-6)


def test_several_sets_of_new_images_are_kept_apart(folder: Path, tmp_path: Path) -> None:
    from hpo.data.dataset import DIGITS3

    images, digits = load_digits()
    kinds = np.array([DIGITS3[int(digit)] for digit in digits])
    assert images.pixels is not None
    owned = told(folder)["conditions"]
    for name, rows in (("a", slice(400, 440)), ("b", slice(440, 500))):
        np.savez(tmp_path / f"{name}.npz", x=images.pixels[rows], y=kinds[rows])
        report = bought(folder, plan="p0.002-k5-c1-n1", images=f"npz:{tmp_path / name}.npz")
        assert report["labels"]["images_of_this_purchase"] == len(kinds[rows])
        assert report["labels"]["conditions"] == owned + 1
        with (folder / "versions" / report["labels"]["version"] / "labels.csv").open() as file:
            found = {row["image"]: int(row["label"]) for row in csv.DictReader(file)}
        fresh = [(label, i.removeprefix(f"{name}/")) for i, label in found.items() if "/" in i]
        right = [label == kinds[rows][int(number)] for label, number in fresh]
        assert np.mean(right) > 0.75  # five answers each; those of other images are chance
    last = bought(folder, plan="p0.002-k5-c1-n1")  # the study's own images again
    assert last["labels"]["images"] == 49
    assert last["labels"]["conditions"] == owned + 1


def test_new_images_are_bought_labels_beside_the_study_s(folder: Path, tmp_path: Path) -> None:
    from hpo.data.dataset import DIGITS3

    images, digits = load_digits()
    path = tmp_path / "new.npz"
    kinds = np.array([DIGITS3[int(digit)] for digit in digits])
    assert images.pixels is not None
    np.savez(path, x=images.pixels[80:150], y=kinds[80:150])  # ten of them are the study's
    before = told(folder)
    report = bought(folder, plan=PLAN, images=f"npz:{path}")
    assert report["orders"][0]["tasks"] == 60
    assert report["labels"]["images_of_this_purchase"] == 60
    assert report["labels"]["images"] > 60  # those the study bought are labelled along
    assert any("10 new images are the study's own" in note for note in report["notes"])
    assert told(folder) == before
    assert bought(folder, plan=PLAN, images=f"npz:{path}") == report


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"plan": "p0.002-k3"}, "--plan: 'p0.002-k3' is no plan"),
        ({"plan": "p0.0001-k1-c0-n5"}, "--plan: .* below the platform's smallest reward"),
        ({"plan": "p0.002-k1-c10-n5"}, "10 controls fill a suite of 10"),
        ({"plan": "advised"}, "names no plan"),
        ({"plan": PLAN, "tasks": 5000}, "--tasks: 5000 tasks, but there are 49 images"),
        ({"plan": PLAN, "budget": Money(1000)}, r"--budget: .* reserves .*, \$0.001 is there"),
        ({"plan": PLAN, "images": "photos"}, "is not folder:DIR or npz:FILE"),
        ({"plan": PLAN, "images": "folder:photos"}, "the study's images are an array"),
        ({"plan": PLAN, "labels": "x.csv"}, "--labels: names the images of --images"),
    ],
)
def test_a_wish_that_cannot_be_is_one_line_and_opens_no_account(
    wish: dict, said: str, folder: Path
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        bought(folder, **wish)
    assert "\n" not in str(caught.value)
    assert not (folder / "bought").exists()
    status = json.loads(labelworth("status", str(folder), "--json", cwd=folder).stdout)
    assert status["bought"] == []


def test_a_cap_is_raised_and_never_lowered(folder: Path) -> None:
    bought(folder, plan=PLAN, tasks=40, budget=Money(1_000_000))
    with pytest.raises(InputError, match="it can be raised, not lowered"):
        bought(folder, plan=PLAN, tasks=40, budget=Money(900_000))
    report = bought(folder, plan=PLAN, tasks=40, budget=Money(1_100_000))
    assert report["money"]["cap"]["usd"] == "1.10"


@pytest.mark.parametrize("key", ["p0.002-k3-c1-n980-exam", "p0.0015-k2to5at0.9-c0-n1"])
def test_plans_are_read_as_they_are_written(key: str) -> None:
    assert LabelPlan.parse(key).key == key


def test_the_command_says_plan_and_money_first(folder: Path) -> None:
    words = ("buy", str(folder), "--plan", PLAN, "--tasks", "40")
    done = labelworth(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "0 of 40 tasks are owned already; 120 answers to buy: about 14 assign" in done.stderr
    assert "cap of this purchase: $0.52; simulated crowd 'default', no real money" in done.stderr
    assert "Labels of" in done.stdout
    assert json.loads(labelworth(*words, "--json", cwd=folder).stdout)["study"] == "s"
    shown = labelworth("status", str(folder), cwd=folder).stdout
    assert "bought beside it: p0.002-k3-c1-n40: cap $0.52, spent $0." in shown
    assert labelworth("buy", "nowhere", cwd=folder).returncode == 2

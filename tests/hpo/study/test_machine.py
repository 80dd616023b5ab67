"""A machine beside people in a whole study: money, labels, the answer, and going on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from budget.money import Money
from hpo.answer.sections.sellers.machine import machine_lines
from hpo.answer.summary import summary_lines
from hpo.data.dataset import load
from hpo.settings.config import make_config
from hpo.study.study import Study
from labeling.machine import is_machine
from tests.commands import small_flags
from tests.conftest import SMALL, Command, Make
from tests.oracle import settled

SETTINGS = {"budget": "0.5", "goal": "model", "machine_cost": "0.0005", "controls": "0,1"}


def machine_file(folder: Path, data: str, right: float, seed: int = 0) -> str:
    """A machine of some accuracy, in a file."""
    with np.load(data.removeprefix("npz:")) as arrays:
        kinds = arrays["y"]
    rng = np.random.default_rng(seed)
    wrong = (kinds + rng.integers(1, 3, len(kinds))) % 3
    said = np.where(rng.random(len(kinds)) < right, kinds, wrong)
    rows = [f"{row},{label},0.9" for row, label in enumerate(said)]
    path = folder / f"machine-{right}.csv"
    path.write_text("\n".join(["image,label,confidence", *rows]) + "\n")
    return f"file:{path}"


def test_a_good_cheap_machine_labels_everything_and_people_are_spared(
    small_study: Make, more_data: str, tmp_path: Path
) -> None:
    machine = machine_file(tmp_path, more_data, 0.98)
    study = small_study(data=more_data, machine=machine, **SETTINGS)
    report = study.run()
    told = report["machine"]
    assert told["used"] == "all"
    assert {row["use"]: bool(row["refused"]) for row in told["uses"]} == {
        "off": False,
        "vote": True,
        "below": True,
        "all": False,
    }
    assert told["labels"] == {"people": 0, "machine": len(study.world.pool)}
    assert report["delivery"]["labels"]["images"] == len(study.world.pool)
    assert told["machine"]["accuracy"] == pytest.approx(0.98, abs=0.03)
    assert told["contaminated"] is False
    asked = len(study.world.machine.rows)
    assert told["dollars"]["machine"]["micros"] == 500 * asked
    bought = report["money"]["bought"]
    assert sum(part["micros"] for part in bought.values()) == report["money"]["spent"]["micros"]
    assert settled(study.folder) == report["money"]["spent"]["micros"]
    assert "were not expected to add to it" in report["delivery"]["ended"]
    text = json.dumps(report)
    assert str(tmp_path) not in text


@pytest.mark.slow
def test_a_poor_machine_is_tried_and_left_out_before_its_labels_are_paid(
    small_study: Make, more_data: str, tmp_path: Path
) -> None:
    machine = machine_file(tmp_path, more_data, 0.4)
    study = small_study(data=more_data, machine=machine, **{**SETTINGS, "machine_cost": "0.001"})
    report = study.run()
    told, pool = report["machine"], len(study.world.pool)
    assert told["used"] == "off"
    assert told["people_alone"] is None
    assert told["labels"]["machine"] == 0
    # A trial of a tenth of the budget at most, and none of the pool.
    assert 0 < told["dollars"]["machine"]["micros"] <= 50_000
    rest = told["rest"]
    assert (rest["bought"], rest["images"]) == (0, pool)
    assert rest["worth_in_answers"] < rest["cost_in_answers"]
    (line,) = [line for line in machine_lines(told, None) if "not bought" in line]
    assert line.startswith(f"The machine labelled 0 of the {pool} images of the pool. Its labels")


@pytest.mark.slow
def test_a_poor_machine_that_costs_nothing_is_measured_and_left_out(
    small_study: Make, more_data: str, tmp_path: Path
) -> None:
    machine = machine_file(tmp_path, more_data, 0.4)
    study = small_study(data=more_data, machine=machine, **{**SETTINGS, "machine_cost": "0"})
    told = study.run()["machine"]
    assert told["used"] == "off"
    off, *_, everything = told["uses"]
    assert off["accuracy"] > everything["accuracy"]
    assert told["rest"] is None


def test_a_study_goes_on_without_buying_the_machine_twice(
    small_study: Make, more_data: str, tmp_path: Path
) -> None:
    settings = {"data": more_data, "machine": machine_file(tmp_path, more_data, 0.9), **SETTINGS}
    first = small_study(**settings)
    report = first.run()
    again = small_study(**settings)
    assert again.run() == report
    assert asked_twice(again) == []
    raised = small_study(**{**settings, "budget": "0.6"})
    raised.run()
    assert asked_twice(raised) == []


def asked_twice(study: Study) -> list[int]:
    """Images that more than one order asks the machine about."""
    orders = [r.order for r in study.world.store.all_orders() if is_machine(r.order.condition)]
    rows = [row for order in orders for row, _ in order.wanted]
    return [row for row, count in Counter(rows).items() if count > 1]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"machine_cost": None}, "does not say what an answer costs"),
        ({"machine_cost": "0.01"}, "may cost"),
        ({"machine": "file:absent.csv"}, "no such file"),
        ({"machine": "robot:x"}, "names no machine"),
        ({"machine": None}, "add --machine"),
        ({"view": "confidence > 0.8"}, "give one of both"),
        ({"machine_use": "vote,everything"}, "everything"),
    ],
)
def test_what_cannot_be_is_refused_before_money_moves(
    small_study: Make,
    more_data: str,
    tmp_path: Path,
    changes: dict[str, object],
    problem: str,
) -> None:
    machine = machine_file(tmp_path, more_data, 0.9)
    settings = {"data": more_data, "machine": machine, **SETTINGS, **changes}
    settings = {name: value for name, value in settings.items() if value is not None}
    with pytest.raises(InputError, match=problem):
        small_study(**settings).run()


def test_a_quote_names_the_machine_s_cost_and_its_faults_and_writes_nothing(
    more_data: str, tmp_path: Path, command: Command
) -> None:
    """As the study holds it: about the pool, and the images that tell how good the machine is."""
    machine = machine_file(tmp_path, more_data, 0.9)
    words = ("plan", *small_flags(more_data, goal="model"), "--machine")
    code, out, _ = command(*words, machine, "--machine-cost", "0.0005")
    rows = load(make_config({**SMALL, "data": more_data})).rows
    asked = sum(len(rows[role]) for role in ("pool", "control", "validation"))
    assert code == 0
    cost = Money(500 * asked).cents()
    assert f"the machine's answers about {asked} images: {cost}, reserved {cost}.\n" in out
    code, _, err = command(*words, "file:absent.csv")
    assert code == 2
    assert "absent.csv" in err
    assert not list(tmp_path.glob("**/.machine"))


def test_an_image_of_the_pool_without_an_answer_is_named(
    small_study: Make, more_data: str, tmp_path: Path
) -> None:
    path = Path(machine_file(tmp_path, more_data, 0.9).removeprefix("file:"))
    path.write_text("\n".join(path.read_text().splitlines()[:200]) + "\n")
    with pytest.raises(InputError, match="images have no answer, such as '"):
        small_study(data=more_data, machine=f"file:{path}", **SETTINGS)


def test_money_for_the_machine_alone_still_gives_labels_and_an_answer(
    small_study: Make, more_data: str, tmp_path: Path
) -> None:
    machine = machine_file(tmp_path, more_data, 0.95)
    study = small_study(data=more_data, machine=machine, **{**SETTINGS, "budget": "0.15"})
    report = study.run()
    told = report["machine"]
    assert (told["used"], report["purchases"]) == ("all", [])
    assert report["delivery"]["labels"]["images"] == len(study.world.pool)
    assert (study.folder / "labels.csv").exists()
    first, second, *_ = summary_lines(report)
    assert "0 answers" in first
    assert second.startswith("The labels are the machine's alone. The machine itself as your")

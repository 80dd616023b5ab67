"""A machine of which the budget bears a part only: tried, weighed, and used as far as it goes."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from budget.money import ZERO
from hpo.answer.sections.sellers.machine import machine_lines
from hpo.study.delivery import delivery
from hpo.study.delivery.machine_purchase import trial_rows
from hpo.study.study import Study
from hpo.trial.purchase import left_to_learn, machine_borne, machine_most
from hpo.trial.trainer import CrossValidated
from labeling.machine import is_machine
from labeling.machine.calibration import FEWEST_CONTROLS
from tests.conftest import Make
from tests.hpo.study.test_machine import asked_twice
from tests.hpo.study.test_machine_below import CLASSES, blobs, people_of
from tests.oracle import paid_twice, settled
from tests.unlabelled import few_known

IMAGES, ROLES = 2000, "70/8/11/11"
SETTINGS = {
    "goal": "model",
    "budget": "1.1",  # the machine's answers about pool, control and validation images cost $1.78
    "price": "0.005",
    "overlap": "1",
    "controls": "0",
    "exam": "off",
    "tasks": "10%,100%",
    "trials": 1,
    "roles": ROLES,
    "machine_cost": "0.001",
}


@pytest.fixture
def ground(tmp_path: Path) -> dict[str, object]:
    """Settings of a study with recorded people and a machine that is right in 95 %."""
    data = blobs(tmp_path, IMAGES)
    with np.load(data.removeprefix("npz:")) as arrays:
        truth = arrays["labels"].astype(int)
    rng = np.random.default_rng(4)
    wrong = (truth + rng.integers(1, CLASSES, IMAGES)) % CLASSES
    said = np.where(rng.random(IMAGES) < 0.95, truth, wrong)
    np.savez(tmp_path / "machine.npz", probabilities=np.eye(CLASSES)[said] * 0.9 + 0.1 / CLASSES)
    return {
        **SETTINGS,
        **people_of(tmp_path, data),
        "data": data,
        "machine": f"file:{tmp_path / 'machine.npz'}",
    }


def asked_of(study: Study) -> int:
    """Images that the machine was asked about."""
    orders = [r.order for r in study.world.store.all_orders() if is_machine(r.order.condition)]
    return sum(len(order.wanted) for order in orders)


def books_hold(study: Study, cap: int) -> None:
    """Nothing is paid twice, held for ever or above the cap."""
    balance = study.world.ledger.balance()
    assert settled(study.folder) == balance.spent.micros <= balance.cap.micros == cap
    assert balance.held.micros == 0
    assert paid_twice(study.folder) == 0
    assert asked_twice(study) == []


def test_a_machine_is_used_in_part_where_the_budget_does_not_bear_all_of_it(
    small_study: Make, ground: dict[str, object]
) -> None:
    study = small_study(trainer=CrossValidated(), **ground)
    report = study.run()
    told, pool = report["machine"], len(study.world.pool)
    rest = told["rest"]
    assert FEWEST_CONTROLS < asked_of(study) < len(study.world.machine.rows)
    assert rest["bought"] + rest["images"] == pool
    assert 0 < rest["bought"] < pool
    lacking = len(study.world.machine.rows) - asked_of(study)  # what its cost is told of
    assert rest["images"] + rest["others"] == lacking
    below = next(row for row in told["uses"] if row["use"] == "below")
    assert below["accuracy"] is not None
    assert not below["refused"]
    (line,) = [line for line in machine_lines(told, None) if "Its labels" in line]
    assert line.startswith(f"The machine labelled {rest['bought']} of the {pool:,} images")
    books_hold(study, 1_100_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"goal": "plan"},  # every setting of the knob is measured there
        {"machine_use": "vote,all"},  # of a part of the labels neither has a use
        {"budget": "0.9"},  # a tenth of it does not bear 100 control images
        {"roles": "70/4/13/13"},  # there are not as many
    ],
)
def test_a_part_that_no_way_can_use_is_refused_before_money_moves(
    small_study: Make, ground: dict[str, object], changes: dict[str, object]
) -> None:
    study = small_study(**{**ground, **changes})
    with pytest.raises(InputError, match="may cost") as raised:
        study.run()
    assert "\n" not in str(raised.value)
    assert ("a part of them" in str(raised.value)) == ("goal" not in changes)
    assert study.world.store.all_orders() == []
    assert settled(study.folder) == 0


def test_a_machine_is_refused_before_test_labels_are_bought(
    small_study: Make, tmp_path: Path
) -> None:
    """The money bears test labels or the machine, not both."""
    folder = few_known(tmp_path, 220, 0)
    lines = [f"{row:04d}.png,loop,0.9" for row in range(220)]
    (tmp_path / "machine.csv").write_text("\n".join(["image,label,confidence", *lines]) + "\n")
    settings = {
        "goal": "model",
        "budget": "3",
        "controls": "0",
        "data": folder["data"],
        "classes": "loop,straight,open",
        "test_images": 60,
        "machine": f"file:{tmp_path / 'machine.csv'}",
        "machine_cost": "0.0186",
    }
    study = small_study(**settings)
    assert machine_most(len(study.world.machine.rows), study.world) <= study.config.budget
    with pytest.raises(InputError, match="may cost"):
        study.run()
    assert study.world.store.all_orders() == []


def test_the_search_keeps_money_for_all_of_a_machine_only_where_it_is_borne(
    small_study: Make, ground: dict[str, object]
) -> None:
    part = small_study(study="part", **ground)
    assert left_to_learn(part.world) > ZERO
    whole = small_study(study="whole", **{**ground, "budget": "2"})
    most = machine_most(len(whole.world.machine.rows), whole.world)
    assert left_to_learn(whole.world) <= whole.config.budget - most


@pytest.mark.parametrize("spare", [Fraction(0), Fraction(1, 5)])
def test_a_trial_has_control_images_to_spare_where_answers_may_be_unusable(
    small_study: Make, ground: dict[str, object], spare: Fraction
) -> None:
    world = small_study(**{**ground, "budget": "2"}).world
    world = world.but(machine=replace(world.machine, spare=spare))
    rows = trial_rows(world)
    assert rows is not None
    assert np.isin(rows, world.data.rows["control"]).sum() == FEWEST_CONTROLS * (1 + spare)
    assert machine_borne(machine_most(len(rows), world), world) == len(rows)


@pytest.mark.parametrize("cents", [1, 2, 5, 9, 10, 11, 14, 17, 18, 20, 30])
def test_of_a_small_budget_nothing_is_spent_above_the_cap(
    small_study: Make, ground: dict[str, object], cents: int
) -> None:
    """All of the machine costs 17.8 cents here; a part is of use from 10 cents on."""
    changes = {"machine_cost": "0.0001", "price": "0.001", "budget": f"{cents / 100}"}
    study = small_study(**{**ground, **changes})
    if cents < 10:
        with pytest.raises(InputError, match="may cost"):
            study.run()
        assert settled(study.folder) == 0
        return
    report = study.run()
    assert report["machine"] is not None
    assert asked_of(study) >= FEWEST_CONTROLS
    books_hold(study, 10_000 * cents)


class KilledError(Exception):
    """Stands for the end of the process: nothing catches it."""


@pytest.mark.slow
def test_a_study_killed_at_any_purchase_gives_the_same_report(
    small_study: Make, ground: dict[str, object], tmp_path: Path
) -> None:
    """Between trial and part, amid either of them, and between purchases of people's answers."""
    deeds: list[str] = []
    study = small_study(runs=tmp_path / "undisturbed", **ground)
    whole = json.dumps(study.run(lambda progress: deeds.append(progress.doing)))
    study.close()
    moments = [at for at, doing in enumerate(deeds) if at and "image" in doing]
    assert sum("asking the machine" in deeds[at] for at in moments) >= 2
    for moment in moments:
        runs, seen = tmp_path / f"killed-{moment}", 0

        def kill(progress: object, moment: int = moment) -> None:
            nonlocal seen
            seen += 1
            if seen > moment:
                raise KilledError

        broken = small_study(runs=runs, **ground)
        with pytest.raises(KilledError):
            broken.run(kill)
        broken.close()
        again = small_study(runs=runs, **ground)
        assert json.dumps(again.run()) == whole, deeds[moment]
        assert asked_twice(again) == []
        again.close()


@pytest.mark.parametrize("cost", ["0", "0.0005"])
def test_labels_are_merged_once_a_tranche_at_most(
    small_study: Make, ground: dict[str, object], monkeypatch: pytest.MonkeyPatch, cost: str
) -> None:
    """Whether the machine has nothing more to sell, or is weighed before each tranche."""
    counts = {"has_more_to_weigh": 0, "merged_labels": 0}

    def counted(name: str) -> None:
        real = getattr(delivery, name)

        def count(*given: object) -> object:
            counts[name] += 1
            return real(*given)

        monkeypatch.setattr(delivery, name, count)

    for name in counts:
        counted(name)
    small_study(**{**ground, "machine_cost": cost, "budget": "2"}).run()
    looks = counts["has_more_to_weigh"]  # one before each tranche, and one that ends the purchase
    assert 1 <= counts["merged_labels"] <= looks

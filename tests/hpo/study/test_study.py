"""Studies end to end: money adds up, the same seed gives the same bytes, a study goes on."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError, LedgerCorrupt
from budget.money import ZERO, Money
from hpo.settings.stored_answer import to_json
from hpo.study.study import Study
from hpo.trial.trainer import CrossValidated
from tests import oracle
from tests.drawn import FAULT_RUNS

Make = Callable[..., object]


SEEDS = min(200, 2 * FAULT_RUNS)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_up_to_200_seeds_spend_within_the_cap_and_every_cent_is_accounted_for(
    block: int, small_study, tmp_path: Path
) -> None:
    for seed in range(SEEDS * block // 4, SEEDS * (block + 1) // 4):
        ours = seed % 8 == 0
        sampler = "money" if ours else ("random", "tpe")[seed % 2]
        settings = {} if ours else {"no_reuse": True, "confirm": "0"}
        settings |= {"budget": "0.3", "tasks": "50%,100%", "sampler": sampler}
        study = small_study(seed=seed, study=f"s{seed}", **settings)
        report = study.run()
        spent = report["money"]["spent"]["micros"]
        assert len(report["purchases"]) >= 2  # of the dearest plans the cap holds two
        assert 0 < spent <= 300_000
        assert spent == oracle.paid(study.folder)
        assert spent == study.world.ledger.balance().spent.micros
        again = sum(row["paid"]["micros"] for row in report["confirmations"])
        assert spent == again + sum(row["paid"]["micros"] for row in report["purchases"])
        assert spent == sum(part["micros"] for part in report["money"]["bought"].values())
        assert report["money"]["held"]["micros"] == 0
        study.close()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(
    small_study, tmp_path: Path
) -> None:
    settings = {"study": "same", "trials": 3, "trainer": CrossValidated()}
    reports = [
        to_json(small_study(runs=tmp_path / name, seed=seed, **settings).run())
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert reports[0] == reports[1]
    assert reports[0] != reports[2]
    assert (tmp_path / "a/same/report.json").read_text() == reports[0]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["money", "rule", "tpe", "nsga2", "gp", "random"])
def test_every_sampler_spends_its_budget_and_resumes_to_the_same_bytes(
    sampler: str, small_study, tmp_path: Path
) -> None:
    stop_at = 1 if sampler == "rule" else 2  # twice the overlap is above the rule's share here
    settings = {"sampler": sampler, "study": "s", "budget": "0.2"}
    whole = small_study(runs=tmp_path / "whole", **settings).run()
    study = small_study(runs=tmp_path / "parts", **settings)

    class StopError(Exception):
        pass

    def stop(progress) -> None:
        if progress.purchases == stop_at:
            raise StopError

    with pytest.raises(StopError):
        study.run(stop)
    study.close()
    again = small_study(runs=tmp_path / "parts", **settings).run()
    assert to_json(again) == to_json(whole)
    assert len(whole["purchases"]) >= stop_at


@pytest.fixture
def finished(finished_small: Path, small_study, tmp_path: Path) -> Study:
    """A study that has spent its budget."""
    shutil.copytree(finished_small, tmp_path / "runs/s")
    return small_study(study="s")


def test_a_finished_study_answers_again_without_buying(finished: Study, small_study) -> None:
    first = (finished.folder / "report.json").read_text()
    study = small_study(study="s")
    assert to_json(study.report()) == first
    assert to_json(study.run()) == first


def test_raising_the_budget_goes_on_and_is_in_the_ledger(small_study) -> None:
    before = small_study(study="s", budget="0.06", confirm="0").run()
    study = small_study(study="s", budget="0.12", confirm="0")
    after = study.run()
    assert len(after["purchases"]) > len(before["purchases"])
    # What is expected of a plan, its price and minutes are those that all purchases tell.
    names = ("purchase", "plan", "measured", "paid", "assignments", "ended", "version")
    bought = [{name: row[name] for name in names} for row in before["purchases"]]
    again = [{name: row[name] for name in names} for row in after["purchases"]]
    assert again[: len(bought)] == bought
    caps = [entry for entry in study.world.ledger.entries() if entry.kind == "cap"]
    assert [entry.amount for entry in caps] == [Money(60_000), Money(120_000)]


def test_other_changes_are_refused_naming_the_field(finished: Study, small_study) -> None:
    same = {"study": finished.config.study}
    with pytest.raises(InputError, match=r"--budget: .* can be raised, not lowered"):
        small_study(**same, budget="0.15")
    with pytest.raises(InputError, match="--sampler: study 's' was started with money"):
        small_study(**same, sampler="random")
    with pytest.raises(InputError, match="--seed: study 's' was started with 0, now 7"):
        small_study(**same, seed=7)


def test_images_that_changed_behind_a_study_are_refused(small_study, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "own.npz"
    x = rng.integers(0, 255, (300, 8, 8)).astype(np.uint8)
    np.savez(path, x=x, y=np.arange(300) % 3)
    small_study(study="s", data=f"npz:{path}", budget="0.3").close()
    x[5] = 255 - x[5]
    np.savez(path, x=x, y=np.arange(300) % 3)
    with pytest.raises(InputError, match="--data: its content changed since study 's'"):
        small_study(study="s", data=f"npz:{path}", budget="0.3")


def test_a_changed_ledger_is_refused_and_nothing_is_bought(small_study) -> None:
    study = small_study(study="s", trials=1)
    study.run()
    study.close()
    path = study.folder / "labelworth.sqlite"
    with sqlite3.connect(path) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='trigger'"):
            database.execute(f"DROP TRIGGER {name}")
        table = "ledger_entries"
        tables = [
            r[0] for r in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        table = next(name for name in tables if "ledger" in name and "head" not in name)
        database.execute(f"UPDATE {table} SET micros = micros / 2 WHERE kind = 'settle'")
    database.close()
    with pytest.raises(LedgerCorrupt):
        small_study(study="s", budget="5", trials=1)


def test_nothing_affordable_ends_without_a_plan(small_study) -> None:
    report = small_study(budget="0.001", study="poor").run()
    assert report["recommended"] is None
    assert report["purchases"] == []
    assert report["money"]["spent"]["micros"] == 0


def test_trials_limits_purchases(bought_twice: Path) -> None:
    report = json.loads((bought_twice / "report.json").read_text())
    assert len(report["purchases"]) == 2
    assert report["stopped"] == "2 purchases of --trials are made"


def test_no_plan_is_above_its_share_of_the_cap_or_the_deadline(small_study) -> None:
    report = small_study(study="s", max_plan_share="20%", max_minutes="6", trials=3).run()
    limit = 60_000
    assert report["purchases"]
    for row in report["purchases"]:
        plan = row["plan"]
        suites = -(-plan["tasks"] * plan["overlap"] // (10 - plan["controls"]))
        reward = plan["price_per_task"]["micros"] * 10
        assert suites * (reward + max(reward * 3 // 10, 1000)) <= limit
        # An order is closed after 6 minutes; assignments then active may still be submitted.
        assert row["minutes"] <= 6 + 5


def test_without_a_deadline_the_report_says_what_price_is_worth(small_study) -> None:
    report = small_study(study="s", max_minutes="none", trials=1).run()
    assert any("price changes only time" in note for note in report["notes"])


@pytest.mark.slow
def test_an_order_that_ends_short_says_so(small_study) -> None:
    report = small_study(
        study="s", allowance="0", controls="1", overlap="3", trials=3, scenario="spam-heavy"
    ).run()
    short = [row for row in report["purchases"] if row["answers_missing"]]
    assert short
    assert any("ended at its limit of assignments" in note for note in report["notes"])


def test_the_report_holds_no_path_and_the_final_images_come_last(
    small_study, small_data: str, tmp_path: Path
) -> None:
    study = small_study(study="s", confirm="0.12", trials=4)
    looked: list[tuple[int, int]] = []
    real = study.world.data.truth
    final = set(study.world.data.rows["final"].tolist())

    class Watched(np.ndarray):
        def __getitem__(self, key):
            rows = isinstance(key, np.ndarray) and key.dtype.kind == "i"
            if rows and final & set(key.tolist()):
                looked.append((len(study.world.store.all_orders()), len(study.outcomes())))
            return super().__getitem__(key)

    object.__setattr__(study.world.data, "truth", real.view(Watched))
    report = study.run()
    text = to_json(report)
    assert str(tmp_path) not in text
    assert small_data.removeprefix("npz:") not in text
    # Validation is scored for every plan; the final images after the last of them: for the
    # recommended plan and for the same plan bought again, once more where a model has a
    # temperature, for all labels merged, and for what is told of the answer's model.
    assert report["confirmation"]["final"]["images"] == len(final)
    everything = (len(report["purchases"]), report["evaluated_plans"])
    with_confirmation = (everything[0] + 1, everything[1])
    looks = 1 + ("calibration" in report["recommended"]["final"])
    again = 3 + ("calibration" in report["confirmation"]["final"])
    assert looked == [everything] * looks + [with_confirmation] * again
    assert report["recommended"]["final"]["images"] == len(final)


def test_label_versions_hold_what_was_bought(finished_small: Path) -> None:
    from labeling import versions

    report = json.loads((finished_small / "report.json").read_text())
    for row in report["purchases"]:
        loaded = versions.load(row["version"], finished_small)
        manifest = json.loads((loaded.path / "manifest.json").read_text())
        assert manifest["plan"]["key"] == row["plan"]["key"]
        cost = manifest["condition_cost"]
        parts = sum(cost[name]["micros"] for name in ("labels", "controls", "unusable", "fee"))
        assert parts == cost["total"]["micros"]
        assert (loaded.path / "labels.csv").exists()


def test_money_is_never_held_after_a_study(finished: Study) -> None:
    assert finished.world.ledger.balance().held == ZERO
    assert not finished.world.ledger.open_holds()
    assert not finished.world.store.unfinished()

"""The money buys labels: within the cap, every image first, then the least sure; it stops."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError
from budget.money import Money
from hpo.settings.stored_answer import to_json
from hpo.study.next_purchase import Wish, carry_out, prepare
from hpo.trial.purchase import DELIVERED, mark_of
from labeling import versions
from tests import oracle
from tests.conftest import DELIVERS, Make
from tests.forks import ended, forked
from tests.heads import FixedHeads
from training.saved import load_model


def delivered(report: dict[str, Any]) -> dict[str, Any]:
    made = report["delivery"]
    assert made is not None
    return made


def tranches(study: Any) -> list[list[int]]:
    """The tasks that each tranche asks about."""
    records = [r for r in study.world.store.all_orders() if mark_of(r.order) == DELIVERED]
    return [[task for task, _ in record.order.wanted] for record in records]


@pytest.fixture
def finished(delivered_small: Path) -> Path:
    """The folder of a study that delivered; tests that change something copy it."""
    return delivered_small


def report_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def test_learning_and_labels_add_up_to_the_money_spent_within_the_cap(finished: Path) -> None:
    report = report_of(finished)
    made, money = delivered(report), report["money"]
    assert made["learning"]["micros"] <= 0.2 * money["cap"]["micros"]
    assert made["learning"]["micros"] + made["bought"]["micros"] == money["spent"]["micros"]
    assert money["spent"]["micros"] == oracle.paid(finished) <= money["cap"]["micros"]
    assert money["held"]["micros"] == 0
    assert oracle.paid_twice(finished) == oracle.orders_open(finished) == 0


def test_single_answers_of_own_annotators_are_bought_until_none_is_affordable(
    small_study: Make,
) -> None:
    """A control answer is a tenth of them: the last affordable one may bear no answer at all."""
    study = small_study(
        study="s", goal="model", learn="20%", budget="3", pay="hourly", price="18", controls="1"
    )
    report = study.run()
    assert Money.parse("1") < Money.from_json(report["money"]["spent"]) <= Money.parse("3")
    assert oracle.orders_open(study.folder) == 0


def test_every_image_gets_an_answer_before_any_is_asked_about_again(
    finished: Path, small_study: Make, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "runs/s")
    study, report = small_study(study="s", **DELIVERS), report_of(finished)
    rounds = tranches(study)
    pool = [int(row) for row in study.world.pool]
    learned = {
        task
        for record in study.world.store.all_orders()
        if mark_of(record.order) == ""
        for task, _ in record.order.wanted
    }
    assert rounds[0] == [row for row in pool if row not in learned]
    assert len(rounds) >= 3
    assert delivered(report)["labels"]["images"] == len(pool)


def test_files_hold_both_labels_and_the_model_that_the_report_tells_of(finished: Path) -> None:
    made = delivered(report_of(finished))
    with (finished / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == made["labels"]["images"]
    changed = sum(row["label"] != row["best_label"] for row in rows) / len(rows)
    assert changed == pytest.approx(made["labels"]["quality"]["changed_by_model"], abs=1e-6)
    version = versions.load(made["labels"]["version"], finished)
    told = version.manifest["label_quality"]
    assert told == made["labels"]["quality"]
    saved = load_model(finished / "model.safetensors")
    assert saved.facts["labels"] == version.id
    assert saved.model.target == made["model"]["target"]


@pytest.mark.slow
def test_even_allocation_asks_all_images_alike(small_study: Make) -> None:
    study = small_study(study="s", **DELIVERS, allocation="even")
    study.run()
    made = {r.order.condition for r in study.world.store.all_orders() if mark_of(r.order)}
    parts = [study.world.store.answers(condition) for condition in made]
    learned = {r.order.condition for r in study.world.store.all_orders() if not mark_of(r.order)}
    parts += [study.world.store.answers(condition) for condition in learned]
    given = Counter(t for p in parts for t in p.task[p.usable & ~p.control].tolist())
    counts = [given[int(row)] for row in study.world.pool]
    # The last round may be cut short by money, and a ban takes the answers of a page.
    assert max(counts) - min(counts) <= 3


@pytest.mark.slow
def test_money_that_adds_nothing_stays_unspent_and_the_answer_says_so(small_study: Make) -> None:
    report = small_study(study="s", **{**DELIVERS, "budget": "20", "learn": "1%"}).run()
    made = delivered(report)
    assert report["money"]["left"]["micros"] > 0.5 * report["money"]["cap"]["micros"]
    assert "promised" in made["ended"] or "all the answers" in made["ended"]


@pytest.mark.slow
def test_a_rate_that_no_money_reaches_ends_the_purchase_once_every_image_has_a_label(
    small_study: Make,
) -> None:
    study = small_study(study="s", **DELIVERS, min_gain=10_000)
    made = delivered(study.run())
    assert "less than asked for" in made["ended"]
    assert made["labels"]["images"] >= 0.9 * len(study.world.pool)


def test_the_same_seed_gives_the_same_bytes_and_a_larger_budget_goes_on(
    finished: Path, small_study: Make, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "a/s")
    report = (finished / "report.json").read_text()
    assert report == to_json(small_study(runs=tmp_path / "b", study="s", **DELIVERS).run())
    assert report == to_json(small_study(runs=tmp_path / "a", study="s", **DELIVERS).run())
    more = small_study(runs=tmp_path / "a", study="s", **{**DELIVERS, "budget": "0.8"})
    after = more.run()
    before = json.loads(report)
    assert after["money"]["spent"]["micros"] > before["money"]["spent"]["micros"]
    assert delivered(after)["labels"]["answers"] > delivered(before)["labels"]["answers"]
    assert after["money"]["spent"]["micros"] == oracle.paid(more.folder) <= 800_000


@pytest.mark.slow
@pytest.mark.parametrize(("learn", "budget"), [("60%", "0.4"), ("25%", "0.5")])
def test_why_the_search_stopped_is_told_alike_after_the_labels_are_bought(
    small_study: Make, learn: str, budget: str
) -> None:
    study = small_study(goal="model", learn=learn, budget=budget, min_gain="0.00001")
    report = study.run()
    left = report["money"]["left"]["usd"]
    # It is less than the search had left.
    assert f"${left} is left to search with" not in report["stopped"]
    assert to_json(study.run()) == to_json(report)


@pytest.mark.slow
def test_the_local_platform_delivers_the_same_labels_as_the_crowd_in_process(
    small_study: Make, tmp_path: Path
) -> None:
    settings = {**DELIVERS, "budget": "0.2", "seed": 3, "study": "s"}
    here = delivered(small_study(runs=tmp_path / "here", **settings).run())
    there = small_study(runs=tmp_path / "there", market="rehearsal", **settings)
    there = delivered(there.run())
    assert there["bought"] == here["bought"]
    assert there["ended"] == here["ended"]
    for name in ("images", "answers", "quality"):
        assert there["labels"][name] == here["labels"][name]
    assert there["final"] == here["final"]


def test_a_budget_that_bears_no_plan_delivers_nothing(small_study: Make) -> None:
    report = small_study(study="s", **{**DELIVERS, "budget": "0.01"}).run()
    assert report["delivery"] is None
    assert report["money"]["spent"]["micros"] == 0


@pytest.mark.slow
def test_further_labels_are_bought_where_the_study_left_off(
    small_study: Make, tmp_path: Path
) -> None:
    study = small_study(study="s", **{**DELIVERS, "budget": "0.12"})
    before = study.run()
    report = (study.folder / "report.json").read_bytes()
    with pytest.raises(InputError, match="--budget: how much may be spent"):
        prepare(study.folder, Wish())

    def buy() -> dict[str, Any]:
        purchase = prepare(study.folder, Wish(budget=Money.parse("0.2")), FixedHeads())
        try:
            return carry_out(purchase, lambda doing: None)
        finally:
            purchase.world.close()

    bought = buy()
    spent = bought["money"]["spent"]["micros"]
    assert 0 < spent <= 200_000
    assert spent + before["money"]["spent"]["micros"] == oracle.paid(study.folder)
    assert bought["labels"]["answers"] > delivered(before)["labels"]["answers"]
    assert bought["labels"]["quality"] is not None
    again = buy()
    assert again["money"] == bought["money"]
    assert again["labels"] == bought["labels"]
    assert to_json(study.run()).encode() == report  # the study's own answer stays


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_of_two_processes_one_buys_the_labels_and_both_tell_of_them(
    small_study: Make, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    small_study(runs=runs, study="s", **DELIVERS).close()  # the folder is there
    told = [tmp_path / "first.json", tmp_path / "second.json"]

    def work(path: Path) -> None:
        path.write_text(to_json(small_study(runs=runs, study="s", **DELIVERS).run()))

    children = [forked(lambda path=path: work(path)) for path in told]
    assert [ended(child) for child in children] == [0, 0]
    reports = [json.loads(path.read_text()) for path in told]
    assert delivered(reports[0])["labels"] == delivered(reports[1])["labels"]
    spent = reports[0]["money"]["spent"]["micros"]
    assert spent == reports[1]["money"]["spent"]["micros"] == oracle.paid(runs / "s") <= 400_000
    assert oracle.paid_twice(runs / "s") == oracle.orders_open(runs / "s") == 0

"""An answer that follows from its rows passes the audit; an edited figure does not."""

from __future__ import annotations

import copy
import csv
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.database import open_database
from budget.errors import LedgerCorrupt, NotBought
from budget.postgres.address import VARIABLE
from hpo.study.oversight.audit import audit, compare
from hpo.study.study import Study
from labeling.store import Store
from labeling.store.stored_pages import stored_page
from labeling.store.tables import assignment_to_row
from labeling.tables.writing import csv_text
from tests.commands import labelworth
from tests.conftest import DELIVERS, SMALL, Command
from tests.drawn import examples
from tests.heads import FixedHeads
from tests.postgres import Server
from tests.unlabelled import SETTINGS as UNLABELLED
from tests.unlabelled import few_known
from tests.unsealed import unseal_driver

PLAN = {"confirm": "0.05", "trials": 3}


def run(runs: Path, **wanted: object) -> Path:
    study = Study(runs=runs, trainer=FixedHeads(), **{**SMALL, "study": "s", **wanted})
    try:
        study.run()
    finally:
        study.close()
    return study.folder


@pytest.fixture
def folder(delivered_small: Path, tmp_path: Path) -> Path:
    """A copy of a finished study, to be edited."""
    return Path(shutil.copytree(delivered_small, tmp_path / "copied"))


def content_of(folder: Path) -> dict[str, bytes]:
    paths = [p for p in folder.rglob("*") if p.is_file() and not p.name.endswith("-shm")]
    return {str(path): path.read_bytes() for path in paths}


def test_an_answer_is_computed_anew_and_nothing_is_touched(folder: Path) -> None:
    before = content_of(folder)
    done = audit(folder, FixedHeads())
    assert done.differences == ()
    assert done.from_rows
    assert done.figures > 1_000
    assert content_of(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plan", "rehearsal", "raised"])
def test_every_kind_of_study_passes(kind: str, small_data: str, tmp_path: Path) -> None:
    wanted: dict[str, dict[str, object]] = {
        "plan": PLAN,
        "rehearsal": {**DELIVERS, "market": "rehearsal"},
        "raised": {**DELIVERS, "budget": "0.3"},
    }
    folder = run(tmp_path, data=small_data, **wanted[kind])
    if kind == "raised":
        run(tmp_path, data=small_data, **{**DELIVERS, "budget": "0.5"})
    assert audit(folder, FixedHeads()).differences == ()


@pytest.mark.slow
def test_on_a_market_with_pools_all_is_from_rows_at_a_database_server_too(
    small_data: str, tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.fresh()
    wanted = {**PLAN, "trials": 1, "market": "rehearsal", "storage": url}
    folder = run(tmp_path / "pools", data=small_data, **wanted)
    monkeypatch.setenv(VARIABLE, url)
    done = audit(folder, FixedHeads())
    assert (done.from_rows, done.differences) == (True, ())
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps(edited(report, ("money", "spent", "micros"), 1)))
    assert len(audit(folder, FixedHeads()).differences) == 1
    one = run(
        tmp_path / "simulated", data=small_data, **{**wanted, "market": "simulated"}, study="b"
    )
    done = audit(one, FixedHeads())  # there several workers may have searched together
    assert (done.from_rows, done.differences) == (False, ())


@pytest.mark.slow
def test_bought_test_labels_and_drawn_roles_pass(tmp_path: Path) -> None:
    found = few_known(tmp_path, 120, 40)
    more = {"test_images": 30, "goal": "model", "trials": 1, "budget": "2"}
    folder = run(tmp_path / "runs", **{**UNLABELLED, **found, **more})
    assert audit(folder, FixedHeads()).differences == ()


@pytest.mark.slow
def test_trials_of_several_workers_are_told_anew_from_their_measurements(
    small_data: str, tmp_path: Path
) -> None:
    study = Study(runs=tmp_path, trainer=FixedHeads(), **{**SMALL, "data": small_data, **PLAN})
    study.prepare()
    number = study.admit(study.world.space.plans[0], "a task outside")
    assert number is not None
    study.finish(number)
    report = study.run()
    study.close()
    done = audit(study.folder, FixedHeads())
    assert (done.from_rows, done.differences) == (False, ())
    changed = edited(report, ("money", "spent", "micros"), 1)
    (study.folder / "report.json").write_text(json.dumps(changed))
    assert len(audit(study.folder, FixedHeads()).differences) == 1


# --- edited figures ---


def figures_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every number, text and mark of a report."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from figures_of(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from figures_of(inner, (*path, at))
    else:
        yield path


def edited(report: Any, path: tuple[Any, ...], by: int) -> Any:
    """A report with one figure changed in its last told digit or letter."""
    changed = copy.deepcopy(report)
    place = changed
    for step in path[:-1]:
        place = place[step]
    value = place[path[-1]]
    if value is None or isinstance(value, bool):
        place[path[-1]] = not value
    elif isinstance(value, int):
        place[path[-1]] = value + by
    elif isinstance(value, float):
        place[path[-1]] = value + by * 1e-6
    else:
        place[path[-1]] = f"{value}{by}"
    return changed


@pytest.fixture(scope="module")
def report(delivered_small: Path) -> Any:
    return json.loads((delivered_small / "report.json").read_text())


@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_any_single_edited_figure_is_named(report: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(figures_of(report))))
    by = data.draw(st.integers(-9, 9).filter(bool))
    changed = edited(report, path, by)
    (difference,) = compare([("report.json", changed, report)]).differences
    assert str(path[-1]) in difference.place


def test_a_figure_that_was_added_or_taken_away_is_named(report: Any) -> None:
    less, more = copy.deepcopy(report), copy.deepcopy(report)
    del less["money"]["spent"]
    more["purchases"].append(more["purchases"][0])
    for changed in (less, more):
        assert compare([("report.json", changed, report)]).differences


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "by"), [(("money", "spent", "micros"), 1), (("delivery", "final", "accuracy"), 1)]
)
def test_the_command_names_an_edited_figure_and_ends_with_6(
    path: tuple[str, ...], by: int, folder: Path, report: Any, tmp_path: Path
) -> None:
    (folder / "report.json").write_text(json.dumps(edited(report, path, by)))
    done = labelworth("audit", str(folder), cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"report.json: {'.'.join(path)}: stored is ")
    assert len(lines) == 2


@pytest.mark.slow
def test_an_edited_label_file_is_named(folder: Path) -> None:
    path = folder / "labels.csv"
    header, first, *rest = csv.reader(path.read_text().splitlines())
    at = header.index("label")
    first[at] = "1" if first[at] == "0" else "0"
    path.write_text(csv_text(header, [first, *rest]))
    (difference,) = audit(folder, FixedHeads()).differences
    assert difference.place == "labels.csv[0].label"


def test_answers_edited_behind_the_seals_do_not_match_their_digest(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "labelworth.sqlite", isolation_level=None)) as vandal:
        unseal_driver(vandal)
        vandal.execute("UPDATE answers SET label = 1 - label WHERE label < 2 AND order_id = 2")
    with pytest.raises(LedgerCorrupt, match="answers are not as bought"):
        audit(folder, FixedHeads())


def test_a_forger_of_answers_seals_and_digests_is_noticed_by_the_answer(folder: Path) -> None:
    path = folder / "labelworth.sqlite"
    engine = open_database(path)
    order = Store(engine, "s").all_orders()[1].order
    page = stored_page(engine, "s", order)
    engine.dispose()
    assert page is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as forger:
        unseal_driver(forger)
        for before in page.assignments:
            forged = replace(before, labels=tuple((label + 1) % 3 for label in before.labels))
            for at, label in enumerate(forged.labels):
                where = "order_id = 2 AND assignment = ? AND position = ?"
                change = f"UPDATE answers SET label = ? WHERE {where}"
                forger.execute(change, (label, forged.id, at))
            change = "UPDATE assignments SET digest = ? WHERE order_id = 2 AND id = ?"
            forger.execute(change, (assignment_to_row(forged)["digest"], forged.id))
    with pytest.raises(NotBought, match="from the answers before it"):
        audit(folder, FixedHeads())


def test_an_order_that_does_not_follow_is_named(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "labelworth.sqlite", isolation_level=None)) as vandal:
        unseal_driver(vandal)
        vandal.execute("UPDATE order_tasks SET wanted = wanted + 1 WHERE order_id = 2")
    with pytest.raises(NotBought, match="follow from the answers before it"):
        audit(folder, FixedHeads())


def test_what_is_no_finished_study_has_nothing_to_audit(
    folder: Path, tmp_path: Path, command: Command
) -> None:
    (folder / "report.json").unlink()
    code, out, err = command("audit", str(folder))
    assert (code, out) == (2, "")
    assert "no answer yet" in err
    assert command("audit", str(tmp_path))[0] == 2

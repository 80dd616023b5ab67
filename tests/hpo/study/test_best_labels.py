"""Versions with best labels beside versions without: views, files and training on them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from budget.database import writing
from budget.errors import InputError
from hpo import Study
from hpo.settings.run_folder import open_store, read_config
from hpo.study.views.version_catalogue import find_view, keep_view, open_catalogue, rows
from hpo.study.views.view_today import labels_inside, read_answers
from hpo.trial.labels import to_labels
from labeling import versions
from labeling.store.catalogue import Catalogue
from labeling.types import Floats
from labeling.versions import Version
from labeling.views import View, parse_view
from labeling.views.tree import Compare
from tests.conftest import SMALL, Command
from tests.unsealed import unseal

BEST_COLUMNS = ("best_label", "best_confidence", "changed")


@pytest.fixture(scope="module")
def finished(module_study: Callable[..., Study]) -> Study:
    """A study of one purchase, none of whose versions has best labels."""
    study = module_study(**{**SMALL, "trials": 1, "confirm": "0", "no_reuse": True}, study="best")
    study.run()
    return study


@pytest.fixture
def folder(finished: Study, tmp_path: Path) -> Path:
    """A copy of the study's folder."""
    return Path(shutil.copytree(finished.folder, tmp_path / "runs/best"))


def plain_version(folder: Path) -> Version:
    (path,) = versions.find(folder / "versions")
    return versions.load(path.name, path.parent)


def with_best(folder: Path, study: Study) -> tuple[Version, Floats]:
    """The study's version again with best labels: the model doubts the first three labels."""
    version, world = plain_version(folder), study.world
    answers = read_answers(version, world)
    row = {name: row for row, name in enumerate(world.data.images.names)}
    labels = to_labels(answers, [row[name] for name in version.table("labels.csv")["image"]], world)
    best = labels.posterior.copy()
    best[:3] = np.roll(best[:3], 1, axis=1)
    added = ("files", "label_distribution")
    saved = versions.save(
        folder / "versions",
        {name: value for name, value in version.manifest.items() if name not in added},
        labels,
        answers,
        names=world.data.images.names,
        classes=world.market.asked.classes,
        best=best,
    )
    return saved, best


def as_an_older_release(folder: Path) -> None:
    """The study's catalogue as a release without best labels made it, its version entered."""
    rows(folder, "answers > 0")
    engine = open_store(folder, read_config(folder))
    with writing(engine) as connection:
        unseal(connection)
        for name in BEST_COLUMNS:
            connection.exec_driver_sql(f"ALTER TABLE catalogue_labels DROP COLUMN {name}")
    engine.dispose()


def test_a_study_cannot_be_trained_on_a_view_of_best_labels(
    small_study: Callable[..., Study],
) -> None:
    for view in ("best_confidence > 0.9", "best_label == '0'", "changed", "not changed"):
        with pytest.raises(InputError) as caught:
            small_study(view=view)
        said = str(caught.value)
        assert "cannot be asked here; valid are image, label, confidence, agreement" in said
        assert not any(name in said.partition("valid are")[2] for name in BEST_COLUMNS)


def test_a_study_without_best_labels_has_unknown_values(folder: Path) -> None:
    as_an_older_release(folder)
    every = rows(folder, "answers > 0")
    assert len(every["image"]) == len(plain_version(folder).table("labels.csv")["image"]) > 3
    for name in BEST_COLUMNS:
        assert set(every[name]) == {None}
    for text in ("changed", "not changed", "best_label != '0'", "best_confidence >= 0"):
        assert rows(folder, text)["image"] == [], text


def test_views_find_the_best_labels_of_a_version_that_has_them(
    folder: Path, finished: Study
) -> None:
    as_an_older_release(folder)
    version, best = with_best(folder, finished)
    changed = rows(folder, "changed")
    table = version.table("labels.csv")
    assert changed["image"] == table["image"][:3]
    assert changed["best_label"] == table["best_label"][:3]
    assert set(changed["version"]) == {version.id}
    assert all(np.array(changed["label"]) != np.array(changed["best_label"]))
    sure = rows(folder, "best_confidence >= 0.8")
    np.testing.assert_allclose(
        sure["best_confidence"], best.max(axis=1)[best.max(axis=1).round(6) >= 0.8], atol=1e-6
    )
    assert len(rows(folder, "not changed")["image"]) == len(best) - 3
    answers = rows(folder, "changed and not control", over="answers")
    assert set(answers["image"]) == set(table["image"][:3])


def test_best_labels_are_printed_and_written_where_a_version_has_them(
    folder: Path, finished: Study, command: Command, tmp_path: Path
) -> None:
    run = str(folder)
    assert "best_label" not in command("view", run, "answers > 0")[1]
    version, best = with_best(folder, finished)
    assert "best_label" in command("view", run, "changed")[1]
    assert command("view", run, "changed", "--count")[1] == "3\n"
    command("view", run, "answers > 0", "--out", "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    mine = [row for row in written if row["version"] == version.id]
    others = [row for row in written if row["version"] != version.id]
    assert [row["changed"] for row in mine] == ["1"] * 3 + ["0"] * (len(best) - 3)
    assert {tuple(row[name] for name in BEST_COLUMNS) for row in others} == {("", "", "")}
    pytest.importorskip("pyarrow")
    command("data", "get", version.id, "--runs", run, "--to", "mine", "--parquet")
    from pyarrow.parquet import read_table

    labels = read_table(tmp_path / "mine/labels.parquet")
    kinds = {field.name: str(field.type) for field in labels.schema}
    assert [kinds[name] for name in BEST_COLUMNS] == ["string", "double", "bool"]
    for code, name in enumerate(finished.world.market.asked.classes):
        np.testing.assert_allclose(labels[f"best({name})"].to_pylist(), best[:, code], atol=1e-6)


def test_a_view_of_best_labels_trains_on_the_labels_that_people_gave(
    folder: Path, finished: Study, command: Command
) -> None:
    version, _ = with_best(folder, finished)
    labels, _ = labels_inside(parse_view("changed"), [(version, [0, 1, 2])], finished.world)
    classes = finished.world.market.asked.classes
    table = version.table("labels.csv")
    assert [classes[code] for code in labels.posterior.argmax(axis=1)] == table["label"][:3]
    told = json.loads(command("report", str(folder), "--view", "not changed", "--json")[1])
    assert told["view_today"]["labelled_images"] == len(table["image"]) - 3
    assert told["view_today"]["versions"] == [version.id]


def test_a_view_keeps_the_name_that_an_older_release_gave_it(folder: Path) -> None:
    engine = open_store(folder, read_config(folder))
    Catalogue(engine, "best").keep("changed", parse_view("confidence >= 0.7"))
    engine.dispose()
    with open_catalogue(folder) as catalogue:
        assert find_view(catalogue, "changed").text == "confidence >= 0.7"
        assert find_view(catalogue, "not changed").node == Compare("changed", "==", False)
        view: View = parse_view("confidence >= 0.7")
        with pytest.raises(InputError, match="--name: 'best_label' is not a name"):
            keep_view(catalogue, "best_label", view)

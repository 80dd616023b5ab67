"""Views in studies: what is trained on, what is recorded, and the commands around versions."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budget.errors import InputError
from hpo import Study
from hpo.study.views.version_catalogue import open_catalogue, rows
from hpo.study.views.view_today import labels_inside, view_today
from hpo.trial.evaluate import fit_plan
from hpo.trial.outcome import plan_from_plain
from labeling import versions
from labeling.types import Answers
from labeling.views import parse_view
from tests.conftest import SMALL, Command

FEW = {**SMALL, "trials": 2, "confirm": "0", "overlap": "1,3", "controls": "1"}
BOUGHT = {**FEW, "no_reuse": True}  # every label version is a purchase's
OVER_LABELS = "confidence >= 0.7 and label != '2'"
OVER_ANSWERS = "skill >= 0.8 and seconds < 3 or answers == 3 and agreement > 0.9"


@pytest.fixture(scope="module")
def studies(module_study: Callable[..., Study]) -> dict[str, Study]:
    """Finished studies of the same seed: without a view, over labels, over answers."""
    made = {
        "plain": module_study(**BOUGHT, study="plain"),
        "labels": module_study(**FEW, study="labels", view=OVER_LABELS, test_view="class == '0'"),
        "answers": module_study(**FEW, study="answers", view=OVER_ANSWERS),
    }
    for study in made.values():
        study.run()
    return made


def purchases(study: Study) -> list[Any]:
    return study.trials.purchases()


# --- training on a view --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["labels", "answers"])
def test_a_trial_is_trained_on_what_its_version_has_inside_the_view(
    name: str, studies: dict[str, Study]
) -> None:
    study = studies[name]
    smaller = 0
    for bought in purchases(study):
        version = versions.load(bought.version, study.folder)
        text = f"({study.config.view}) and version == '{bought.version}'"
        found = rows(study.folder, text)
        images = set(found["image"])
        real = found["image"] if name == "labels" else None
        if name == "answers":
            kept = [i for i, c in zip(found["image"], found["control"], strict=True) if not c]
            images, real = set(kept), kept
            assert len(real) == bought.outcome.answers
        assert len(images) == bought.outcome.labels
        assert version.manifest["view"]["labels"] == bought.outcome.labels
        assert version.manifest["view"]["answers"] == bought.outcome.answers
        whole = version.table("labels.csv")["image"]
        assert images <= set(whole)
        smaller += len(images) < len(whole)
    assert smaller > 0


def test_the_view_stands_in_trials_journal_manifest_and_report(studies: dict[str, Study]) -> None:
    study = studies["labels"]
    view = parse_view(OVER_LABELS)
    report = study.report()
    assert report["view"]["expression"] == view.text
    assert report["view"]["version"] == view.version
    assert report["view"]["over"] == "labels"
    assert set(report["view"]["columns"]) == {"label", "confidence"}
    assert {row["view"] for row in report["front"]} == {view.text}
    assert report["config"]["view"] == view.text
    attrs = [t.user_attrs["outcome"]["view"] for t in study.trials.evaluated()]
    assert set(attrs) == {view.text}
    assert study.trials.attr("view") == report["view"]
    lines = (study.folder / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [e["version"] for e in events if e["event"] == "view"] == [view.version]
    assert [e["over"] for e in events if e["event"] == "test_view"] == ["images"]
    assert studies["plain"].report()["view"] is None


def test_the_same_money_buys_the_same_labels_with_and_without_a_view(
    studies: dict[str, Study],
) -> None:
    first = [purchases(studies[name])[0] for name in ("plain", "labels", "answers")]
    assert len({bought.outcome.plan.key for bought in first}) == 1
    assert len({bought.outcome.price_tag for bought in first}) == 1
    tables = [
        versions.load(bought.version, studies[name].folder).table("labels.csv")
        for name, bought in zip(("plain", "labels", "answers"), first, strict=True)
    ]
    assert tables[0] == tables[1] == tables[2]


def test_accuracy_inside_a_test_view_is_that_of_its_final_images(
    studies: dict[str, Study],
) -> None:
    study = studies["labels"]
    final = study.report()["recommended"]["final"]
    best = study.recommend()
    assert best is not None
    trained = fit_plan(best.plan, study.world)
    rows_ = study.world.data.rows["final"]
    rows_ = rows_[study.world.data.truth[rows_] == 0]
    said = trained.model.predict(study.world.features.values[rows_]).argmax(axis=1)
    assert final["test_view"]["images"] == len(rows_)
    assert final["test_view"]["accuracy"] == pytest.approx((said == 0).mean(), abs=1e-6)
    assert final["images"] > len(rows_)


def test_a_view_that_keeps_nothing_ends_in_an_answer(small_study: Callable[..., Study]) -> None:
    study = small_study(**{**BOUGHT, "trials": 1}, view="answers > 9", test_view="image == 'none'")
    report = study.run()
    assert report["recommended"]["labelled_images"] == 0
    assert report["recommended"]["final"]["test_view"]["accuracy"] is None
    assert report["recommended"]["accuracy"] < 0.7


def test_another_view_is_another_study(studies: dict[str, Study], small_data: str) -> None:
    study = studies["labels"]
    again = {**FEW, "data": small_data, "study": "labels", "test_view": "class=='0'"}
    Study(runs=study.folder.parent, view="confidence>=.70 and label!='2'", **again).close()
    with pytest.raises(InputError, match=r"--view: study 'labels' was started with confidence >="):
        Study(runs=study.folder.parent, view="confidence >= 0.8", **again)


def test_a_view_cannot_be_about_what_it_is_not_asked(small_study: Callable[..., Study]) -> None:
    for settings, said in (
        ({"view": "price <= 0.002"}, "column 'price' at position 1 cannot be asked here"),
        ({"view": "label == 'x'"}, "--view: label: no class 'x'; valid are 0, 1, 2"),
        ({"test_view": "class == 'x'"}, "--test-view: class: no class 'x'; valid are 0, 1, 2"),
        ({"test_view": "confidence > 0.5"}, "column 'confidence' at position 1 cannot be asked"),
        (
            {"campaign": "two-questions", "question": "neat", "test_view": "class == '0'"},
            "is a matter of taste: no image has a true class",
        ),
    ):
        with pytest.raises(InputError) as caught:
            small_study(**settings)
        assert said in str(caught.value)


# --- what a view gives today ---------------------------------------------------------------------


def test_a_view_of_one_whole_version_gives_what_its_trial_gave(studies: dict[str, Study]) -> None:
    study = studies["plain"]
    for bought in purchases(study)[:2]:
        found = view_today(study, f"version == '{bought.version}'", "class == '1'")
        assert found["accuracy"] == bought.outcome.accuracy
        assert found["labelled_images"] == bought.outcome.labels
        assert found["answers"] == bought.outcome.answers
        assert found["versions"] == [bought.version]
        assert found["test_view"]["images"] < found["images"]


@pytest.mark.parametrize("text", ["confidence >= 0.7", "skill >= 0.7"])
def test_a_view_over_several_versions_counts_each_image_and_answer_once(
    text: str, studies: dict[str, Study]
) -> None:
    study = studies["plain"]
    with open_catalogue(study.folder) as catalogue:
        view = parse_view(text)
        places = catalogue.places(view)
        names = set(rows(study.folder, text)["image"])
    ids = sorted({version for version, _ in places})
    assert len(ids) > 1
    parts = [
        (versions.load(v, study.folder), [at for version, at in places if version == v])
        for v in ids
    ]
    labels, answers = labels_inside(view, parts, study.world)
    name_of = study.world.data.images.names
    shown = {name_of[task] for task in labels.task}
    control = {name_of[task] for task in answers.task[answers.control]}
    assert shown == names - control
    assert len(set(labels.task.tolist())) == len(labels.task)
    np.testing.assert_allclose(labels.posterior.sum(axis=1), 1)
    bought = real_answers(study)
    pairs = set(zip(answers.task.tolist(), answers.label.tolist(), strict=True))
    assert pairs <= bought
    assert len(answers) <= sum(len(version.table("answers.csv")["image"]) for version, _ in parts)


def real_answers(study: Study) -> set[tuple[int, int]]:
    conditions = {r.order.condition for r in study.world.store.all_orders()}
    owned: list[Answers] = [study.world.store.answers(condition) for condition in conditions]
    return {pair for a in owned for pair in zip(a.task.tolist(), a.label.tolist(), strict=True)}


def test_nested_versions_of_a_condition_do_not_count_an_answer_twice(
    studies: dict[str, Study],
) -> None:
    study = studies["plain"]
    bought = purchases(study)[0]
    version = versions.load(bought.version, study.folder)
    places = list(range(len(version.table("answers.csv")["image"])))
    view = parse_view("usable or not usable")
    once, _ = labels_inside(view, [(version, places)], study.world)
    twice, _ = labels_inside(view, [(version, places), (version, places)], study.world)
    np.testing.assert_array_equal(once.posterior, twice.posterior)
    over_labels = parse_view("answers > 0")
    places = list(range(len(once.task)))
    again, _ = labels_inside(over_labels, [(version, places), (version, places)], study.world)
    np.testing.assert_array_equal(once.answers, again.answers)
    assert plan_from_plain(version.manifest["plan"]) == bought.outcome.plan


# --- commands ------------------------------------------------------------------------------------


def test_views_are_shown_counted_named_and_written(
    studies: dict[str, Study], command: Command, tmp_path: Path
) -> None:
    run = str(studies["plain"].folder)
    assert "No view has a name yet" in command("view", run)[1]
    code, said, _ = command("view", run, OVER_LABELS, "--name", "good")
    assert code == 0
    count = int(command("view", run, "good", "--count")[1])
    assert f"{count} of " in said
    found = rows(run, OVER_LABELS)
    assert len(found["image"]) == count > 0
    assert min(found["confidence"]) >= 0.7
    assert "2" not in found["label"]
    command("view", run, "good", "--out", "good.csv")
    with (tmp_path / "good.csv").open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == found["image"]

    first = parse_view(OVER_LABELS).version[:8]
    command("view", run, "agreement > 0.5", "--name", "good")
    listed = command("view", run)[1]
    assert f"good@{first} (earlier) over labels: confidence >= 0.7 and label != '2'" in listed
    assert int(command("view", run, f"good@{first}", "--count")[1]) == count
    as_json = json.loads(command("view", run, "good", "--json")[1])
    assert as_json["view"]["expression"] == "agreement > 0.5"
    answers = json.loads(command("view", run, "label == '0'", "--answers", "--json")[1])
    labels = json.loads(command("view", run, "label == '0'", "--json")[1])
    assert answers["inside"] >= labels["inside"] > 0
    assert answers["of"] > labels["of"]


def test_the_date_of_a_version_is_the_journals(small_study: Callable[..., Study]) -> None:
    study = small_study(**{**BOUGHT, "trials": 1})
    study.run()
    journal = study.folder / "journal.jsonl"
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    lines = [json.dumps({**event, "at": "2001-02-03T23:59:59+00:00"}) for event in events]
    journal.write_text("\n".join([*lines, '{"cut by a crash": "version']))
    on_the_day = rows(study.folder, "date == '2001-02-03'")
    assert {day.isoformat() for day in on_the_day["date"]} == {"2001-02-03"}
    assert rows(study.folder, "date > '2001-02-03'")["image"] == []


@pytest.mark.slow
def test_merged_labels_are_viewed_but_not_trained_on_beside_their_own_answers(
    small_study: Callable[..., Study], command: Command
) -> None:
    study = small_study(**{**BOUGHT, "trials": 1}, view="confidence >= 0.5")
    study.run()
    study.close()
    run = str(study.folder)
    bought = json.loads(command("buy", run, "--json")[1])
    merged = bought["labels"]["version"]
    whole = int(command("view", run, f"version == '{merged}'", "--count")[1])
    assert whole == bought["labels"]["images"]
    inside = f"version == '{merged}' and confidence >= 0.5"
    kept = int(command("view", run, inside, "--count")[1])
    assert kept == bought["model"]["trained_on"] <= whole
    assert bought["model"]["view"] == "confidence >= 0.5"
    # What differs from condition to condition is not known of labels merged over them.
    assert command("view", run, f"version == '{merged}' and price < 9", "--count")[1] == "0\n"
    assert ", merged" in command("data", "list", run)[1]
    told = json.loads(command("report", run, "--view", "answers > 0", "--json", "full")[1])
    assert told["view_today"]["versions"] == [row["version"] for row in told["purchases"]]
    told = json.loads(command("report", run, "--view", inside, "--json")[1])
    assert told["view_today"]["versions"] == [merged]
    assert told["view_today"]["labelled_images"] == kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["label == '0'; DROP TABLE views"], "';' at position 13 cannot be read"),
        (["confidance > 0.5"], "column 'confidance' at position 1 is not known; did you mean"),
        (["nothing"], "there is no view named 'nothing'"),
        (["label == 'x'"], "label: no class 'x'; valid are 0, 1, 2"),
        (["version == 'ffff'"], "version: no version here begins with 'ffff'"),
        (["usable", "--name", "usable"], "--name: 'usable' is not a name"),
        (["usable", "--name", "a b"], "--name: 'a b' is not a name"),
        (["usable", "--out", "rows.xls"], "rows.xls: rows are written as .csv or .parquet"),
    ],
)
def test_what_is_wrong_with_a_view_is_one_line_and_exit_2(
    words: list[str],
    said: str,
    studies: dict[str, Study],
    command: Command,
) -> None:
    code, out, error = command("view", str(studies["plain"].folder), *words)
    assert (code, out) == (2, "")
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_view_today_is_told_beside_the_answer(
    studies: dict[str, Study], command: Command
) -> None:
    run = str(studies["plain"].folder)
    before = (studies["plain"].folder / "report.json").read_bytes()
    words = ("report", run, "--view", "confidence >= 0.7", "--test-view", "class == '0'")
    said = command(*words)[1]
    assert "inside confidence >= 0.7 (" in said
    assert "validation images, which the search has seen" in said
    assert "of those images inside class == '0'" in said
    plain = json.loads(command("report", run, "--test-view", "class == '0'", "--json")[1])
    assert plain["view_today"]["view"] is None
    assert plain["view_today"]["role"] == "validation"
    code, _, error = command("report", run, "--view", "answers > 9")
    assert code == 2
    assert "--view: nothing is inside answers > 9" in error
    assert (studies["plain"].folder / "report.json").read_bytes() == before


def test_any_version_comes_into_a_folder_with_one_line(
    studies: dict[str, Study], command: Command, tmp_path: Path
) -> None:
    study = studies["plain"]
    runs, run = str(study.folder.parent), str(study.folder)
    listed = json.loads(command("data", "list", run, "--json")[1])
    assert [row["version"] for row in listed] == [b.version for b in purchases(study)]
    assert [row["labels"] for row in listed] == [b.outcome.labels for b in purchases(study)]
    assert listed[0]["version"][:12] in command("data", "list", run)[1]
    version = listed[0]["version"]
    code, said, _ = command("data", "get", version[:8], "--to", "mine", "--runs", runs)
    assert code == 0
    assert len(said.splitlines()) == 1
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        *("answers.csv", "labels.csv", "manifest.json")
    ]
    pytest.importorskip("pyarrow")
    command("data", "get", version, "--runs", runs, "--parquet")
    from pyarrow.parquet import read_table

    answers = read_table(tmp_path / f"labels-{version[:12]}" / "answers.parquet")
    whole = versions.load(version, run).table("answers.csv")
    assert answers["image"].to_pylist() == whole["image"]
    assert answers["seconds"].to_pylist() == [float(cell) for cell in whole["seconds"]]


def test_a_version_that_is_not_on_disk_is_asked_of_the_mirror(
    studies: dict[str, Study],
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = versions.load(purchases(studies["plain"])[0].version, studies["plain"].folder)
    code, _, error = command("data", "get", version.id)
    assert code == 2
    assert "there is no " + version.id in error
    assert "no ClearML server is connected" in error

    def fetch(version_id: str, folder: Path) -> Path | None:
        if version_id != version.id:
            return None
        versions.copy(version, folder / version_id)
        return folder / version_id

    monkeypatch.setattr("hpo.tracking.clearml.fetch", fetch)
    monkeypatch.setenv("CLEARML_API_ACCESS_KEY", "configured")
    code, said, _ = command("data", "get", version.id, "--to", "mine")
    assert (code, said) == (0, f"version {version.id} from ClearML: mine\n")
    assert (tmp_path / "mine/labels.csv").exists()
    assert versions.load(version.id[:8], tmp_path / "runs").id == version.id  # kept on disk
    assert "nor in ClearML" in command("data", "get", "0" * 32)[2]


def test_a_damaged_version_is_refused_by_every_command(
    small_study: Callable[..., Study], command: Command
) -> None:
    study = small_study(**{**BOUGHT, "trials": 1})
    study.run()
    (path,) = versions.find(study.folder)
    (path / "answers.csv").write_text("image,annotator\n")
    for words in (
        ("view", str(study.folder), "usable"),
        ("data", "list", str(study.folder)),
        ("data", "get", path.name, "--runs", str(study.folder)),
    ):
        code, _, error = command(*words)
        assert code == 2
        assert "answers.csv is not as it was saved; delete this folder" in error

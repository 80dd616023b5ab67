"""A study from Python: its answer as objects and tables, its trials for Optuna's own tools."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from hpo import Study
from hpo.answer.objects.answer import Answer
from hpo.settings.stored_answer import to_json
from hpo.study.looking.notes import leave_answer
from tests.conftest import Make

mpl.use("agg")


@pytest.fixture(scope="module")
def study(
    finished_small: Path, module_study: Make, tmp_path_factory: pytest.TempPathFactory
) -> Study:
    """A finished search."""
    runs = tmp_path_factory.mktemp("looked-at")
    shutil.copytree(finished_small, runs / "s")
    return module_study(runs=runs, study="s")


class Reader(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_answer_is_the_report_with_words(study: Study) -> None:
    answer = study.run()
    stored = (study.folder / "report.json").read_text()
    assert to_json(answer) == stored
    assert answer.to_dict() == json.loads(stored)
    assert answer.recommended == json.loads(stored)["recommended"]
    assert answer.summary.splitlines()[0].startswith("Spend about $")
    assert list(answer.front) == json.loads(stored)["front"]
    assert list(answer.forecast) == json.loads(stored)["advice"]["forecast"]["at"]
    assert repr(answer).startswith("Study s\nSpend about")
    copy = answer.to_dict()
    copy["front"].clear()
    assert answer["front"]


def test_a_notebook_shows_the_first_block_and_the_front(study: Study) -> None:
    page = Reader(study._repr_html_())
    for line in study.report().summary.splitlines():
        assert line in page.texts
    assert page.tags.count("tr") == 1 + len(study.report().front)
    assert page.tags.count("strong") == 1


def test_text_of_others_is_inert_in_a_notebook(study: Study) -> None:
    answer = Answer(study.report())
    answer["study"] = "<img src=x onerror=alert(1)>"
    page = Reader(answer._repr_html_())
    assert "img" not in page.tags
    assert any("<img src=x" in text for text in page.texts)


def test_trials_and_front_are_tables(study: Study) -> None:
    trials, front = study.trials_dataframe(), study.front_dataframe()
    assert list(trials["trial"]) == list(range(len(study.trials.all())))
    spent = study.world.ledger.balance().spent.dollars
    searched = sum(row["paid"]["micros"] for row in study.report()["purchases"]) / 1e6
    assert trials["paid"].sum() == pytest.approx(searched)
    assert 0 < searched <= spent
    assert (trials.loc[trials["kind"] != "purchase", "paid"] == 0).all()
    assert {"purchase", "evaluation"} <= set(trials["kind"])
    assert list(front["plan"]) == [row["plan"]["key"] for row in study.report()["front"]]
    assert front["price_tag"].is_monotonic_increasing
    assert ((front["low"] <= front["accuracy"]) & (front["accuracy"] <= front["high"])).all()


def test_the_front_is_drawn_into_axes(study: Study) -> None:
    from matplotlib import pyplot

    axes = study.plot_front()
    assert axes.get_ylabel().startswith("accuracy")
    given = pyplot.subplots()[1]
    assert study.plot_front(ax=given) is given
    pyplot.close("all")


def test_a_folder_opens_as_the_study_it_holds(study: Study) -> None:
    again = Study.open(study.folder)
    try:
        assert again.report() == study.report()
    finally:
        again.close()


def test_a_copy_for_optuna_tells_trials_apart_and_carries_the_answer(study: Study) -> None:
    before = (study.folder / "optuna.sqlite").read_bytes()
    made = study.optuna_study
    assert made.metric_names == ["accuracy", "price tag, dollars"]
    assert len(made.trials) == len(study.trials.all())
    kinds = [trial.user_attrs["kind"] for trial in made.trials]
    assert kinds.count("purchase") == len(study.trials.purchases())
    for mine, theirs in zip(made.trials, study.trials.all(), strict=True):
        assert (mine.values, mine.params, mine.state) == (
            theirs.values,
            theirs.params,
            theirs.state,
        )
        assert all(not isinstance(value, dict | list) for value in mine.user_attrs.values())
    (best,) = [trial for trial in made.trials if trial.user_attrs["recommended"]]
    answer = study.report()
    assert answer.recommended is not None
    assert best.user_attrs["plan"] == answer.recommended["plan"]["key"]
    assert answer.summary.splitlines()[0] in made.user_attrs["answer"]
    stored = made._storage.get_study_system_attrs(made._study_id)
    assert stored["dashboard:note_str:0"].startswith("# Study")
    assert stored[f"dashboard:{best._trial_id}:note_str:0"].startswith("**recommended**")
    made.set_user_attr("changed", 1)
    assert (study.folder / "optuna.sqlite").read_bytes() == before


def _as_others_open_it(study: Study) -> Any:
    """The study's database, by Optuna alone."""
    import optuna

    path = study.folder / "optuna.sqlite"
    return optuna.load_study(study_name="s", storage=f"sqlite:///{path}")


def test_the_database_itself_shows_the_answer_to_optuna(study: Study) -> None:
    stored = _as_others_open_it(study)
    assert stored.metric_names == ["accuracy", "price tag, dollars"]
    copied = study.optuna_study
    assert stored.user_attrs["answer"] == copied.user_attrs["answer"]
    best = stored.user_attrs["recommended trial"]
    assert copied.trials[best].user_attrs["recommended"]
    flat = ("kind", "minutes", "low", "high", "labels", "paid")
    for mine, theirs in zip(stored.trials, copied.trials, strict=True):
        told = [mine.user_attrs.get(name) for name in flat]
        if mine.state.name == "COMPLETE":
            assert told == [theirs.user_attrs.get(name, 0.0) for name in flat]


def test_the_mark_follows_the_recommendation(study: Study) -> None:
    made, answer = study.optuna_study, study.report()
    before = made.user_attrs["recommended trial"]
    after = (before + 1) % len(made.trials)
    leave_answer(made, {**answer, "study": "n" * 5000}, after)
    leave_answer(made, answer, after)
    notes = made._storage.get_study_system_attrs(made._study_id)
    assert notes[f"dashboard:{made.trials[before]._trial_id}:note_str:0"] == ""
    assert notes[f"dashboard:{made.trials[after]._trial_id}:note_str:0"].startswith("**recomm")
    parts = [notes.get(f"dashboard:note_str:{at}", "") for at in range(9)]
    assert "".join(parts) == made.user_attrs["answer"]


def _plots(name: str) -> list[tuple[str, Callable[[Any], Any]]]:
    import optuna

    module = getattr(optuna.visualization, name) if name else optuna.visualization

    def accuracy(trial: Any) -> float:
        return float(trial.values[0])

    one = {"target": accuracy, "target_name": "accuracy"}
    drawn: dict[str, dict[str, Any]] = {
        "plot_contour": one,
        "plot_edf": one,
        "plot_hypervolume_history": {"reference_point": [0.0, 10.0]},
        "plot_optimization_history": one,
        "plot_parallel_coordinate": one,
        "plot_param_importances": one,
        "plot_pareto_front": {},
        "plot_rank": one,
        "plot_slice": one,
        "plot_terminator_improvement": {},
        "plot_timeline": {},
        "plot_intermediate_values": {},
    }
    there = {n for n in dir(module) if n.startswith("plot_")}
    assert there <= set(drawn)
    return [
        (n, lambda study, n=n: getattr(module, n)(study, **drawn[n]))
        for n in sorted(there - {"plot_terminator_improvement"})  # of one objective only
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("of", ["the copy", pytest.param("the database", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["matplotlib", ""])
def test_all_plots_of_optuna_draw_the_study(study: Study, name: str, of: str) -> None:
    from matplotlib import pyplot

    if not name:
        pytest.importorskip("plotly")
    made = study.optuna_study if of == "the copy" else _as_others_open_it(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for plot, draw in _plots(name):
            assert draw(made) is not None, plot
            pyplot.close("all")


def test_the_runs_folder_says_what_is_no_study(tmp_path: Path) -> None:
    from budget.errors import InputError

    with pytest.raises(InputError, match="no study"):
        Study.open(tmp_path / "nothing")

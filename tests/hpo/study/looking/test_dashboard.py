"""`labelworth dashboard`: a page with notes, or the remedy where Optuna's dashboard is missing."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from hpo.cli.main import main
from hpo.study.looking import dashboard
from tests.conftest import Make


def asked(app: Any, path: str) -> Any:
    """The JSON that a web application answers."""
    at, _, query = path.partition("?")
    environ: dict[str, Any] = {"PATH_INFO": at, "QUERY_STRING": query, "REQUEST_METHOD": "GET"}
    setup_testing_defaults(environ)
    said: list[str] = []
    body = b"".join(app(environ, lambda status, *_: said.append(status)))
    assert said == ["200 OK"], body
    return json.loads(body)


def test_without_the_package_one_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dashboard, "PACKAGE", "no_such_dashboard")
    assert main(["dashboard", str(tmp_path)]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.endswith("is not installed: pip install 'labelworth[dashboard]'")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_page_shows_trials_metric_names_and_the_answer(module_study: Make) -> None:
    pytest.importorskip("optuna_dashboard")
    study = module_study(study="served")
    answer = study.run()
    app = dashboard.dashboard_app(study.optuna_study)
    (listed,) = asked(app, "/api/studies")["study_summaries"]
    assert listed["study_name"] == "served"
    told = asked(app, f"/api/studies/{listed['study_id']}?after=0")
    assert told["objective_names"] == ["accuracy", "price tag, dollars"]
    assert len(told["trials"]) == len(study.trials.all())
    assert answer.summary.splitlines()[0] in told["note"]["body"]
    marked = [trial for trial in told["trials"] if trial["note"]["body"].startswith("**recomm")]
    assert len(marked) == 1
    assert importlib.import_module(dashboard.PACKAGE).__version__

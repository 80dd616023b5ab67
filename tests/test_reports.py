"""The suite's own guard of the report's schema sees what it is to see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpo.settings.stored_answer import to_json
from tests.reports import schema, violations


def test_a_report_that_breaks_the_schema_is_named_and_a_damaged_file_is_not(
    small_study: Callable[..., Any], tmp_path: Path
) -> None:
    study = small_study(trials=1)
    report = study.run()
    assert violations(tmp_path) == []
    required = schema().schema["required"][0]
    broken = {name: value for name, value in report.items() if name != required}
    path = study.folder / "report.json"
    path.write_text(to_json(broken))
    assert violations(tmp_path) == [], "no study tells of it"
    study.events.answer(broken, study.outcomes())
    (said,) = violations(tmp_path)
    assert str(path) in said
    assert required in said
    path.write_text(to_json(report))
    assert json.loads(path.read_text()) == report

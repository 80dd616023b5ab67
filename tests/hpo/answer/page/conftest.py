"""Two finished small studies, one that searched for a plan and one that delivered, and a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hpo.answer.page.gathered import Gathered, gather
from hpo.answer.page.render import render_page


@dataclass(frozen=True)
class Finished:
    """A finished study: its folder, its report, and what its page shows beside it."""

    folder: Path
    report: dict[str, Any]
    gathered: Gathered

    def page(self, **changes: Any) -> str:
        """The page of its report with some changes."""
        return render_page({**self.report, **changes}, self.gathered)


def finished(study: Any) -> Finished:
    report = study.run()
    made = Finished(study.folder, report, gather(report, study.world))
    study.close()
    assert json.loads((study.folder / "report.json").read_text()) == report
    return made


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory, small_data: str) -> Any:
    from tests.conftest import studies_in

    with studies_in(tmp_path_factory.mktemp("pages"), small_data) as make:
        yield make


@pytest.fixture(scope="session")
def searched(grounds: Callable[..., Any]) -> Finished:
    """A study that searched for a plan."""
    return finished(grounds(study="searched", trials=5))


@pytest.fixture(scope="session")
def delivered(grounds: Callable[..., Any]) -> Finished:
    """A study that delivered labels and a model."""
    return finished(grounds(study="delivered", goal="model", budget="0.5"))

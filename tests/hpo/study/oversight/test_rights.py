"""The doctor names who else may read or change a study that lies at a database server."""

from __future__ import annotations

from pathlib import Path

import pytest

from budget.postgres.address import VARIABLE
from hpo.study.oversight.rights import rights_of_others
from hpo.study.study import Study
from tests.conftest import SMALL
from tests.heads import FixedHeads
from tests.postgres import PASSWORD, Server


@pytest.mark.slow
def test_roles_with_rights_on_the_tables_and_a_file_of_wages_are_named(
    small_data: str, tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.fresh()
    monkeypatch.setenv(VARIABLE, url)
    settings = {**SMALL, "data": small_data, "study": "s", "storage": url}
    (tmp_path / "runs").mkdir(mode=0o700)
    study = Study(runs=tmp_path / "runs", trainer=FixedHeads(), **settings)
    study.close()
    assert rights_of_others(study.folder) == []
    name = url.rpartition("/")[2]
    postgres.run("GRANT SELECT ON orders, answers TO PUBLIC", name)
    postgres.run(f"CREATE ROLE {name}_intern", name)
    postgres.run(f"GRANT UPDATE, DELETE ON ledger_rows TO {name}_intern", name)
    said = rights_of_others(study.folder)
    assert len(said) == 2
    assert "the role PUBLIC has SELECT on its tables" in said[0]
    assert f"the role {name}_intern has DELETE, UPDATE on its tables" in said[1]
    assert PASSWORD not in "".join(said)

"""Every report.json that a test leaves is held against the schema that users get."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests import ROOT


@cache
def schema() -> Draft202012Validator:
    """The schema, itself checked once."""
    rules = json.loads((ROOT / "hpo/answer/report.schema.json").read_text())
    Draft202012Validator.check_schema(rules)
    return Draft202012Validator(rules)


def violations(folder: Path) -> list[str]:
    """Where the reports below a folder break the schema.

    A report counts if its study's journal tells of it by its content: tests write damaged ones too.
    """
    return [
        f"{path}: {error}"
        for path in folder.rglob("report.json")
        if _is_told(content := path.read_bytes(), path.parent / "journal.jsonl")
        for error in _errors(content)
    ]


@cache
def _errors(content: bytes) -> list[str]:
    """Where a report breaks the schema: looked at once, however many tests copy it."""
    return [
        f"{error.json_path}: {error.message[:300]}"
        for error in schema().iter_errors(json.loads(content))
    ]


def _is_told(content: bytes, journal: Path) -> bool:
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return journal.is_file() and digest.encode() in journal.read_bytes()


@pytest.fixture(autouse=True)
def reports_keep_the_schema(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check the reports in a test's own folder before it is emptied."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None:
        assert violations(folder) == []


@pytest.fixture(autouse=True, scope="session")
def shared_reports_keep_the_schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Check the reports that tests share."""
    yield
    assert violations(tmp_path_factory.getbasetemp()) == []

"""The audit of dependencies names vulnerabilities, and says where there is no network."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.dependencies import audit

TOLD = {
    "dependencies": [
        {"name": "sound", "version": "1.0", "vulns": []},
        {"name": "left-out", "skip_reason": "not on PyPI"},
        {
            "name": "old",
            "version": "2.0",
            "vulns": [
                {"id": "GHSA-1", "fix_versions": ["2.1"]},
                {"id": "PYSEC-2", "fix_versions": []},
            ],
        },
    ]
}


def answering(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert words == audit.command()
        return subprocess.CompletedProcess(words, 1, out, "")

    monkeypatch.setattr(audit, "is_reachable", lambda: True)
    monkeypatch.setattr(audit.subprocess, "run", run)


def test_each_vulnerability_is_named_and_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(json.dumps(TOLD), monkeypatch)
    assert audit.main() == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "dependency audit: old 2.0: GHSA-1; mended in 2.1",
        "dependency audit: old 2.0: PYSEC-2; mended in no release yet",
    ]
    answering(json.dumps({"dependencies": TOLD["dependencies"][:2]}), monkeypatch)
    assert audit.main() == 0


def test_without_network_or_answer_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "is_reachable", lambda: False)
    assert audit.main() == 0
    answering("Traceback", monkeypatch)
    assert audit.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert all("not run" in line for line in said)


def test_a_closed_port_is_no_database() -> None:
    assert not audit.is_reachable("host.invalid")


def test_exceptions_are_passed_on_and_each_has_a_reason() -> None:
    assert all(len(reason.split()) > 3 for reason in audit.EXCEPTIONS.values())
    words = audit.command({"GHSA-1": "the program opens no archive of that kind"})
    assert words[0] == sys.executable
    assert words[-2:] == ["--ignore-vuln", "GHSA-1"]

"""State on disk: the platform's requests, one JSON line each, written before they take effect.

The platform is deterministic, so replaying the requests restores its state. A line that a kill has
cut short is dropped: its request never took effect.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.files import private, whole_lines
from budget.money import Money
from budget.tariffs.suite import SuiteTariff
from labeling.crowd.scenario import Scenario
from labeling.toloka.server.model.records import Doc
from labeling.toloka.server.model.truth import read_truth
from labeling.toloka.server.model.world import Settings

_APPENDS = os.O_RDWR | os.O_APPEND | os.O_CREAT


class RequestLog:
    """A state file; one server holds it at a time.

    Args:
        path: the file; created if missing.
        started: settings of the server's start.

    Attributes:
        settings: settings of the platform in the file: `started`, or those of a later reset.

    Raises:
        InputError: the file is in use, cannot be read, or was begun with other settings.
    """

    def __init__(self, path: Path, started: Settings) -> None:
        self._path = path
        self._started = plain(started)
        self.settings = started
        try:
            self._file = os.fdopen(private(str(path), _APPENDS), "a+b")
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from None
        try:
            self._lines = self._begin()
        except InputError:
            self._file.close()
            raise

    def _begin(self) -> list[Doc]:
        """Lock the file, and read its records."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{self._path}: another server uses this state file") from None
        self._file.seek(0)
        raw = self._file.read()
        whole = whole_lines(raw)
        try:
            lines: list[Doc] = [json.loads(line) for line in whole.splitlines()]
        except ValueError:
            raise self._stranger() from None
        if lines:
            self._check(lines[0])
        elif raw:
            raise self._stranger()
        else:
            self.restart(self.settings)
        if len(whole) < len(raw):
            self._file.truncate(len(whole))
        return lines

    def _stranger(self) -> InputError:
        return InputError(f"{self._path}: not a state file of this server")

    def records(self) -> Iterator[Doc]:
        """The records, in order."""
        yield from self._lines[1:]

    def write(self, record: Doc) -> None:
        """Write a record; once this returns, the operating system has it."""
        self._file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        self._file.flush()

    def restart(self, settings: Settings) -> None:
        """Clear the file: a platform with these settings starts again."""
        self.settings = settings
        self._file.truncate(0)
        self._file.seek(0)
        self.write({"format": 1, "started": self._started, "settings": plain(settings)})

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _check(self, header: Doc) -> None:
        if not isinstance(header, dict) or header.get("format") != 1:
            raise self._stranger()
        for name, value in self._started.items():
            if header["started"].get(name) != value:
                raise InputError(
                    f"{self._path}: begun with {name} {header['started'].get(name)!r}, not "
                    f"{value!r}; start the server as before, or with another --state"
                )
        self.settings = from_plain(header["settings"])


def plain(settings: Settings) -> Doc:
    """Settings as plain data."""
    truth = settings.truth
    return {
        "scenario": json.loads(json.dumps(asdict(settings.scenario))),
        "seed": settings.seed,
        "balance": settings.balance.micros,
        "tariff": [
            str(settings.tariff.fee_share),
            settings.tariff.fee_minimum.micros,
            settings.tariff.smallest_reward.micros,
        ],
        "truth": [str(truth.path), truth.digest] if truth is not None else None,
        "quotas": settings.quotas,
        "running": settings.running,
    }


def from_plain(document: Doc) -> Settings:
    """Settings from the result of `plain`.

    Raises:
        InputError: the file of true answers has changed.
    """
    scenario: dict[str, Any] = dict(document["scenario"])
    scenario["confusion"] = tuple(tuple(row) for row in scenario["confusion"])
    scenario["exam_pass_rates"] = tuple(scenario["exam_pass_rates"])
    share, minimum, smallest = document["tariff"]
    truth = None
    if document["truth"] is not None:
        path, digest = document["truth"]
        truth = read_truth(Path(path))
        if truth.digest != digest:
            raise InputError(f"{path}: the true answers are not those the platform began with")
    return Settings(
        scenario=Scenario(**scenario),
        seed=document["seed"],
        balance=Money(document["balance"]),
        tariff=SuiteTariff(Fraction(share), Money(minimum), Money(smallest)),
        truth=truth,
        quotas=document["quotas"],
        running=document["running"],
    )

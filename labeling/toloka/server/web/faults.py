"""Faults: what can go wrong between a request and its answer, on purpose."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from budget.errors import InputError

# Kind of fault: whether the request takes effect, if the fault does not say.
KINDS: dict[str, bool] = {
    "drop-before": False,  # the connection is closed before the request is looked at
    "drop-after": True,  # ... after it has taken effect
    "timeout": True,  # no answer for `seconds`, then the connection is closed
    "truncated": True,  # half of the JSON, with the length of the whole
    "500": True,
    "502": True,  # a gateway's page of HTML
    "503": False,
    "504": True,
    "429": False,  # with Retry-After if `retry_after` is given
}


@dataclass
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: one of KINDS.
        path: a route such as "/v1/pools" or "/v1/pools/{id}/open"; "*" for any.
        method: such as "POST"; "*" for any.
        call: the first matching call that it hits, from 1.
        times: how many calls in a row it hits.
        effect: whether the request takes effect all the same; None for what the kind stands for.
        retry_after: seconds to tell the client with a 429.
        seconds: how long a time-out lasts.
        seen: matching calls so far.
    """

    kind: str
    path: str = "*"
    method: str = "POST"
    call: int = 1
    times: int = 1
    effect: bool | None = None
    retry_after: int | None = None
    seconds: float = 15.0
    seen: int = field(default=0)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"faults: kind {self.kind!r} is none of {', '.join(KINDS)}")
        if self.call < 1 or self.times < 1:
            raise InputError("faults: call and times are at least 1")

    @property
    def takes_effect(self) -> bool:
        """Whether the request is carried out although its answer goes wrong."""
        return KINDS[self.kind] if self.effect is None else self.effect

    def hits(self, method: str, template: str) -> bool:
        """Count a call, and say whether this is one that goes wrong."""
        if self.method not in ("*", method) or self.path not in ("*", template):
            return False
        self.seen += 1
        return self.call <= self.seen < self.call + self.times


def make_faults(document: Any, origin: str) -> list[Fault]:
    """Faults from plain data: a list of tables, or a table with the list `faults`.

    Raises:
        InputError: an unknown kind or setting.
    """
    listed = document.get("faults") if isinstance(document, Mapping) else document
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise InputError(f"{origin}: give a list of tables [[faults]]")
    known = {f.name for f in fields(Fault)} - {"seen"}
    for one in listed:
        for name in one:
            if name not in known:
                raise InputError(f"{origin}: {name}: no such setting; valid are {sorted(known)}")
        if "kind" not in one:
            raise InputError(f"{origin}: a fault needs a kind")
    return [Fault(**{**one, "kind": str(one["kind"])}) for one in listed]


def read_faults(path: Path) -> list[Fault]:
    """Read faults from a TOML or JSON file.

    Raises:
        InputError: the file cannot be read, or holds no faults.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: neither TOML nor JSON of faults: {error}") from None
    return make_faults(document, str(path))

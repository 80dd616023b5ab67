"""Faults: deliberate failures between a request and its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.files import regular
from budget.toml import parse_toml
from labeling.toloka.server.model.errors import ApiError
from labeling.toloka.server.routes.shapes.control import FAULT
from labeling.toloka.server.routes.shapes.shape import Shape, anything, check

# Kind of fault: whether the request takes effect, unless the fault sets it.
KINDS: dict[str, bool] = {
    "drop-before": False,  # the connection is closed before the request takes effect
    "drop-after": True,  # the connection is closed after the request has taken effect
    "timeout": True,  # no answer for `seconds`, then the connection is closed
    "truncated": True,  # half of the JSON, with the length of the whole JSON
    "500": True,
    "502": True,  # a gateway's page of HTML
    "503": False,
    "504": True,
    "429": False,  # with Retry-After if `retry_after` is given
}


@dataclass
class Fault:
    """A deliberate failure.

    Attributes:
        kind: one of KINDS.
        path: a route such as "/v1/pools" or "/v1/pools/{id}/open"; "*" for any route.
        method: a method such as "POST"; "*" for any method.
        call: number of the first matching call that fails, from 1.
        times: number of consecutive calls that fail.
        effect: whether the request takes effect; None for the kind's own rule.
        retry_after: seconds in the header Retry-After of a 429.
        seconds: length of a time-out.
        seen: number of matching calls so far.
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
        """Whether the request takes effect although its answer fails."""
        return KINDS[self.kind] if self.effect is None else self.effect

    def hits(self, method: str, template: str) -> bool:
        """Count a call; return whether it fails."""
        if self.method not in ("*", method) or self.path not in ("*", template):
            return False
        self.seen += 1
        return self.call <= self.seen < self.call + self.times


def make_faults(document: Any, origin: str) -> list[Fault]:
    """Faults from plain data: a list of tables, or a table with the list `faults`.

    Raises:
        InputError: an unknown kind or setting.
    """
    _checked(anything, document, origin)
    listed = document.get("faults") if isinstance(document, Mapping) else document
    if not isinstance(listed, list) or not all(isinstance(table, Mapping) for table in listed):
        raise InputError(f"{origin}: give a list of tables [[faults]]")
    settings = {f.name for f in fields(Fault)} - {"seen"}
    for table in listed:
        for name in table:
            if name not in settings:
                raise InputError(f"{origin}: {name}: no such setting; valid are {sorted(settings)}")
        if "kind" not in table:
            raise InputError(f"{origin}: a fault needs a kind")
    return [Fault(**_checked(FAULT, dict(table), origin)) for table in listed]


def _checked(shape: Shape, value: Any, origin: str) -> Any:
    try:
        return check(shape, value, None)
    except ApiError as error:
        raise InputError(f"{origin}: {error.message}") from None


def read_faults(path: Path) -> list[Fault]:
    """Read faults from a TOML or JSON file.

    Raises:
        InputError: the file cannot be read, or holds no faults.
    """
    try:
        text = regular(path).read_text(encoding="utf-8")
        is_json = path.suffix == ".json"
        document = json.loads(text) if is_json else parse_toml(text, str(path))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: neither TOML nor JSON of faults: {error}") from None
    return make_faults(document, str(path))

"""The shapes of the bodies of control: clock, balance, reset and faults."""

from __future__ import annotations

from labeling.toloka.server.model.records import Doc
from labeling.toloka.server.routes.shapes.shape import (
    OrNull,
    Place,
    dollars,
    flag,
    form,
    identifier,
    moment,
    number,
    text,
    whole,
)

_CENTURY = 100 * 366 * 24 * 3600.0


def _moves_once(body: Doc, place: Place) -> None:
    if len(body.keys() & {"events", "until", "seconds"}) != 1:
        raise place.wrong("VALUE_REQUIRED", "one of events, until and seconds is expected")


CLOCK = form(
    None,
    {"events": whole(1, 1_000_000), "until": moment, "seconds": number(0, _CENTURY)},
    _moves_once,
)
BALANCE = form({"balance": dollars})
RESET = form(
    None,
    {
        "balance": dollars,
        "quotas": flag,
        "running": flag,
        "scenario": text(1, 4096),
        "seed": whole(),
        "truth": OrNull(text(1, 4096)),
    },
)
FAULT = form(
    {"kind": identifier},
    {
        "path": text(),
        "method": text(),
        "call": whole(),
        "times": whole(),
        "effect": OrNull(flag),
        "retry_after": OrNull(whole(0)),
        "seconds": number(0, 3600),
    },
)

"""Replies that were paid for: on disk before they count, so that none is bought twice.

A call is written down before it is sent, and its reply before it is used. A call without a reply
was lost: the provider may bill it, so it counts as paid in full. Each line bears a seal: later
studies take these answers as given, so that a changed one must not pass for what the model said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from budget.errors import StorageError
from budget.files import JsonLines
from budget.money import Money
from labeling.machine.replies import Call, MachineReply

LOST = "no reply came"
"""Trouble of a call that was sent and had no reply."""
_SEAL = "seal"


@dataclass(frozen=True, slots=True)
class KeptReply:
    """A call that was sent, with its reply.

    Attributes:
        order: the study and the order that paid for it.
        reply: the reply; one with trouble where none came.
    """

    order: str
    reply: MachineReply


class KeptReplies:
    """The replies of one model's version, shared by all studies of a folder.

    Args:
        path: the file; who sends makes its folder, and locks it.
        most: the most that a call can cost: what a lost one counts for.
    """

    def __init__(self, path: Path, most: Money) -> None:
        self._file = JsonLines(path)
        self._most = most
        self._of: dict[str, dict[int, KeptReply]] = {}

    def of(self, key: str) -> list[KeptReply]:
        """The calls about an image, by attempt.

        Raises:
            StorageError: the file is damaged.
        """
        self._read()
        return [reply for _, reply in sorted(self._of.get(key, {}).items())]

    def send(self, calls: Iterable[Call], order: str) -> None:
        """Write calls down before they are sent."""
        sent = [[call.key, call.attempt] for call in calls]
        if sent:
            self._file.append(_sealed({"order": order, "sent": sent}))

    def keep(self, call: Call, order: str, reply: MachineReply) -> None:
        """Write a reply down."""
        record = {
            "order": order,
            "key": call.key,
            "attempt": call.attempt,
            "said": [round(p, 6) for p in reply.said],
            "micros": reply.cost.micros,
            "trouble": reply.trouble,
        }
        self._file.append(_sealed(record))

    def _read(self) -> None:
        try:
            for record in self._file.new():
                if record != _sealed({k: v for k, v in record.items() if k != _SEAL}):
                    raise ValueError("its seal does not fit")
                self._take(record)
        except (AttributeError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                str(self._file.path),
                f"a kept reply is damaged ({error})",
                "move the file away; its replies are then bought again",
            ) from error

    def _take(self, record: dict[str, object]) -> None:
        order = str(record["order"])
        sent = record.get("sent")
        if isinstance(sent, list):
            for key, attempt in sent:
                lost = KeptReply(order, MachineReply((), self._most, LOST))
                self._of.setdefault(key, {}).setdefault(attempt, lost)
            return
        said = record["said"]
        assert isinstance(said, list)  # noqa: S101 - `keep` wrote it
        reply = MachineReply(
            tuple(map(float, said)), Money(int(str(record["micros"]))), str(record["trouble"])
        )
        of = self._of.setdefault(str(record["key"]), {})
        of[int(str(record["attempt"]))] = KeptReply(order, reply)


def _sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the hash of its content."""
    content = json.dumps(record, sort_keys=True).encode()
    return {**record, _SEAL: blake2b(content, digest_size=8).hexdigest()}

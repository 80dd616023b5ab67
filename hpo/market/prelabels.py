"""Predictions that own annotators are shown with their tasks, from a file that the user names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from budget.errors import InputError
from hpo.data.image_names import match_names
from hpo.market.market import Opening
from labeling.campaign.campaign import OBJECTIVE
from labeling.machine.tables import read_machine_file

_SETTING = "--prelabels"


@dataclass(frozen=True, slots=True)
class Prelabels:
    """Predictions to show.

    Attributes:
        key: their hash, which is part of the condition that shows them; empty for none.
        shown: class that is shown with each row of the pool and of the control images.
        notes: what the answer must say of them.
    """

    key: str = ""
    shown: Mapping[int, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_prelabels(opening: Opening) -> Prelabels:
    """The predictions of a configuration's file; none where no plan shows any.

    The likeliest class is shown. A file that changed since the study began is refused: its answers
    are to other tasks.

    Raises:
        InputError: the file is wrong, lacks an image, or changed.
    """
    config, data = opening.config, opening.data
    if config.prelabels is None or True not in config.prelabel:
        return Prelabels()
    campaign = opening.campaign
    if len(campaign.questions) > 1 or campaign.questions[0].kind != OBJECTIVE:
        raise InputError(f"{_SETTING}: predictions are shown for one question of a class only")
    name, _, array = config.prelabels.partition("#")
    table = read_machine_file(Path(name), array, data.classes, _SETTING)
    found = match_names(table.images, data.images.names)
    likeliest = table.said.argmax(axis=1).tolist()
    said = {found.files.get(n): c for n, c in zip(table.images, likeliest, strict=True)}
    rows = sorted({int(row) for role in ("pool", "control") for row in data.rows[role]})
    lacking = [data.images.names[row] for row in rows if data.images.names[row] not in said]
    if lacking:
        raise InputError(
            f"{_SETTING}: {name}: {len(lacking)} images have no prediction, such as "
            f"{lacking[0]!r}; every image of the pool and every control image needs one"
        )
    shown = {row: said[data.images.names[row]] for row in rows}
    text = ",".join(f"{row}:{label}" for row, label in shown.items())
    key = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    _check_unchanged(opening, key, name)
    notes = (_note(opening, shown), *table.notes, *found.note(Path(name).name, len(table.images)))
    return Prelabels(key, shown, notes)


def _check_unchanged(opening: Opening, key: str, name: str) -> None:
    """Refuse predictions other than those that the study's annotators were shown.

    Raises:
        InputError: the file says something else than before.
    """
    if opening.store is None:
        return
    data = opening.data.key("pool", "control")
    for record in opening.store.all_orders():
        condition = record.order.condition
        if condition.data == data and condition.prelabels not in ("", key):
            raise InputError(
                f"{_SETTING}: {name} changed since annotators were shown its predictions; bring "
                "the old file back, or start another study with --study NAME"
            )


def _note(opening: Opening, shown: Mapping[int, int]) -> str:
    data = opening.data
    rows = [int(row) for row in data.rows["control"]]
    right = sum(shown[row] == int(data.truth[row]) for row in rows)
    return (
        "Predictions shown with tasks change answers: people take over some wrong ones. Control "
        f"tasks show them, too ({right} of {len(rows)} are right there), so that this is seen, "
        "unless the predictions come from a model that was trained on the control images."
    )

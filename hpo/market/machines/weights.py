"""A machine that is a pretrained classifier on this computer, with a mapping of its classes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.errors import InputError
from budget.files import regular
from budget.money import ZERO, Money
from budget.toml import checked_value, parse_toml
from hpo.data.dataset import Dataset
from hpo.market.machines.machine import MachineOpening, OpenedModel
from labeling.machine.replies import Call, MachineReply

if TYPE_CHECKING:
    from training.networks.zero_shot import ZeroShot

_KINDS = {
    "model": "str",
    "file": "str",
    "image_side": "int",
    "price_per_second": "Decimal",
    "most_seconds": "Decimal",
}
_MOST_CODE = 10**6  # far above the classes of any classifier


class NetworkModel:
    """A classifier on this computer; its time has a price, which is $0 where none is stated.

    Args:
        told: content of the file that describes it.
        origin: name of the file, for errors.
        data: the images and the classes.
    """

    is_recorded = False
    batches = (64, 64)
    spare = Fraction(1, 4)

    def __init__(self, told: dict[str, Any], origin: str, data: Dataset) -> None:
        self._told = told
        self._data = data
        self._families = _families(told, origin, data.classes)
        seconds = Fraction(told.get("most_seconds", 1))
        price = told.get("price_per_second", 0)
        self._per_second = Money.price(str(price), f"{origin}: price_per_second")
        self.most = self._per_second.share(seconds)
        self.usual = self._per_second.share(seconds / 20)

    @cached_property
    def _network(self) -> ZeroShot:
        from training.networks.zero_shot import load_zero_shot

        file = self._told.get("file")
        side = self._told.get("image_side")
        return load_zero_shot(
            self._told["model"], Path(file) if file else None, self._families, side
        )

    @cached_property
    def version(self) -> str:
        """Of weights, input and mapping."""
        text = f"{self._network.weights}/{self._families}"
        return f"weights-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"

    def ask(self, calls: Sequence[Call]) -> Iterator[tuple[Call, MachineReply]]:
        """Label images; each costs its part of the time that they took together."""
        begun = time.monotonic()
        said = self._network.predict(self._data.images, [call.row for call in calls])
        seconds = Fraction(time.monotonic() - begun) / max(1, len(calls))
        cost = min(self.most, self._per_second.share(seconds)) if self.most > ZERO else ZERO
        for call, each in zip(calls, said, strict=True):
            yield call, MachineReply(tuple(each.tolist()), cost)


def open_model(opening: MachineOpening) -> OpenedModel:
    """The machine of a classifier: the file that names model, classes and price.

    Raises:
        InputError: the file is wrong, or there are no images to show.
    """
    if opening.data.images.vectors is not None:
        raise InputError("--machine: weights: these are features, which show no image")
    if opening.config.machine_cost is not None:
        raise InputError(
            "--machine-cost: the file of a classifier has price_per_second; leave it out"
        )
    path = Path(opening.where)
    try:
        told = parse_toml(regular(path).read_text(encoding="utf-8"), str(path), Decimal)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--machine: {path}: cannot be read: {error}") from None
    keys = {*_KINDS, "classes"}
    if unknown := sorted(set(told) - keys):
        raise InputError(f"{path}: {unknown[0]}: no such key; there are {', '.join(sorted(keys))}")
    if not isinstance(told.get("model"), str):
        raise InputError(f"{path}: model: give the timm name of a classifier")
    for name, kind in _KINDS.items():
        if name in told:
            told[name] = checked_value(f"{path}: {name}", told[name], kind)
    model = NetworkModel(told, str(path), opening.data)
    return OpenedModel(model, None, told["model"].partition(".")[0])


def _families(
    told: dict[str, Any], origin: str, classes: Sequence[str]
) -> tuple[tuple[int, ...], ...]:
    """Numbers of the classifier's own classes, of each class; "7-24" stands for a range."""
    given = told.get("classes")
    if not isinstance(given, dict) or set(given) != set(classes):
        raise InputError(
            f"{origin}: classes: give a table [classes] with the classifier's own classes for each "
            f"of {', '.join(classes)}"
        )
    return tuple(_codes(origin, name, given[name]) for name in classes)


def _codes(origin: str, name: str, given: Any) -> tuple[int, ...]:
    codes: list[int] = []
    for each in given if isinstance(given, list) else [given]:
        first, _, last = str(each).partition("-")
        numbers = [first, last or first]
        if not all(n.isascii() and n.isdigit() and int(n) < _MOST_CODE for n in numbers):
            raise InputError(f'{origin}: classes: {name}: {each!r} is no class such as 7 or "7-24"')
        codes += range(int(first), int(last or first) + 1)
    if not codes:
        raise InputError(f"{origin}: classes: {name}: no class is given")
    return tuple(codes)

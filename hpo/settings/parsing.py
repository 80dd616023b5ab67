"""Reading single settings: raw values from flags, TOML or Python become checked ones.

Every reader takes the raw value and the name to use in the error, and raises `InputError`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from budget.errors import InputError
from budget.errors import nearest as nearest
from hpo.settings.market_kinds import split_market

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from budget.money import Money
    from budget.postgres.address import Address
    from labeling.types import DynamicOverlap
    from labeling.views.columns import Column

_T = TypeVar("_T")
_LONGEST_NAME = 80  # bytes: a folder's name and what is added to it fit every file system
_MOST_DIGITS = 100  # of a share: Fraction() of 1e-999999999 would not come back
BUILT_IN_DATA = ("digits3", "digits")
OWN_DATA: dict[str, str] = {}
"""Data that a script added: name -> "module:function"."""


def _number(value: object, name: str) -> Decimal:
    from decimal import Decimal, InvalidOperation  # --help waits for what this module imports

    try:
        if isinstance(value, bool):
            raise InvalidOperation
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise InputError(f"{name}: {value!r} is not a number") from None
    if not number.is_finite():
        raise InputError(f"{name}: {value!r} is not a finite number")
    return number


def whole(low: int, high: int = 10**9) -> Callable[[object, str], int]:
    """A whole number from `low` to `high`."""

    def read(value: object, name: str) -> int:
        number = _number(value, name)
        bounds = f"at least {low}" if number < low else f"from {low} to {high}"
        # Compared before converting: int() of 1e999999999 would not come back.
        if not low <= number <= high or number != number.to_integral_value():
            raise InputError(f"{name}: {value} is not a whole number {bounds}")
        return int(number)

    return read


def number(low: float, high: float) -> Callable[[object, str], float]:
    """A number from `low` to `high`."""

    def read(value: object, name: str) -> float:
        amount = _number(value, name)
        if not low <= amount <= high:
            raise InputError(f"{name}: {value} is not a number from {low:g} to {high:g}")
        return float(amount)

    return read


def share(low: str, high: str) -> Callable[[object, str], Fraction]:
    """A share such as 0.4 or 40%, within bounds."""

    def read(value: object, name: str) -> Fraction:
        from decimal import Decimal
        from fractions import Fraction

        text = str(value).strip()
        scale = 100 if text.endswith("%") else 1
        number = _number(text.removesuffix("%"), name)
        if number and abs(number.adjusted()) > _MOST_DIGITS:
            raise InputError(f"{name}: {value} has more than {_MOST_DIGITS} digits")
        number /= scale
        if not Decimal(low) <= number <= Decimal(high):
            raise InputError(f"{name}: {value} is not between {low} and {high} (or a percentage)")
        return Fraction(number)

    return read


def money(value: object, name: str) -> Money:
    """An amount of dollars, not negative."""
    from budget.money import Money

    if isinstance(value, bool):
        raise InputError(f"{name}: {value!r} is not an amount of dollars, such as 20 or 0.002")
    return Money.price(str(value), name)


def budget(value: object, name: str) -> Money:
    """A positive amount of dollars."""
    amount = money(value, name)
    if not amount.micros:
        raise InputError(f"{name}: 0 buys nothing; give an amount of dollars, such as 20")
    return amount


def price(value: object, name: str) -> Money:
    """A positive price per task."""
    amount = money(value, name)
    if not amount.micros:
        raise InputError(
            f"{name}: annotators do not answer for $0; give a price per task, such as 0.002"
        )
    return amount


def boolean(value: object, name: str) -> bool:
    """on/off, yes/no or true/false."""
    words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
    meaning = words.get(str(value).strip().lower())
    if meaning is None:
        raise InputError(f"{name}: {value!r} is neither on nor off")
    return meaning


def tasks(value: object, name: str) -> str:
    """A number of tasks, or a share of the pool such as 40%."""
    text = str(value).strip()
    number = _number(text.removesuffix("%"), name)
    if text.endswith("%"):
        if not 0 < number <= 100:
            raise InputError(f"{name}: {value} is not a share of the pool between 0% and 100%")
        return f"{number.normalize():f}%"
    return str(whole(1)(text, name))


SIMULATED_PEOPLE = "simulated:"


def people(value: object, name: str) -> str:
    """A number of own annotators, or simulated:N."""
    word = str(value).strip()
    count = whole(1, 100)(word.removeprefix(SIMULATED_PEOPLE), name)
    return f"{SIMULATED_PEOPLE if word.startswith(SIMULATED_PEOPLE) else ''}{count}"


def one_of(*names: str) -> Callable[[object, str], str]:
    """One of some names."""

    def read(value: object, name: str) -> str:
        if value not in names:
            raise InputError(f"{name}: {value!r} is not known; {nearest(str(value), names)}")
        return str(value)

    return read


def text(value: object, name: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name}: {value!r} is not a name")
    return value.strip()


def study_name(value: object, name: str) -> str:
    """A name that is safe as a folder's."""
    given = unicodedata.normalize("NFC", text(value, name))
    letters = [sign in "._-" or unicodedata.category(sign)[0] in "LMN" for sign in given]
    begins = unicodedata.category(given[0])[0] in "LN"
    if not (begins and all(letters) and len(given.encode()) <= _LONGEST_NAME):
        raise InputError(f"{name}: {given!r} is not a folder name of letters, digits, . _ and -")
    return given


def data(value: object, name: str) -> str:
    """A source of images."""
    given = text(value, name)
    kind, _, rest = given.partition(":")
    if given in BUILT_IN_DATA or given in OWN_DATA or (kind in ("npz", "folder") and rest):
        return given
    path = Path(given)
    if path.is_dir():
        return f"folder:{given}"
    if path.suffix == ".npz" and path.is_file():
        return f"npz:{given}"
    sources = (*BUILT_IN_DATA, "npz:FILE", "folder:DIR")
    raise InputError(
        f"{name}: {given!r} is not known; {nearest(given, sources)} (no folder has this name)"
    )


def class_names(value: object, name: str) -> tuple[str, ...]:
    """Names of classes: a list, or a text in which commas separate them."""
    import csv

    given = value if isinstance(value, list | tuple) else next(csv.reader([str(value)]), [])
    names = tuple(str(item).strip() for item in given)
    if len(set(names)) < max(len(names), 2) or not all(names):
        raise InputError(f"{name}: {value!r}: give two names or more, each once, such as cat,dog")
    return names


def role_shares(value: object, name: str) -> tuple[Fraction, ...]:
    """Percent of the images for each of the four roles: 70/5/12/13."""
    from fractions import Fraction

    parts = list(value) if isinstance(value, list | tuple) else str(value).split("/")
    shares = tuple(Fraction(_number(str(part).removesuffix("%"), name)) for part in parts)
    if len(shares) != 4 or min(shares) <= 0 or sum(shares) != 100:
        raise InputError(
            f"{name}: {value!r} is not the percent of pool, control, validation and final images, "
            "such as 70/5/12/13: four numbers above 0 that make 100"
        )
    return shares


def market(value: object, name: str) -> str:
    """A market of a kind that there is, with its file where it takes one."""
    given = text(value, name)
    split_market(given, name)
    return given


def url_prefix(value: object, name: str) -> str:
    """The beginning of images' addresses."""
    given = text(value, name)
    if not given.startswith(("https://", "http://")):
        raise InputError(
            f"{name}: {given!r} is no beginning of an address, such as https://example.org/photos/"
        )
    return given


def trial_view(value: object, name: str) -> str:
    """A view over a trial's labels or the answers behind them, as its plainest text."""
    from labeling.views.columns import TRIAL_COLUMNS

    return _view(value, name, TRIAL_COLUMNS)


def test_view(value: object, name: str) -> str:
    """A view over test images, as its plainest text."""
    from labeling.views.columns import TEST_COLUMNS

    return _view(value, name, TEST_COLUMNS)


def _view(value: object, name: str, columns: Mapping[str, Column]) -> str:
    from labeling.views import parse_view

    return parse_view(str(value), name, columns).text


def aggregation(value: object, name: str) -> str:
    """The name of an aggregator."""
    from labeling.aggregation.registry import AGGREGATORS

    return one_of(*AGGREGATORS)(value, name)


def exponent(value: object, name: str) -> float | None:
    """A selection exponent between 0 and 5, or none for the scenario's own."""
    if value is None or str(value).strip().lower() == "none":
        return None
    number = _number(value, name)
    if not 0 <= number <= 5:
        raise InputError(f"{name}: {value} is not between 0 and 5")
    return float(number)


def minutes(value: object, name: str) -> float | None:
    """A positive number of minutes, or none."""
    if value is None or str(value).strip().lower() in ("none", "off"):
        return None
    number = _number(value, name)
    if not 0 < number <= 10**6:
        raise InputError(f"{name}: {value} is not a positive number of minutes (or none)")
    return float(number)


def target(value: object, name: str) -> float:
    """An accuracy to reach, such as 0.92 or 92%."""
    return float(share("0.01", "0.9999")(value, name))


def worth(value: object, name: str) -> Money:
    """The worth of an accuracy point: "1 point = $50", or the dollars alone."""
    text = str(value).strip()
    points, equals, dollars = text.partition("=")
    if equals and points.split() not in (["1", "point"], ["point"], ["1"]):
        raise InputError(f'{name}: {text!r} is not the worth of a point, such as "1 point = $50"')
    amount = money((dollars if equals else text).strip().removeprefix("$"), name)
    if not amount.micros:
        raise InputError(f"{name}: a point that is worth 0 needs no labels; give dollars a point")
    return amount


def optional(read: Callable[[object, str], _T]) -> Callable[[object, str], _T | None]:
    """The same reader, but None stays None."""

    def reader(value: object, name: str) -> _T | None:
        return None if value is None else read(value, name)

    return reader


def storage(value: object, name: str) -> Address | None:
    """The address of a database: as given, else as the environment names it; or none."""
    from budget.postgres.address import VARIABLE, read_address

    if value is None:
        value, name = os.environ.get(VARIABLE, "none"), VARIABLE
    return None if value == "none" else read_address(str(value), name)


def _range(low: object, high: object, step: object, name: str) -> list[str]:
    start, stop, width = _number(low, name), _number(high, name), _number(step, name)
    if width <= 0 or stop < start:
        raise InputError(f"{name}: a range is LOW:HIGH:STEP with LOW <= HIGH and STEP > 0")
    if (stop - start) / width >= 1000:
        raise InputError(f"{name}: LOW:HIGH:STEP gives too many values; the most is 1000")
    count = int((stop - start) / width) + 1
    return [f"{start + width * i:f}" for i in range(count)]


def dimension(read: Callable[[object, str], _T]) -> Callable[[object, str], tuple[_T, ...]]:
    """A list, a range (LOW:HIGH:STEP, or a table low/high/step) or one fixed value."""

    def reader(value: object, name: str) -> tuple[_T, ...]:
        raw: list[object]
        if isinstance(value, Mapping):
            if set(value) != {"low", "high", "step"}:
                raise InputError(f"{name}: a range needs exactly the keys low, high, step")
            raw = list(_range(value["low"], value["high"], value["step"], name))
        elif isinstance(value, list | tuple):
            raw = list(value)
        elif isinstance(value, str) and value.count(":") == 2:
            low, high, step = value.split(":")
            raw = list(_range(low, high, step, name))
        elif isinstance(value, str):
            raw = [part.strip() for part in re.split(r",(?![^(]*\))", value) if part.strip()]
        else:
            raw = [value]
        if not raw:
            raise InputError(f"{name}: no value given")
        return tuple(dict.fromkeys(read(item, name) for item in raw))

    return reader


def fixed_overlap(value: object, name: str) -> tuple[int, ...]:
    """The whole numbers among overlaps to choose from."""
    return tuple(item for item in _overlaps(value, name) if isinstance(item, int))


def dynamic_overlap(value: object, name: str) -> tuple[DynamicOverlap, ...]:
    """The rules dynamic(least,most,confidence) among overlaps to choose from."""
    if not value:
        return ()
    return tuple(item for item in _overlaps(value, name) if not isinstance(item, int))


def _overlaps(value: object, name: str) -> tuple[int | DynamicOverlap, ...]:
    from labeling.types import DynamicOverlap

    def read(item: object, name: str) -> int | DynamicOverlap:
        if isinstance(item, DynamicOverlap):
            return item
        if "dynamic" in str(item):
            from labeling.aggregation.dynamic_overlap import parse_overlap

            return parse_overlap(str(item))
        return whole(1)(item, name)

    return dimension(read)(value, name)


def as_name(text: str) -> str:
    """A text with everything that does not belong in a folder's name replaced by "-"."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")

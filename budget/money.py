"""Money as whole micro-dollars, so that sums are exact and a cap is a cap."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, Inexact, InvalidOperation, localcontext
from fractions import Fraction
from typing import Any

from budget.errors import InputError

MICROS_PER_DOLLAR = 1_000_000
_LONGEST = 20  # digits before the point
_LARGEST = 10**15  # a billion dollars: far above any study, far below the largest SQL integer


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount of US dollars, held as an integer number of micro-dollars (10^-6 dollars).

    Amounts may be negative, such as the money left after a settlement above its hold.
    """

    micros: int

    def __post_init__(self) -> None:
        if type(self.micros) is not int:
            raise TypeError(f"money is a whole number of micro-dollars, not {self.micros!r}")

    @classmethod
    def parse(cls, text: str, name: str = "amount") -> Money:
        """Read an amount of dollars, such as "20", "0.002" or "$6.54".

        Args:
            text: the dollars in decimal notation, with at most six decimal places.
            name: name of the amount in the error message.

        Raises:
            InputError: not a finite decimal number, more than six decimals, or a billion or more.
        """
        try:
            dollars = Decimal(text.strip().removeprefix("$"))
        except InvalidOperation:
            raise InputError(
                f"{name}: {text!r} is not an amount of dollars, such as 20 or 0.002"
            ) from None
        if not dollars.is_finite():
            raise InputError(f"{name}: {text!r} is not a finite amount of dollars, such as 20")
        # Exponents are compared first: arithmetic with 1e999999999 overflows.
        if dollars and (
            dollars.adjusted() > _LONGEST or abs(dollars) >= _LARGEST // MICROS_PER_DOLLAR
        ):
            raise InputError(f"{name}: {text!r} is too large; the most is below $1,000,000,000")
        with localcontext() as context:
            context.clear_flags()
            micros = dollars * MICROS_PER_DOLLAR
        if context.flags[Inexact] or micros != micros.to_integral_value():
            raise InputError(f"{name}: {text!r} has more than six decimals; the unit is $0.000001")
        return cls(int(micros))

    @classmethod
    def price(cls, text: str, name: str = "amount") -> Money:
        """Read an amount that somebody is paid: as `parse`, and not below $0.

        Raises:
            InputError: as `parse`, or the amount is negative: it would add to the money left.
        """
        amount = cls.parse(text, name)
        if amount.micros < 0:
            raise InputError(f"{name}: {text} is negative; give an amount of dollars, such as 20")
        return amount

    def __add__(self, other: Money) -> Money:
        return Money(self.micros + other.micros)

    def __sub__(self, other: Money) -> Money:
        return Money(self.micros - other.micros)

    def __mul__(self, count: int) -> Money:
        return Money(self.micros * count)

    __rmul__ = __mul__

    def share(self, share: Fraction) -> Money:
        """The given share of this amount, rounded up to a whole micro-dollar."""
        exact = self.micros * share
        return Money(-((-exact.numerator) // exact.denominator))

    @property
    def dollars(self) -> float:
        """The amount in dollars as a float: for plots and surrogate models, never for sums."""
        return self.micros / MICROS_PER_DOLLAR

    def exact(self) -> str:
        """Decimal dollars without a currency sign: "6.54", "0.0065", "20.00"."""
        sign, micros = ("-", -self.micros) if self.micros < 0 else ("", self.micros)
        whole, part = divmod(micros, MICROS_PER_DOLLAR)
        digits = f"{part:06d}".rstrip("0").ljust(2, "0")
        return f"{sign}{whole}.{digits}"

    def __str__(self) -> str:
        text = self.exact()
        return f"-${text[1:]}" if text.startswith("-") else f"${text}"

    def to_json(self) -> dict[str, Any]:
        """The amount as JSON types: exact decimal dollars, and whole micro-dollars."""
        return {"usd": self.exact(), "micros": self.micros}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Money:
        """The amount of `to_json`."""
        return cls(raw["micros"])

    def cents(self) -> str:
        """Dollars rounded up to whole cents, for tables: "$6.54"."""
        cents = -(-self.micros // 10_000)
        sign = "-" if cents < 0 else ""
        return f"{sign}${abs(cents) // 100}.{abs(cents) % 100:02d}"


ZERO = Money(0)


def add_up_in_cents(parts: Sequence[Money]) -> list[str]:
    """Parts of a whole in whole cents that add up, as printed, to the whole's `Money.cents`.

    Every sum from the first part on is rounded up. So the first part is printed as alone, and each
    part is less than a cent away from its amount.

    Args:
        parts: amounts, such as what is spent, held and left of a cap.
    """
    sums = [0, *(-(-part.micros // 10_000) for part in itertools.accumulate(parts))]
    return [Money(10_000 * (b - a)).cents() for a, b in itertools.pairwise(sums)]

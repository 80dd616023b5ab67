"""The file that describes an endpoint: address, model, prices of tokens, limits, and its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from budget.errors import InputError, nearest
from budget.files import regular
from budget.money import Money
from budget.secret import Secret, secret_of
from budget.toml import checked_value, parse_toml

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """An endpoint of chat completions with images.

    Attributes:
        url: address of the API, up to `/v1`.
        model: name of the model there.
        input_price, output_price: dollars per million tokens, from the table of prices.
        image_tokens: the most tokens that an image may count as.
        output_tokens: the most tokens of an answer.
        image_side: side in pixels of the image that is sent.
        repeats: answers of one call, whose shares are the confidence; 1 takes log-probabilities.
        concurrency: calls under way at once.
        wait: longest wait in seconds after the endpoint asks to slow down.
        timeout: seconds after which a call is lost.
        key_variable: environment variable that holds the key; "" for no key.
        key_file: file of mode 0600 that holds the key, where the variable is not set.
    """

    url: str
    model: str
    input_price: Decimal
    output_price: Decimal
    image_tokens: int
    output_tokens: int = 8
    image_side: int = 256
    repeats: int = 1
    concurrency: int = 4
    wait: int = 20
    timeout: int = 60
    key_variable: str = ""
    key_file: str = ""

    def price(self, read: int, written: int) -> Money:
        """What tokens cost, rounded up to a micro-dollar.

        Args:
            read: tokens of prompt and image.
            written: tokens of the answer.
        """
        # Dollars per million tokens are micro-dollars per token.
        return Money(
            ceil(read * Fraction(self.input_price) + written * Fraction(self.output_price))
        )

    def key(self, environment: Mapping[str, str] | None = None) -> str:
        """The key, which is shown nowhere; "" where the endpoint takes none.

        Raises:
            InputError: the variable is not set, others may read the file, or the key holds what
                no header may.
        """
        found = secret_of(self.key_variable, self.key_file, environment)
        if found is not None:
            return Secret(*found).reveal()
        if self.key_variable:
            raise InputError(f"{self.key_variable}: not set; it holds the key of the endpoint")
        return ""


def read_endpoint(path: Path) -> EndpointSettings:
    """Read the description of an endpoint.

    The table [prices.MODEL] gives `input` and `output`, dollars per million tokens.

    Raises:
        InputError: naming file and key that are wrong, and the remedy.
    """
    try:
        text = regular(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--machine: {path}: cannot be read: {error}") from None
    raw: dict[str, Any] = parse_toml(text, str(path), Decimal)
    prices = raw.pop("prices", {})
    model = checked_value(f"{path}: model", raw.get("model", ""), "str")
    price = prices.get(model) if isinstance(prices, dict) else None
    if not isinstance(price, dict) or set(price) != {"input", "output"}:
        raise InputError(
            f"{path}: prices: give a table [prices.{model or 'MODEL'}] with input and output, "
            "dollars per million tokens"
        )
    given = {**raw, **{f"{kind}_price": price[kind] for kind in ("input", "output")}}
    known = {field.name: field for field in fields(EndpointSettings)}
    for name in given:
        if name not in known:
            raise InputError(f"{path}: {name}: no such key; {nearest(name, tuple(known))}")
    for name in ("url", "model", "image_tokens"):
        if name not in given:
            raise InputError(f"{path}: {name}: missing")
    for name, value in given.items():
        given[name] = checked_value(f"{path}: {name}", value, str(known[name].type))
    settings = EndpointSettings(**given)
    _check_address(path, settings)
    return settings


def _check_address(path: Path, settings: EndpointSettings) -> None:
    """Refuse an address that would show the key, or the images, to the network."""
    try:
        parts = urlsplit(settings.url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    plain = settings.url.isascii() and settings.url.isprintable() and " " not in settings.url
    if not is_address or not plain or parts.username or parts.query or parts.fragment:
        raise InputError(f"{path}: url: {settings.url!r} is no address such as https://HOST/v1")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise InputError(
            f"{path}: url: {settings.url}: only an address of this machine may be http"
        )

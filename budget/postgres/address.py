"""Where a PostgreSQL database lies. Its password is kept apart, and nothing shows it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from budget.errors import InputError

VARIABLE = "LABELWORTH_STORAGE"
"""The environment's variable that names a database, with its password."""
_SECRETS = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a database.

    Attributes:
        url: without any password.
        secrets: passwords, each with libpq's name.
    """

    url: str
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)

    def __str__(self) -> str:
        return self.url

    def complete(self) -> Address:
        """The same address with the password of the environment, where it has none."""
        if self.secrets or not (given := os.environ.get(VARIABLE)):
            return self
        other = read_address(given, VARIABLE)
        return other if other == self else self


def read_address(text: str, name: str = "database") -> Address:
    """An address from the URL that a user gives.

    Args:
        text: such as postgresql://user:password@host/database.
        name: what it is called in error messages, which never show it.

    Raises:
        InputError: it is no URL of a PostgreSQL database.
    """
    from sqlalchemy import URL, make_url  # who only reads settings does not wait for it
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InputError(
            f"{name}: the URL cannot be read; it looks like postgresql://host/name"
        ) from None  # the cause would show a password
    if url.get_backend_name() not in ("postgresql", "postgres"):
        kind = url.get_backend_name()
        raise InputError(f"{name}: {kind!r} is not supported; use a path or postgresql://...")
    secrets = {key: _one(url.query[key]) for key in _SECRETS if key in url.query}
    if url.password is not None:
        secrets["password"] = str(url.password)
    plain = URL.create(
        "postgresql",
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        query={key: value for key, value in url.query.items() if key not in _SECRETS},
    )
    return Address(plain.render_as_string(), tuple(secrets.items()))


def _one(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else value[-1]

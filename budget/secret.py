"""A secret from the environment or a private file; it is never shown."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from budget.errors import InputError

_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Secret:
    """A secret, such as an API token. Only `reveal` returns it; text and repr are stars.

    Args:
        secret: the secret itself.
        source: where it came from, for errors.
        remedy: where a right one is had.

    Raises:
        InputError: it is empty, or holds a character that no HTTP header may have.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str, source: str, remedy: str = "") -> None:
        secret = secret.strip()
        if not _PRINTABLE.fullmatch(secret):
            raise InputError(
                f"{source}: the token is empty or holds blanks or other characters that no token "
                f"has; copy it again{f' from {remedy}' if remedy else ''}"
            )
        self._secret = secret

    def reveal(self) -> str:
        """The secret itself."""
        return self._secret

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a token is not written anywhere")


def secret_text(
    variable: str, file_variable: str, environment: Mapping[str, str] | None = None
) -> tuple[str, str] | None:
    """A secret's text and where it stands: in a variable, else in the file that another names.

    Args:
        variable: the environment variable of the secret.
        file_variable: the environment variable of the file's path.
        environment: the environment variables; the process's own by default.

    Returns:
        None if neither variable is set.

    Raises:
        InputError: the file cannot be read, or others may read it.
    """
    variables = os.environ if environment is None else environment
    return secret_of(variable, variables.get(file_variable, ""), variables)


def secret_of(
    variable: str, file: str, environment: Mapping[str, str] | None = None
) -> tuple[str, str] | None:
    """A secret's text and where it stands: in a variable, else in a file.

    Args:
        variable: the environment variable of the secret; "" for none.
        file: path of the file; "" for none.
        environment: the environment variables; the process's own by default.

    Returns:
        None if the variable is not set and no file is named.

    Raises:
        InputError: the file cannot be read, or others may read it.
    """
    variables = os.environ if environment is None else environment
    if variables.get(variable):
        return variables[variable], variable
    if not file:
        return None
    path = Path(file).expanduser()
    return _from_file(path), str(path)


def _from_file(path: Path) -> str:
    try:
        # Without waiting: to open a pipe would last until somebody writes to it.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise InputError(f"{path}: the token file is no file; put the token in a file")
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputError(f"{path}: others may read the token in it; run: chmod 600 {path}")
            return file.read(10_000).decode("ascii", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: the token file cannot be read: {error.strerror}") from None

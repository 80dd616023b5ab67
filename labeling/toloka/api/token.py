"""The token of an account, from the environment or a private file; it is never shown."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from budget.errors import InputError

VARIABLE = "TOLOKA_TOKEN"
FILE_VARIABLE = "TOLOKA_TOKEN_FILE"
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Token:
    """A secret. Only `reveal` returns it; text and repr are stars.

    Raises:
        InputError: the token is empty, or holds a character that no HTTP header may have.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str, source: str = VARIABLE) -> None:
        secret = secret.strip()
        if not _PRINTABLE.fullmatch(secret):
            raise InputError(
                f"{source}: the token is empty or holds blanks or other characters that no token "
                "has; copy it again from Toloka (Profile, Integrations)"
            )
        self._secret = secret

    def reveal(self) -> str:
        """The secret itself."""
        return self._secret

    def __repr__(self) -> str:
        return "Token(***)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a token is not written anywhere")


def read_token(environment: Mapping[str, str] | None = None) -> Token:
    """The token in TOLOKA_TOKEN, else in the file that TOLOKA_TOKEN_FILE names.

    Args:
        environment: the environment variables; the process's own by default.

    Raises:
        InputError: no token is given, or other users may read the file.
    """
    variables = os.environ if environment is None else environment
    if variables.get(VARIABLE):
        return Token(variables[VARIABLE])
    if not variables.get(FILE_VARIABLE):
        raise InputError(
            f"{VARIABLE}: no Toloka token; set it, or {FILE_VARIABLE} to a file with mode 0600 "
            "that holds it (never a flag: command lines can be read by others)"
        )
    return _from_file(Path(variables[FILE_VARIABLE]).expanduser())


def _from_file(path: Path) -> Token:
    try:
        # Without waiting: to open a pipe would last until somebody writes to it.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise InputError(f"{path}: the token file is no file; put the token in a file")
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputError(f"{path}: others may read the token in it; run: chmod 600 {path}")
            content = file.read(10_000)
    except OSError as error:
        raise InputError(f"{path}: the token file cannot be read: {error.strerror}") from None
    return Token(content.decode("ascii", errors="replace"), str(path))

"""The token of an account, from the environment or a private file; it is never shown."""

from __future__ import annotations

from collections.abc import Mapping

from budget.errors import InputError
from budget.secret import Secret, secret_text

VARIABLE = "TOLOKA_TOKEN"
FILE_VARIABLE = "TOLOKA_TOKEN_FILE"
_REMEDY = "Toloka (Profile, Integrations)"


class Token(Secret):
    """A token of Toloka.

    Raises:
        InputError: the token is empty, or holds a character that no HTTP header may have.
    """

    __slots__ = ()

    def __init__(self, secret: str, source: str = VARIABLE) -> None:
        super().__init__(secret, source, _REMEDY)


def read_token(environment: Mapping[str, str] | None = None) -> Token:
    """The token in TOLOKA_TOKEN, else in the file that TOLOKA_TOKEN_FILE names.

    Args:
        environment: the environment variables; the process's own by default.

    Raises:
        InputError: no token is given, or other users may read the file.
    """
    found = secret_text(VARIABLE, FILE_VARIABLE, environment)
    if found is None:
        raise InputError(
            f"{VARIABLE}: no Toloka token; set it, or {FILE_VARIABLE} to a file with mode 0600 "
            "that holds it (never a flag: command lines can be read by others)"
        )
    return Token(*found)

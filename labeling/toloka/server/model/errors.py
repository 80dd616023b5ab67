"""What the platform refuses, in its own words."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer other than success.

    Attributes:
        status: HTTP status.
        code: the platform's name of the error.
        message: one line for people.
        payload: details, or None.
    """

    def __init__(self, status: int, code: str, message: str, payload: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.payload = payload


def not_found(what: str, key: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, "DOES_NOT_EXIST", f"{what} {key} does not exist")


def invalid(field: str, code: str, message: str) -> ApiError:
    """A field of the request cannot be."""
    payload = {field: {"code": code, "message": message}}
    return ApiError(400, "VALIDATION_ERROR", f"Validation failed: {field}: {message}", payload)


def conflict(code: str, message: str, payload: Any = None) -> ApiError:
    """The object's state does not allow this."""
    return ApiError(409, code, message, payload)

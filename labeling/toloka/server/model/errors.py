"""The platform's errors, with their codes and messages."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer other than success.

    Attributes:
        status: HTTP status.
        code: the platform's code of the error.
        message: one line for the requester.
        payload: details, or None.
    """

    def __init__(self, status: int, code: str, message: str, payload: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.payload = payload


def not_found(what: str, key: str) -> ApiError:
    """The error for an object that does not exist."""
    return ApiError(404, "DOES_NOT_EXIST", f"{what} {key} does not exist")


def invalid(field: str, code: str, message: str) -> ApiError:
    """The error for an invalid field of the request."""
    payload = {field: {"code": code, "message": message}}
    return ApiError(400, "VALIDATION_ERROR", f"Validation failed: {field}: {message}", payload)


def conflict(code: str, message: str, payload: Any = None) -> ApiError:
    """The error for a request that the object's state does not allow."""
    return ApiError(409, code, message, payload)

"""Requests, replies, and the table of what answers which path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labeling.toloka.server.model.errors import ApiError
from labeling.toloka.server.model.world import PlatformState


@dataclass(frozen=True, slots=True)
class Request:
    """A request, read.

    Attributes:
        path: without the leading "/api".
        query: the last value of each parameter.
        body: the JSON body; None without one.
        at: the parts of the path that its route names.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None
    at: Mapping[str, str] | None = None

    def id(self) -> str:
        """The object's id in the path."""
        return (self.at or {})["id"]

    def flag(self, name: str) -> bool:
        """A parameter that is on or off."""
        return self.query.get(name, "false").lower() == "true"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a JSON body, text, bytes or nothing."""

    status: int
    body: Any = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[PlatformState, Request], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and the requests it answers.

    Attributes:
        news: whether asking again with nothing new to tell moves the event-driven clock.
    """

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    news: bool


ROUTES: list[Route] = []


def route(method: str, template: str, news: bool = False) -> Callable[[Handler], Handler]:
    """Let a function answer a method and a path such as "/v1/pools/{id}"."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "$")

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, template, pattern, handler, news))
        return handler

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request.

    Raises:
        ApiError: no such path, or not by this method.
    """
    found = [(r, m.groupdict()) for r in ROUTES if (m := r.pattern.match(path))]
    for one, at in found:
        if one.method == method:
            return one, at
    if found:
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"{method} is not allowed on {path}")
    raise ApiError(404, "RESOURCE_NOT_FOUND", f"There is nothing at {path}")

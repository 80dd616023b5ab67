"""Requests, replies, and the table of routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from labeling.toloka.server.model.errors import ApiError
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes.shapes.shape import Shape, check


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed request.

    Attributes:
        path: the path without the leading "/api".
        query: the last value of each parameter.
        body: the JSON body, or None; a handler gets it in the plain form of its route's shape.
        at: the parts of the path that its route names.
        client: who asks: what the header X-Client-Id holds.
        waited: whether the client has waited before it asks, as the header X-Waited says; None for
            a client that does not tell.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None
    at: Mapping[str, str] | None = None
    client: str = ""
    waited: bool | None = None

    def id(self) -> str:
        """The object's id in the path."""
        return (self.at or {})["id"]

    def flag(self, name: str) -> bool:
        """Whether a parameter is "true"."""
        return self.query.get(name, "false").lower() == "true"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, with a JSON body, text, bytes or no body."""

    status: int
    body: Any = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[PlatformState, Request], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and the requests that it answers.

    Attributes:
        news: whether a repeated request without news moves the event-driven clock.
        body: shape of the request's body; None for a route that reads no body.
    """

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    news: bool
    body: Shape | None

    def checked(self, world: PlatformState, request: Request, at: Mapping[str, str]) -> Request:
        """A request as the handler takes it.

        Raises:
            ApiError: its body has another shape.
        """
        body = None if self.body is None else check(self.body, request.body, world)
        return replace(request, body=body, at=at)


ROUTES: list[Route] = []


def route(
    method: str, template: str, news: bool = False, body: Shape | None = None
) -> Callable[[Handler], Handler]:
    """Register a function as handler of a method and a path such as "/v1/pools/{id}"."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "$")

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, template, pattern, handler, news, body))
        return handler

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request.

    Raises:
        ApiError: no route has the path, or none has the path with this method.
    """
    matches = [(r, m.groupdict()) for r in ROUTES if (m := r.pattern.match(path))]
    for candidate, at in matches:
        if candidate.method == method:
            return candidate, at
    if matches:
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"{method} is not allowed on {path}")
    raise ApiError(404, "RESOURCE_NOT_FOUND", f"There is nothing at {path}")

"""The platform: one request at a time, on a clock that requests or wall time move."""

from __future__ import annotations

import json
import threading
from typing import Any

from labeling.toloka.server import (
    analytics,
    assignments,
    catalog,
    course,
    operations,
    pools,
    tasks,
)
from labeling.toloka.server.errors import ApiError
from labeling.toloka.server.ids import digest
from labeling.toloka.server.routing import Reply, Request, Route, find
from labeling.toloka.server.world import Settings, World

__all__ = ["Platform", "analytics", "assignments", "catalog", "operations", "pools", "tasks"]

# Asking only for a pool's state is waiting for its end: the clock goes on in growing strides.
_STATE = frozenset(("/v1/pools/{id}", "/v1/trainings/{id}", "/staging/analytics-2"))
_STRIDE = 8
_LONGEST_STRIDE = 4096


class Platform:
    """A local platform: answers requests, keeps time.

    The clock is event-driven unless the server runs it by wall time: it moves to the next event
    that can be seen when a client asks for news, and has been told already all there is.

    Attributes:
        world: its state.
        lock: held while a request is answered.
    """

    def __init__(self, settings: Settings, event_driven: bool = True) -> None:
        self.world = World(settings)
        self.lock = threading.Lock()
        self._event_driven = event_driven
        self._told: set[str] = set()
        self._told_version = -1
        self._waiting = 0

    def answer(self, request: Request) -> Reply:
        """Answer a request; errors are answers, too."""
        try:
            route, at = find(request.method, request.path)
            if route.news and self._event_driven:
                self._let_time_pass(route, request)
            elif request.method != "GET":
                self._waiting = 0
            named = Request(request.method, request.path, request.query, request.body, at)
            return route.handler(self.world, named)
        except ApiError as error:
            return self._refusal(error)

    def advance(self, until: int) -> None:
        """Move the clock to a time (ms), with everything that happens until then."""
        course.advance(self.world, until)

    def _let_time_pass(self, route: Route, request: Request) -> None:
        """Move on if this question was answered before and nothing has happened since."""
        if self._told_version != self.world.version:
            self._told.clear()
            self._told_version = self.world.version
        question = _question(request)
        if route.template not in _STATE and self._works(request):
            self._waiting = 0
        if question in self._told:
            course.move(self.world, min(_STRIDE**self._waiting, _LONGEST_STRIDE))
            self._told.clear()
            self._told_version = self.world.version
            self._waiting += route.template in _STATE
        self._told.add(question)

    def _works(self, request: Request) -> bool:
        """Whether answers of annotators may be in what is asked: not with exams and trainings."""
        parts = request.path.split("/")
        key = request.query.get("pool_id", parts[4] if len(parts) > 4 else "")
        pool = self.world.pools.get(key)
        return pool is None or pool.staff is not None

    def _refusal(self, error: ApiError) -> Reply:
        body: dict[str, Any] = {
            "request_id": digest("request", str(self.world.version), error.message),
            "code": error.code,
            "message": error.message,
        }
        if error.payload is not None:
            body["payload"] = error.payload
        return Reply(error.status, body)


def _question(request: Request) -> str:
    """What a request asks for, without a bound by the client's own time."""
    asked = {k: v for k, v in request.query.items() if not k.endswith(("_lte", "_lt"))}
    return json.dumps([request.method, request.path, sorted(asked.items()), request.body])

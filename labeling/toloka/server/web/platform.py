"""The platform: one request at a time, on a clock that requests or wall time move."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from budget.errors import InputError
from labeling.toloka.server.engine import course
from labeling.toloka.server.engine.staff import staff_at
from labeling.toloka.server.model.errors import ApiError
from labeling.toloka.server.model.ids import digest
from labeling.toloka.server.model.records import Doc
from labeling.toloka.server.model.world import PlatformState, Settings
from labeling.toloka.server.routes import (
    aggregates,
    analytics,
    assignments,
    attachments,
    bonuses,
    catalog,
    control,
    operations,
    pools,
    task_suites,
    tasks,
)
from labeling.toloka.server.routes.routing import Reply, Request, Route, find
from labeling.toloka.server.routes.shapes.control import RESET
from labeling.toloka.server.routes.shapes.shape import check
from labeling.toloka.server.web.quotas import Quotas
from labeling.toloka.server.web.state_file import RequestLog

# Each module adds the paths that it answers to the table of routes.
ROUTE_MODULES = (
    *(aggregates, analytics, assignments, attachments, bonuses, catalog, control),
    *(operations, pools, task_suites, tasks),
)

# A client that asks only for a pool's state waits for its end: the clock moves in growing strides.
_STATE = frozenset(("/v1/pools/{id}", "/v1/trainings/{id}", "/staging/analytics-2"))
_WORK = ("/v1/pools", "/v1/trainings", "/v1/tasks", "/v1/task-suites")
_STRIDE = 8
_LONGEST_STRIDE = 4096
_PATIENCE = 20  # repeated questions before unreviewed answers are accepted
_RESET = "/sim/reset"


@dataclass(slots=True)
class _Client:
    """What a client has asked since the last news.

    Attributes:
        told: its questions for answers.
        told_states: its questions for the state of pools.
        waiting: how often the clock moved for it while it asked for the state alone.
        waits: whether it has waited since its last question for news.
    """

    told: set[str] = field(default_factory=set)
    told_states: set[str] = field(default_factory=set)
    waiting: int = 0
    waits: bool = False


class Platform:
    """A local platform: it answers requests, keeps time, and stores its state if it has a file.

    The clock is event-driven unless the server runs it by wall time. When a client asks again for
    news that it has already received, the clock moves to the next visible event.

    Args:
        settings: the platform's settings.
        event_driven: whether questions for news move the clock.
        journal: state file; its records are replayed first.

    Attributes:
        world: the platform's state.
        lock: lock that is held while a request is answered.
    """

    def __init__(
        self, settings: Settings, event_driven: bool = True, journal: RequestLog | None = None
    ) -> None:
        self.world = PlatformState(journal.settings if journal else settings)
        self.lock = threading.Lock()
        self._event_driven = event_driven
        self._journal = journal
        self._clients: dict[str, _Client] = {}
        self._told_version = -1
        self._patience = _PATIENCE
        self._quotas = Quotas()
        for number, record in enumerate(journal.records() if journal else (), 1):
            self._again(number, record)

    def answer(self, request: Request) -> Reply:
        """Answer a request; an error is an answer, too."""
        try:
            if (request.method, request.path) == ("POST", _RESET):
                return self._reset(check(RESET, request.body or {}, self.world))
            route, at = find(request.method, request.path)
            self._client(request).waits |= request.waited is not False
            request = route.checked(self.world, request, at)
            if refused := self._too_many(route, request):
                return refused
            if route.news:
                self._let_time_pass(route, request)
            if _acts(request):
                self._keep({"do": [request.method, request.path, request.query, request.body]})
                if request.path.startswith(_WORK):
                    self._client(request).waiting = 0
            return route.handler(self.world, request)
        except ApiError as error:
            return self._refusal(error)
        except InputError as error:
            return self._refusal(ApiError(400, "VALIDATION_ERROR", str(error)))

    def advance(self, until: int, acting: bool) -> None:
        """Move the clock to a time (ms) and run all events until then.

        Args:
            until: the time.
            acting: whether the next request may change the state, so that the time must be kept.
        """
        if acting or course.due(self.world) <= until:
            self._keep({"until": until})
        course.advance(self.world, until)

    def reset(self, settings: Settings) -> None:
        """Start again."""
        if self._journal is not None:
            self._journal.restart(settings)
        self.world = PlatformState(settings)
        self._quotas = Quotas()
        self._told_version = -1
        self._clients.clear()

    def _client(self, request: Request) -> _Client:
        return self._clients.setdefault(request.client, _Client())

    def _too_many(self, route: Route, request: Request) -> Reply | None:
        """The refusal of a call above the platform's quotas; None if quotas are off or not hit."""
        if not self.world.settings.quotas or self._keeps_overlap(route, request):
            return None
        return self._quotas.refuse(route.method, route.template, request, self.world.now)

    def _keeps_overlap(self, route: Route, request: Request) -> bool:
        """Whether a request changes a pool but not its overlap: such calls have no quota."""
        pool = self.world.pools.get(request.path.rpartition("/")[2])
        if (route.method, route.template) != ("PUT", "/v1/pools/{id}") or pool is None:
            return False
        form = request.body if isinstance(request.body, dict) else {}
        return bool(form.get("defaults") == pool.doc.get("defaults"))

    def _reset(self, form: Doc) -> Reply:
        self.reset(control.new_settings(self.world.settings, form))
        return Reply(200, {"seed": self.world.settings.seed})

    def _again(self, number: int, record: Doc) -> None:
        """Replay a record of the journal; a record that cannot be replayed is skipped."""
        try:
            self._replay(record)
        except Exception as error:  # one bad record must not make the whole state useless
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            told = f"labelworth: record {number} of the state file is skipped: {reason}"
            print(told, file=sys.stderr, flush=True)

    def _replay(self, record: Doc) -> None:
        if "events" in record:
            course.move(self.world, record["events"])
        elif "until" in record:
            course.advance(self.world, record["until"])
        else:
            request = Request(*record["do"])
            route, at = find(request.method, request.path)
            request = route.checked(self.world, request, at)
            self._too_many(route, request)
            with suppress(ApiError, InputError):  # the request was refused the first time, too
                route.handler(self.world, request)

    def _keep(self, record: Doc) -> None:
        if self._journal is not None:
            self._journal.write(record)

    def _let_time_pass(self, route: Route, request: Request) -> None:
        """Move the clock if this question was answered before and nothing has changed since."""
        if not self._event_driven:
            return
        if self._told_version != self.world.version:
            self._forget()
        # A client that starts again has not asked yet: what another one was told is news to it.
        client = self._client(request)
        question, of_state = _question(request), route.template in _STATE
        if not of_state and self._works(request):
            # A client that reads answers waits for them: its questions for the state move nothing.
            client.waiting = 0
            client.told_states.clear()
        told = client.told_states if of_state else client.told
        # A client that prepares something asks twice, too: its time is not the annotators'.
        waits, client.waits = client.waits, False
        if waits and question in told and not self._leaves_time_to_review():
            events = min(_STRIDE**client.waiting, _LONGEST_STRIDE)
            self._keep({"events": events})
            course.move(self.world, events)
            self._forget()
            client.waiting += of_state
        told.add(question)

    def _leaves_time_to_review(self) -> bool:
        """Whether a client still gets time to review answers before they are accepted unreviewed.

        The time passes once the client has repeated its questions without a decision.
        """
        if not course.is_only_review(self.world):
            self._patience = _PATIENCE
            return False
        self._patience -= 1
        return self._patience >= 0

    def _forget(self) -> None:
        """Forget the answered questions: there is news."""
        for client in self._clients.values():
            client.told.clear()
            client.told_states.clear()
        self._told_version = self.world.version

    def _works(self, request: Request) -> bool:
        """Whether the request may return annotators' answers; exams and trainings do not count."""
        parts = request.path.split("/")
        key = request.query.get("pool_id", parts[4] if len(parts) > 4 else "")
        pool = self.world.pools.get(key)
        return pool is None or staff_at(pool) is not None

    def _refusal(self, error: ApiError) -> Reply:
        body: dict[str, Any] = {
            "request_id": digest("request", str(self.world.version), error.message),
            "code": error.code,
            "message": error.message,
        }
        if error.payload is not None:
            body["payload"] = error.payload
        return Reply(error.status, body)


def _acts(request: Request) -> bool:
    """Whether a request may change the state. Analytics requests do: they create operations."""
    return request.method != "GET"


def _question(request: Request) -> str:
    """The question of a request, without bounds that depend on the client's own time."""
    asked = {k: v for k, v in request.query.items() if not k.endswith(("_lte", "_lt"))}
    return json.dumps([request.method, request.path, sorted(asked.items()), request.body])

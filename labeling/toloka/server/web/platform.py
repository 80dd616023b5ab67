"""The platform: one request at a time, on a clock that requests or wall time move."""

from __future__ import annotations

import json
import threading
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
from labeling.toloka.server.web.quotas import Quotas
from labeling.toloka.server.web.state_file import RequestLog

# Each answers the paths that it names in the table of routes.
ROOMS = (
    *(aggregates, analytics, assignments, attachments, bonuses, catalog, control),
    *(operations, pools, task_suites, tasks),
)

# Asking only for a pool's state is waiting for its end: the clock goes on in growing strides.
_STATE = frozenset(("/v1/pools/{id}", "/v1/trainings/{id}", "/staging/analytics-2"))
_WORK = ("/v1/pools", "/v1/trainings", "/v1/tasks", "/v1/task-suites")
_STRIDE = 8
_LONGEST_STRIDE = 4096
_PATIENCE = 20  # questions with nothing new to tell
_RESET = "/sim/reset"


class Platform:
    """A local platform: answers requests, keeps time, and remembers on disk if it is to.

    The clock is event-driven unless the server runs it by wall time: it moves to the next event
    that can be seen when a client asks for news, and has been told already all there is.

    Args:
        settings: what it is started with.
        event_driven: whether asking for news moves the clock.
        journal: where its state is kept; what is in it has happened already.

    Attributes:
        world: its state.
        lock: held while a request is answered.
    """

    def __init__(
        self, settings: Settings, event_driven: bool = True, journal: RequestLog | None = None
    ) -> None:
        self.world = PlatformState(journal.settings if journal else settings)
        self.lock = threading.Lock()
        self._event_driven = event_driven
        self._journal = journal
        self._told: set[str] = set()
        self._told_states: set[str] = set()
        self._told_version = -1
        self._waiting = 0
        self._patience = _PATIENCE
        self._quotas = Quotas()
        for record in journal.records() if journal else ():
            self._again(record)

    def answer(self, request: Request) -> Reply:
        """Answer a request; errors are answers, too."""
        try:
            if (request.method, request.path) == ("POST", _RESET):
                return self._reset(request.body or {})
            route, at = find(request.method, request.path)
            if refused := self._too_many(route, request):
                return refused
            if route.news:
                self._let_time_pass(route, request)
            if _acts(request):
                self._keep({"do": [request.method, request.path, request.query, request.body]})
                if request.path.startswith(_WORK):
                    self._waiting = 0
            return self._handle(route, at, request)
        except ApiError as error:
            return self._refusal(error)
        except InputError as error:
            return self._refusal(ApiError(400, "VALIDATION_ERROR", str(error)))

    def advance(self, until: int, acting: bool) -> None:
        """Move the clock to a time (ms), with everything that happens until then.

        Args:
            until: the time.
            acting: whether what follows depends on it.
        """
        if acting or course.due(self.world) <= until:
            self._keep({"until": until})
        course.advance(self.world, until)

    def reset(self, settings: Settings) -> None:
        """Begin anew."""
        if self._journal is not None:
            self._journal.restart(settings)
        self.world = PlatformState(settings)
        self._quotas = Quotas()
        self._told_version = -1
        self._waiting = 0

    def _too_many(self, route: Route, request: Request) -> Reply | None:
        """The refusal of a call above the platform's quotas, where these are on."""
        if not self.world.settings.quotas or self._keeps_overlap(route, request):
            return None
        return self._quotas.refuse(route.method, route.template, request, self.world.now)

    def _keeps_overlap(self, route: Route, request: Request) -> bool:
        """Whether a pool is changed, but not its overlap: that is free of quotas."""
        pool = self.world.pools.get(request.path.rpartition("/")[2])
        if (route.method, route.template) != ("PUT", "/v1/pools/{id}") or pool is None:
            return False
        form = request.body if isinstance(request.body, dict) else {}
        return bool(form.get("defaults") == pool.doc.get("defaults"))

    def _reset(self, form: Doc) -> Reply:
        self.reset(control.new_settings(self.world.settings, form))
        return Reply(200, {"seed": self.world.settings.seed})

    def _handle(self, route: Route, at: dict[str, str], request: Request) -> Reply:
        named = Request(request.method, request.path, request.query, request.body, at)
        return route.handler(self.world, named)

    def _again(self, record: Doc) -> None:
        """Let what the journal tells happen once more."""
        if "events" in record:
            course.move(self.world, record["events"])
        elif "until" in record:
            course.advance(self.world, record["until"])
        else:
            request = Request(*record["do"])
            route, at = find(request.method, request.path)
            self._too_many(route, request)
            try:
                self._handle(route, at, request)
            except (ApiError, InputError):
                return  # it was refused the first time, too

    def _keep(self, record: Doc) -> None:
        if self._journal is not None:
            self._journal.write(record)

    def _let_time_pass(self, route: Route, request: Request) -> None:
        """Move on if this question was answered before and nothing has happened since."""
        if not self._event_driven:
            return
        if self._told_version != self.world.version:
            self._forget()
        question, of_state = _question(request), route.template in _STATE
        if not of_state and self._works(request):
            # Who looks at answers waits for them: looking at the state beside it moves nothing.
            self._waiting = 0
            self._told_states.clear()
        told = self._told_states if of_state else self._told
        if question in told and not self._leaves_time_to_review():
            events = min(_STRIDE**self._waiting, _LONGEST_STRIDE)
            self._keep({"events": events})
            course.move(self.world, events)
            self._forget()
            self._waiting += of_state
        told.add(question)

    def _leaves_time_to_review(self) -> bool:
        """Whether the days until answers are accepted unreviewed are not to pass yet.

        They pass when a client goes on asking and decides nothing.
        """
        if not course.is_only_review(self.world):
            self._patience = _PATIENCE
            return False
        self._patience -= 1
        return self._patience >= 0

    def _forget(self) -> None:
        """There is news: nobody has been told yet."""
        self._told.clear()
        self._told_states.clear()
        self._told_version = self.world.version

    def _works(self, request: Request) -> bool:
        """Whether answers of annotators may be in what is asked: not with exams and trainings."""
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
    """Whether a request may change anything. Figures do: they are operations of their own."""
    return request.method != "GET"


def _question(request: Request) -> str:
    """What a request asks for, without a bound by the client's own time."""
    asked = {k: v for k, v in request.query.items() if not k.endswith(("_lte", "_lt"))}
    return json.dumps([request.method, request.path, sorted(asked.items()), request.body])

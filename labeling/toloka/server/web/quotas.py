"""Quotas: limits on the calls of a kind per minute, hour and day."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from labeling.toloka.server.routes.routing import Reply, Request

_SECONDS = {"MIN": 60, "HOUR": 3600, "DAY": 86400}
_CREATE = {"MIN": 20, "DAY": 100}
_LIMITS: dict[tuple[str, str], dict[str, int]] = {
    ("POST", "/v1/projects"): _CREATE,
    ("POST", "/v1/pools"): _CREATE,
    ("POST", "/v1/pools/{id}/clone"): _CREATE,
    ("POST", "/v1/trainings"): _CREATE,
    ("POST", "/v1/trainings/{id}/clone"): _CREATE,
    ("POST", "/v1/skills"): {"MIN": 10, "DAY": 100},
    ("POST", "/v1/tasks"): {"MIN": 200_000, "DAY": 4_000_000},
    ("POST", "/v1/task-suites"): {"MIN": 200_000, "DAY": 4_000_000},
    ("POST", "/v1/aggregated-solutions/aggregate-by-pool"): {"MIN": 5, "HOUR": 30, "DAY": 200},
    ("POST", "/v1/user-bonuses"): {"DAY": 10_000},
    ("PUT", "/v1/user-skills"): {"DAY": 100_000},
    ("PUT", "/v1/pools/{id}"): {"HOUR": 10},  # for calls that change overlap
}


@dataclass
class Quotas:
    """Counts calls by the platform's own time; refused calls do not count."""

    _calls: dict[tuple[str, str], deque[tuple[int, int]]] = field(default_factory=dict)

    def refuse(self, method: str, template: str, request: Request, now: int) -> Reply | None:
        """The refusal of a call above a quota; other calls are counted and give None.

        Args:
            method: the call's method.
            template: the call's route.
            request: the request; each of its items counts.
            now: the platform's time in milliseconds.
        """
        limits = _LIMITS.get((method, template))
        if limits is None:
            return None
        calls = self._calls.setdefault((method, template), deque())
        while calls and calls[0][0] <= now - 1000 * _SECONDS["DAY"]:
            calls.popleft()
        size = len(request.body) if isinstance(request.body, list) else 1
        for interval, most in limits.items():
            start = now - 1000 * _SECONDS[interval]
            recent = [(at, count) for at, count in calls if at > start]
            if sum(count for _, count in recent) + size > most:
                oldest = recent[0][0] if recent else now
                return _refusal(interval, -(-(oldest - start) // 1000))
        calls.append((now, size))
        return None


def _refusal(interval: str, wait: int) -> Reply:
    body = {
        "request_id": "0" * 32,
        "code": "TOO_MANY_REQUESTS",
        "message": f"The limit of calls per {interval} is reached",
        "payload": {"interval": interval},
    }
    return Reply(429, body, headers=(("Retry-After", str(wait)),))

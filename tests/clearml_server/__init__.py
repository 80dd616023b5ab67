"""A local stand-in for ClearML's API server and file server, for the real SDK to talk to.

Standard library only. It keeps what it is told in memory, answers as the real server does where
that matters (event ids, last metrics, status changes, refusals) and injects faults.
"""

from __future__ import annotations

from tests.clearml_server.server import StandIn

__all__ = ["StandIn"]

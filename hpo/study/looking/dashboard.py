"""Optuna's dashboard over a study: a page on this machine, made of a copy of the trials."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from budget.errors import InputError

if TYPE_CHECKING:
    import optuna

HOST = "127.0.0.1"
PACKAGE = "optuna_dashboard"


def find_dashboard() -> Any:
    """The package.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(PACKAGE)
    except ImportError:
        raise InputError(
            "dashboard: optuna-dashboard is not installed: pip install 'labelworth[dashboard]'"
        ) from None


def dashboard_app(copied: optuna.Study) -> Any:
    """The page's web application over a study's `optuna_study`.

    Raises:
        InputError: optuna-dashboard is not installed.
    """
    return find_dashboard().wsgi(copied._storage)


def serve_dashboard(copied: optuna.Study, port: int) -> None:
    """Serve the page on this machine until the process is stopped.

    Args:
        copied: a study's `optuna_study`.
        port: where it listens.

    Raises:
        InputError: optuna-dashboard is not installed, or the port is taken.
    """
    from wsgiref.simple_server import make_server

    app = dashboard_app(copied)
    try:
        with make_server(HOST, port, app) as server:
            server.serve_forever()
    except (OSError, OverflowError) as error:
        raise InputError(f"--port: {port} cannot be used ({error})") from None

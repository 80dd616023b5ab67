"""Optuna's storage at a database server, for processes of any number of machines."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage

from budget.database import Database, name_of, seal_tables, state_of
from budget.postgres.locks import SessionLocks
from budget.postgres.patience import patient
from budget.postgres.server import address_of, how_to_connect, trouble_of
from hpo.study.storage.made import optuna_study

# The column of a table by which its seals are told apart: who writes a part waits for who wrote it.
_PARTS = {
    **dict.fromkeys(
        ("studies", "study_directions", "study_user_attributes", "study_system_attributes"),
        "study_id",
    ),
    **dict.fromkeys(
        (
            *("trials", "trial_user_attributes", "trial_system_attributes", "trial_params"),
            *("trial_values", "trial_intermediate_values", "trial_heartbeats"),
        ),
        "trial_id",
    ),
    "version_info": "",
    "alembic_version": "",
}
# Once more, each changes nothing. A trial that is created twice has no plan the first time: it is
# given up as one whose process died.
_PATIENT = (
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "_create_new_trial",
    "_set_trial_param",
    "set_trial_state_values",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial_id_from_study_id_trial_number",
    "get_trial",
    "_get_trials",
)


class SharedTrials:
    """A study's trials at a server.

    Args:
        database: the study's.
        name: the study's name.

    Attributes:
        study: Optuna's study.
        sealed_late: always false: rows at a server are sealed from the first.
    """

    sealed_late = False

    def __init__(self, database: Database, name: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._database = database
        # Optuna makes its tables in several commits.
        with SessionLocks(database).held("optuna"):
            self._storage = _Patient(database)
            self.study = optuna_study(name, self._storage)
            seal_tables(database, _PARTS)

    def version(self) -> str:
        """A text that changes with every write at the server."""
        return state_of(self._database)

    def close(self) -> None:
        """Let go of the server."""
        self._storage.remove_session()
        self._storage.engine.dispose()


class _Patient(RDBStorage):
    """Waits for a server that is away, where a call may be made again."""

    def __init__(self, database: Database) -> None:
        self.place = name_of(database)
        url, arguments = how_to_connect(address_of(database))
        options = {"connect_args": arguments, "pool_pre_ping": True}
        super().__init__(url.render_as_string(), options)


def _patiently(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def again(self: _Patient, *args: Any, **kwargs: Any) -> Any:
        tries = 0

        def once() -> Any:
            nonlocal tries
            tries += 1
            try:
                return method(self, *args, **kwargs)
            except StorageInternalError as error:
                raise trouble_of(self.place, error) from error
            except UpdateFinishedTrialError:
                if tries == 1:
                    raise
                return True  # it was told before the connection broke

        return patient(once)

    return again


for _name in _PATIENT:
    setattr(_Patient, _name, _patiently(getattr(RDBStorage, _name)))

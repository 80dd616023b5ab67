"""Optuna's storage in a SQLite file of the study's folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from budget import seals
from budget.database import driver
from budget.files import replacing
from budget.sqlite_file import SIDE_FILES
from hpo.settings.run_folder import making
from hpo.study.storage.made import optuna_study
from hpo.trial.holdings.books import check_rows

if TYPE_CHECKING:
    import optuna

_WAIT_S = 30  # for another process's write


class TrialFile:
    """A study's trials in a file, for processes of one machine.

    Args:
        path: the SQLite file; made if it is missing.
        name: the study's name.

    Attributes:
        study: Optuna's study.
        sealed_late: an older release had made the file, and its rows were sealed just now.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.sealed_late = _open(path, name)
        self._path, self._storage = path, _storage(path)
        self.study = optuna_study(name, self._storage)

    def version(self) -> int:
        """A number that changes with every write by any other connection, Optuna's among them."""
        version: int = self._looker.execute("PRAGMA data_version").fetchone()[0]
        return version

    @cached_property
    def _looker(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=_WAIT_S, check_same_thread=False)

    def close(self) -> None:
        """Let go of the file, which then holds all trials: its log is merged into it."""
        looker = self.__dict__.pop("_looker", None)
        if looker is not None:
            looker.close()
        self._storage.remove_session()
        self._storage.engine.dispose()


def _open(path: Path, name: str) -> bool:
    """Verify the file, made where there is none; whether it was sealed late.

    Of several processes one makes the file.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if not path.exists():
        with making(path.parent):
            if not path.exists():
                _make(path, name)
    with making(path.parent), closing(_connected(path)) as database:
        check_rows(database, path)
        return _seal(database)


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_WAIT_S, factory=seals.SealingConnection)


def _seal(database: sqlite3.Connection) -> bool:
    """Seal all of Optuna's tables; returns whether one had rows that nothing covered until now."""
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    ours = {name: "" for (name,) in names if name != "seals" and not name.startswith("sqlite_")}
    if seals.is_covered(database, ours):
        return False
    with database:
        database.execute("BEGIN IMMEDIATE")
        return bool(seals.cover(database, ours))


def _make(path: Path, name: str) -> None:
    """Put a whole database with an empty study at the path, in one step.

    Optuna makes its tables in several commits. A process that was killed between them left a file
    that Optuna refuses.
    """
    for left in path.parent.glob(f".{path.name}.*"):  # drafts of killed processes
        left.unlink()
    for side in SIDE_FILES:  # rows of a lost file, which SQLite would put into the new one
        path.with_name(path.name + side).unlink(missing_ok=True)
    with replacing(path) as draft:
        draft.write_bytes(_empty())
        storage = _storage(draft)
        optuna_study(name, storage)
        storage.remove_session()
        storage.engine.dispose()
        with closing(_connected(draft)) as database:
            _seal(database)
            database.execute("PRAGMA journal_mode=WAL")  # a property of the file; one sync a commit


@cache
def _empty() -> bytes:
    """A database with Optuna's tables: to make them loads all of its migrations."""
    import optuna

    storage = optuna.storages.RDBStorage("sqlite://")
    with storage.engine.connect() as connection:
        made = driver(connection).serialize()
    storage.engine.dispose()
    return made


_FITTING: set[str] = set()
"""Versions of Optuna's tables that Optuna found to fit: to ask again loads all its migrations."""


def _storage(path: Path) -> optuna.storages.RDBStorage:
    import optuna

    wait = {"connect_args": {"timeout": _WAIT_S, "factory": seals.SealingConnection}}
    opened = partial(optuna.storages.RDBStorage, f"sqlite:///{path}", engine_kwargs=wait)
    storage = opened(skip_compatibility_check=True)
    version = storage.get_current_version()
    if version not in _FITTING:
        storage.engine.dispose()
        storage = opened()
        _FITTING.add(version)
    return storage

"""A study's folder: its configuration, and where its databases and locks are opened.

They lie in the folder's files, or at a database server that several machines share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from budget import files
from budget.errors import InputError
from budget.files import write_whole
from hpo.settings.config import StudyConfig, check_unchanged, make_config, to_plain
from hpo.settings.stored_answer import SEARCH as SEARCH
from hpo.settings.stored_answer import STORE as STORE
from hpo.settings.stored_answer import forget_report, read_object

if TYPE_CHECKING:  # a command that reads the configuration alone does not wait for databases
    from budget.book import Balance
    from budget.database import Database
    from budget.postgres.address import Address
    from budget.postgres.locks import SessionLocks

MAKING = "making"
"""The lock under which parts of a study are made."""


def claim(folder: Path, config: StudyConfig) -> None:
    """Make the study's folder, or check that it belongs to this configuration.

    Of several processes that start a study one makes the folder; the others wait and check. What
    lies at a server belongs to the configuration of the machine that was first.
    """
    if config.storage is not None:
        _claim_at_server(config.storage, config)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with making(folder):
            _claim(folder, config)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _claim_at_server(storage: Address, config: StudyConfig) -> None:
    from budget.database import open_database
    from budget.postgres.locks import SessionLocks
    from labeling.store.claims import Claim

    database = open_database(storage)
    try:
        with SessionLocks(database, config.study).held(MAKING):
            claim = Claim(database, config.study)
            if (begun_with := claim.settings()) is not None:
                check_unchanged(make_config(json.loads(begun_with)), config, "storage")
            claim.keep(json.dumps(to_plain(config)))
    finally:
        database.dispose()


def _claim(folder: Path, config: StudyConfig) -> None:
    path = folder / "study.json"
    if not path.exists() and (folder / STORE).exists():
        raise InputError(
            f"{path}: missing, but the folder holds a study; bring it back, "
            "or start another study with --study NAME"
        )
    if path.exists():
        check_unchanged(read_config(folder), config)
    text = json.dumps(to_plain(config), indent=1) + "\n"
    if not path.exists() or path.read_text() != text:
        forget_report(folder)  # it tells of the old settings
        write_whole(path, text.encode())


def making(folder: Path) -> AbstractContextManager[None]:
    """Keep other processes from making parts of a study's folder, which exists."""
    return Locks(folder).hold(MAKING)


def read_config(folder: Path) -> StudyConfig:
    """The configuration that a study's folder was started with.

    Raises:
        InputError: there is no study in the folder, or its study.json is damaged.
    """
    path = folder / "study.json"
    try:
        raw: Mapping[str, object] = read_object(path)
    except FileNotFoundError:
        raise InputError(f"{folder}: no study here (study.json is missing)") from None
    # Without a storage it is here, whatever the environment names.
    try:
        return make_config({**raw, "storage": raw.get("storage") or "none"})
    except InputError as error:
        raise InputError(f"{path}: {error.line}") from None


def open_store(folder: Path, config: StudyConfig) -> Database:
    """Open the database of a study's ledger, orders and answers; made if there is none.

    Raises:
        StorageError: it cannot be read or written.
        LedgerCorrupt: it is no database, or cut short.
    """
    from budget.database import open_database

    return open_database(config.storage or folder / STORE)


def look_into_store(folder: Path, config: StudyConfig) -> Database:
    """The same for reading alone. Raises InputError, too, where there is none."""
    from budget.database import look_into

    return look_into(config.storage or folder / STORE)


def balance_in(folder: Path, config: StudyConfig) -> Balance | None:
    """The balance of a study's ledger; None where there is no study yet."""
    if config.storage is None and not (folder / STORE).exists():
        return None
    from budget.ledger import Ledger, accounts_of

    database = open_store(folder, config)
    try:
        # A study that was killed in its first moments has a database, and no account in it yet.
        has_account = config.study in accounts_of(database, config.study)
        return Ledger.open(database, config.study).balance() if has_account else None
    finally:
        database.dispose()


def runs_of(folder: Path) -> Path:
    """The folder of all studies that a study's folder lies in, also for "." and "..".

    What studies share lies there.
    """
    return folder.resolve().parent


class Locks:
    """A study's locks, by name; each ends with its process.

    Args:
        folder: the study's folder, where they hold among processes of one machine.
        server: by which they hold among all machines instead.
    """

    def __init__(self, folder: Path, server: SessionLocks | None = None) -> None:
        self._folder = folder / "locks"
        self._server = server
        self._held: set[str] = set()

    @contextmanager
    def hold(self, name: str, busy: Callable[[str], None] | None = None) -> Iterator[None]:
        """Hold a lock; waits until no other process does. Inside itself it changes nothing.

        Args:
            name: the lock.
            busy: told which process holds it, before the wait.
        """
        if name in self._held:
            yield
            return
        with (
            files.locked(self._folder / name, busy)
            if self._server is None
            else self._server.held(name, busy)
        ):
            self._held.add(name)
            try:
                yield
            finally:
                self._held.remove(name)

    def try_hold(self, name: str) -> AbstractContextManager[bool]:
        """Whether this process holds a lock, until the block is left. Waits for no other."""
        if self._server is not None:
            return self._server.try_held(name)
        return files.try_locked(self._folder / name)

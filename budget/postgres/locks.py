"""Locks among the processes of all machines; each ends with the session that holds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from budget.postgres.patience import patient
from budget.postgres.server import address_of, number_of, open_server, trouble_of

_SESSIONS: set[int] = set()
_TAKEN = text(
    "SELECT (classid::bigint << 32) | objid::bigint AS number, application_name FROM pg_locks "
    "JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted AND "
    "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _forget() -> None:
    """In a forked child: close the parent's sessions, which would outlive the parent in it.

    The descriptors are closed, and not the sessions: a word to the server would end the parent's.
    """
    for descriptor in _SESSIONS:
        os.close(descriptor)
    _SESSIONS.clear()


os.register_at_fork(after_in_child=_forget)


class SessionLocks:
    """Advisory locks at a server, by name.

    A process that dies, or whose machine is cut off, loses its locks with its session.

    Args:
        database: of `open_server`.
        scope: names that are the locks' own, such as a study's.
    """

    def __init__(self, database: Engine, *scope: str) -> None:
        self._scope = scope
        # A session for each lock: two threads of one session would both have it.
        self._engine = open_server(
            address_of(database), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )

    @contextmanager
    def held(
        self, name: str, busy: Callable[[str], None] | None = None, shared: bool = False
    ) -> Iterator[None]:
        """Hold a lock; wait until no other session does.

        Args:
            name: the lock.
            busy: told which process holds it, before the wait.
            shared: hold it beside all others that share it.
        """
        wait_for = f"SELECT pg_advisory_lock{'_shared' if shared else ''}(:number)"
        number = {"number": number_of(*self._scope, name)}

        def wait() -> Connection:
            connection = self._connect()
            try:
                if busy is not None and not _try(connection, number):
                    busy(_holder(connection, number))
                if busy is None or not _try(connection, number):
                    connection.execute(text(wait_for), number)
            except BaseException as error:
                self._end(connection)
                if isinstance(error, SQLAlchemyError):
                    raise trouble_of(str(address_of(self._engine)), error) from error
                raise
            return connection

        with self._session(patient(wait)):
            yield

    @contextmanager
    def try_held(self, name: str) -> Iterator[bool]:
        """Try to hold a lock for the length of the block, without waiting.

        Yields:
            Whether this process holds the lock.
        """
        number = {"number": number_of(*self._scope, name)}
        with self._session(patient(self._connect)) as connection:
            yield _try(connection, number)

    def free(self, names: Iterable[str]) -> list[str]:
        """Those of some locks that no session holds."""
        numbers = {name: number_of(*self._scope, name) for name in names}
        if not numbers:
            return []

        def look() -> set[int]:
            connection = self._connect()
            try:
                return set(connection.execute(_TAKEN).scalars())
            except SQLAlchemyError as error:
                raise trouble_of(str(address_of(self._engine)), error) from error
            finally:
                self._end(connection)

        taken = patient(look)
        return [name for name, number in numbers.items() if number not in taken]

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            raise trouble_of(str(address_of(self._engine)), error) from error

    @contextmanager
    def _session(self, connection: Connection) -> Iterator[Connection]:
        driver = connection.connection.driver_connection
        descriptor: int = driver.fileno()  # type: ignore[union-attr]
        _SESSIONS.add(descriptor)
        try:
            yield connection
        finally:
            # In a forked child `_forget` has closed it.
            if descriptor in _SESSIONS:
                _SESSIONS.remove(descriptor)
                self._end(connection)

    @staticmethod
    def _end(connection: Connection) -> None:
        with suppress(SQLAlchemyError):  # where the session is gone, its locks are
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
        with suppress(SQLAlchemyError):
            connection.close()


def _try(connection: Connection, number: dict[str, int]) -> bool:
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:number)"), number).scalar())


def _holder(connection: Connection, number: dict[str, int]) -> str:
    """How the process calls itself that holds a lock."""
    holders = {number: name for number, name in connection.execute(_TAKEN)}
    return str(holders.get(number["number"], "another"))

"""Who else on the machine, or at the database server, may read or change what a study keeps."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from budget.database import Database, look_into, reading, rows_of
from hpo.settings.run_folder import read_config

_READS, _CHANGES = stat.S_IRGRP | stat.S_IROTH, stat.S_IWGRP | stat.S_IWOTH
# Superusers may do everything, and stand in no list; the owner of a table is named as it, too.
_GRANTED = (
    "SELECT DISTINCT grantee, privilege_type FROM information_schema.table_privileges "
    "WHERE table_schema = current_schema() AND grantee <> current_user "
    "AND grantee NOT IN (SELECT tableowner FROM pg_tables WHERE schemaname = current_schema()) "
    "ORDER BY grantee, privilege_type"
)


def rights_of_others(folder: Path) -> list[str]:
    """What others may do with a study, in lines; each with its remedy. Changes nothing.

    Args:
        folder: the study's folder.

    Raises:
        InputError: there is no study in the folder.
        StorageError: the database server does not answer.
    """
    config = read_config(folder)
    lines = list(_in_place(folder.resolve()))
    if config.wages is not None:
        lines += _of_file(Path(config.wages), "wages of single people stand in it")
    if config.storage is not None:
        database = look_into(config.storage)
        try:
            lines += _at_server(database, str(config.storage))
        finally:
            database.dispose()
    return lines


def _in_place(folder: Path) -> Iterator[str]:
    above = folder.parent.stat().st_mode
    if above & _CHANGES and not above & stat.S_ISVTX:
        yield f"{folder.parent}: others may put another study in its place; run: chmod go-w there"
    open_ones = [p for p in (folder, *folder.rglob("*")) if _mode(p) & (_READS | _CHANGES)]
    if open_ones:
        deed = "change" if any(_mode(path) & _CHANGES for path in open_ones) else "read"
        more = f" and {len(open_ones) - 1} more" if len(open_ones) > 1 else ""
        yield f"{open_ones[0]}{more}: others may {deed} it; run: chmod -R go-rwx {folder}"


def _of_file(path: Path, why: str) -> Iterator[str]:
    if path.exists() and _mode(path) & (_READS | _CHANGES):
        yield f"{path}: others may read it, and {why}; run: chmod 600 {path}"


def _mode(path: Path) -> int:
    try:
        found = path.lstat().st_mode
    except FileNotFoundError:  # a draft that has become a file meanwhile
        return 0
    return 0 if stat.S_ISLNK(found) else found


def _at_server(database: Database, name: str) -> Iterator[str]:
    with reading(database) as connection:
        granted = rows_of(connection, _GRANTED)
    who: dict[str, list[str]] = {}
    for grantee, privilege in granted:
        who.setdefault(str(grantee), []).append(str(privilege))
    for grantee, privileges in who.items():
        yield (
            f"{name}: the role {grantee} has {', '.join(privileges)} on its tables; "
            "REVOKE what it does not need"
        )

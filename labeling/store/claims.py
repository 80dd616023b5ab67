"""What a study at a database server was begun with, for the machines that join it."""

from __future__ import annotations

from sqlalchemy import Column, Engine, MetaData, String, Table, Text, delete, insert, select

from budget.database import alone, create_tables, idempotent, reading, seal_tables, writing

_TABLES = MetaData()
_CLAIMS = Table(
    "claims",
    _TABLES,
    Column("study", String(200), primary_key=True),
    Column("settings", Text, nullable=False),
)


class Claim:
    """The settings of a study, as a text.

    Args:
        engine: from `budget.database.open_database`.
        study: its name.
    """

    def __init__(self, engine: Engine, study: str) -> None:
        create_tables(engine, _TABLES)
        seal_tables(engine, {_CLAIMS.name: ""})
        self._engine = engine
        self._study = study

    @idempotent
    def settings(self) -> str | None:
        """The text that was kept last; None for a new study."""
        with reading(self._engine) as connection:
            wanted = select(_CLAIMS.c.settings).where(_CLAIMS.c.study == self._study)
            return connection.execute(wanted).scalar()

    @idempotent
    def keep(self, settings: str) -> None:
        """Keep a text in place of the one before."""
        with writing(self._engine) as connection:
            alone(connection, "claim", self._study)
            connection.execute(delete(_CLAIMS).where(_CLAIMS.c.study == self._study))
            connection.execute(insert(_CLAIMS).values(study=self._study, settings=settings))

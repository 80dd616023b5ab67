"""The catalogue of a study's label versions in SQL, and the named views.

The catalogue enters a version once, from its files, and never changes it. A view is a query over
the entries and copies no rows. The versions' files can rebuild the entries at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Double,
    Engine,
    FromClause,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    insert,
    select,
)

from budget.database import add_columns, alone, create_tables, reading, seal_tables, writing
from labeling.store.views import criterion
from labeling.views import View, check_classes, parse_view, resolve
from labeling.views.columns import ANSWERS, COLUMNS, LABELS

CATALOGUE = MetaData()

NO_LABEL = -1
"""The label position of an answer to a control task: control tasks have no label."""

VERSIONS = Table(
    "catalogue_versions",
    CATALOGUE,
    Column("id", Integer, primary_key=True),
    Column("study", String(200), nullable=False),
    Column("version", String(32), nullable=False),
    Column("day", Integer, nullable=False),
    Column("condition", String(32)),  # null for labels merged over conditions
    Column("market", String(40), nullable=False),
    Column("price_micros", BigInteger),
    Column("overlap", Integer),
    Column("controls", Integer),
    Column("exam", Boolean),
    Column("classes", Text, nullable=False),  # JSON
    UniqueConstraint("study", "version"),
)

_LABELS = Table(
    "catalogue_labels",
    CATALOGUE,
    Column("version_id", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("image", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("agreement", Double),
    Column("answers", Integer, nullable=False),
    Column("best_label", Text),  # these three are null in a version without best labels
    Column("best_confidence", Double),
    Column("changed", Boolean),
    sqlite_with_rowid=False,
)
Index("catalogue_labels_by_class", _LABELS.c.label, _LABELS.c.confidence)

_ANSWERS = Table(
    "catalogue_answers",
    CATALOGUE,
    Column("version_id", Integer, primary_key=True),
    Column("label_position", Integer, primary_key=True, autoincrement=False),  # NO_LABEL if none
    Column("position", Integer, primary_key=True),
    Column("image", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("annotator", Text, nullable=False),
    Column("skill", Double),
    Column("seconds", Double),
    Column("submitted", Double),
    Column("control", Boolean, nullable=False),
    Column("usable", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

_VIEWS = Table(
    "views",
    CATALOGUE,
    Column("id", Integer, primary_key=True),  # a name's latest version has the largest id
    Column("study", String(200), nullable=False),
    Column("name", String(80), nullable=False),
    Column("version", String(32), nullable=False),
    Column("expression", Text, nullable=False),
    Column("over", String(10), nullable=False),
    UniqueConstraint("study", "name", "version"),
)

_PARTS = {
    VERSIONS.name: "",
    _LABELS.name: "version_id",
    _ANSWERS.name: "version_id",
    _VIEWS.name: "",
}
_OF_VERSION: Mapping[str, ColumnElement[Any]] = {
    "version": VERSIONS.c.version,
    "date": VERSIONS.c.day,
    "condition": VERSIONS.c.condition,
    "market": VERSIONS.c.market,
    "price": VERSIONS.c.price_micros,
    "overlap": VERSIONS.c.overlap,
    "controls": VERSIONS.c.controls,
    "exam": VERSIONS.c.exam,
}
_OF_LABEL: Mapping[str, ColumnElement[Any]] = {
    column.name: column for column in _LABELS.c if column.name not in ("version_id", "position")
}
_OF_ANSWER: Mapping[str, ColumnElement[Any]] = {
    name: _ANSWERS.c[name]
    for name in ("answer", "annotator", "skill", "seconds", "submitted", "control", "usable")
}
_COLUMNS: Mapping[str, Mapping[str, ColumnElement[Any]]] = {
    LABELS: {**_OF_LABEL, **_OF_VERSION},
    ANSWERS: {**_OF_LABEL, "image": _ANSWERS.c.image, **_OF_ANSWER, **_OF_VERSION},
}


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """The catalogue's columns of a whole version.

    Attributes:
        day: UTC day on which the version was saved, as a day's number (date.toordinal).
        condition: key of the condition; None for labels merged over conditions. Then the values
            that follow from a condition are None, too.
        market: the market that answered: simulated, hybrid, replay, ...
        price_micros: micro-dollars per task.
        overlap: usable answers wanted per task.
        controls: control tasks per suite.
        exam: whether an exam had to be passed.
        classes: names of all classes.
    """

    version: str
    day: int
    condition: str | None
    market: str
    price_micros: int | None
    overlap: int | None
    controls: int | None
    exam: bool | None
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamedView:
    """A view with a name. Another expression under the same name is the view's next version."""

    name: str
    version: str
    expression: str
    over: str

    def open(self) -> View:
        """The view itself."""
        return parse_view(self.expression, f"view {self.name!r}", COLUMNS, self.over)


class Catalogue:
    """The label versions and named views of one study; several processes may use them."""

    def __init__(self, engine: Engine, study: str) -> None:
        """Open the study's catalogue; create the tables on first use.

        A catalogue that an older release made gets the columns that it lacks. Its versions have no
        best labels.

        Raises:
            StorageError: the database cannot be read or written.
        """
        create_tables(engine, CATALOGUE)
        add_columns(engine, _LABELS)
        seal_tables(engine, _PARTS)
        self._engine = engine
        self._study = study

    # --- versions ---

    def entries(self) -> dict[str, CatalogueEntry]:
        """All versions in the catalogue, by id."""
        query = select(VERSIONS).where(self._mine).order_by(VERSIONS.c.id)
        names = [field.name for field in fields(CatalogueEntry)]
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        made = (
            {**{n: row[n] for n in names}, "classes": json.loads(row["classes"])} for row in rows
        )
        return {
            row["version"]: CatalogueEntry(**{**row, "classes": tuple(row["classes"])})
            for row in made
        }

    def add(
        self,
        entry: CatalogueEntry,
        labels: Mapping[str, Sequence[Any]],
        answers: Mapping[str, Sequence[Any]],
    ) -> None:
        """Enter a version with its rows, in the order of its files; a version is entered once.

        Args:
            entry: the version.
            labels: all columns of labels, with the values of their rows; those of best labels may
                be left out and are then unknown.
            answers: all columns of answers, and `label_position`: the row of `labels` with the same
                image, or NO_LABEL.
        """
        with writing(self._engine) as connection:
            alone(connection, "catalogue", self._study)
            stored = select(VERSIONS.c.id).where(self._mine, VERSIONS.c.version == entry.version)
            if connection.execute(stored).first() is not None:
                return
            row = {**asdict(entry), "classes": json.dumps(entry.classes), "study": self._study}
            number = connection.execute(
                insert(VERSIONS).values(row).returning(VERSIONS.c.id)
            ).scalar_one()
            _insert(connection, _LABELS, number, labels)
            _insert(connection, _ANSWERS, number, answers)

    def bind(self, view: View, name: str = "view") -> View:
        """The view with complete ids, checked against the versions in the catalogue.

        Raises:
            InputError: no version has the class or the id.
        """
        entries = self.entries().values()
        check_classes(view, (c for entry in entries for c in entry.classes), name)
        ids = {
            "version": [entry.version for entry in entries],
            "condition": [entry.condition for entry in entries if entry.condition],
        }
        return resolve(view, ids, name)

    def places(self, view: View) -> list[tuple[str, int]]:
        """(version, position in its file) of every row inside a bound view, sorted."""
        return [(row[0], row[1]) for row in self._select_rows(view, ())]

    def rows(self, view: View) -> list[tuple[Any, ...]]:
        """Every row inside a bound view: the values of its `columns_of`, in the same order."""
        return [tuple(row)[2:] for row in self._select_rows(view, columns_of(view.over))]

    def count(self, view: View | None, over: str = LABELS) -> int:
        """Number of rows inside a bound view; without a view, of all labels or all answers."""
        over = view.over if view else over
        query = self._query(view, over, [func.count()])
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def _select_rows(self, view: View, names: Sequence[str]) -> Sequence[Sequence[Any]]:
        place = (_LABELS if view.over == LABELS else _ANSWERS).c.position
        wanted = [VERSIONS.c.version, place, *(_COLUMNS[view.over][name] for name in names)]
        query = self._query(view, view.over, wanted).order_by(VERSIONS.c.version, place)
        with reading(self._engine) as connection:
            return connection.execute(query).all()

    def _query(
        self, view: View | None, over: str, wanted: Sequence[ColumnElement[Any]]
    ) -> Select[Any]:
        query = select(*wanted).select_from(_source(over)).where(self._mine)
        return query.where(criterion(view.node, _COLUMNS[over])) if view else query

    # --- named views ---

    def keep(self, name: str, view: View) -> NamedView:
        """Give a bound view a name; the view becomes the latest version of this name."""
        named = NamedView(name, view.version, view.text, view.over)
        with writing(self._engine) as connection:
            alone(connection, "catalogue", self._study)
            mine = and_(_VIEWS.c.study == self._study, _VIEWS.c.name == name)
            latest = connection.execute(
                select(_VIEWS.c.version).where(mine).order_by(_VIEWS.c.id.desc())
            ).scalar()
            # Deleted and inserted again, an older version gets the largest id and is the latest.
            if latest != view.version:
                connection.execute(_VIEWS.delete().where(mine, _VIEWS.c.version == view.version))
                connection.execute(insert(_VIEWS).values(study=self._study, **asdict(named)))
        return named

    def named(self) -> list[NamedView]:
        """All named views; the latest version of each name comes last."""
        query = (
            select(_VIEWS.c.name, _VIEWS.c.version, _VIEWS.c.expression, _VIEWS.c.over)
            .where(_VIEWS.c.study == self._study)
            .order_by(_VIEWS.c.name, _VIEWS.c.id)
        )
        with reading(self._engine) as connection:
            return [NamedView(*row) for row in connection.execute(query)]

    @property
    def _mine(self) -> ColumnElement[bool]:
        return VERSIONS.c.study == self._study


def columns_of(over: str) -> tuple[str, ...]:
    """Names of the columns of labels or of answers, in the order of the documentation."""
    return tuple(name for name in COLUMNS if name in _COLUMNS[over])


def _source(over: str) -> FromClause:
    """Versions with their labels, or with their answers and the label of each answer's image."""
    labelled = VERSIONS.join(_LABELS, _LABELS.c.version_id == VERSIONS.c.id)
    if over == LABELS:
        return labelled
    of_image = and_(
        _LABELS.c.version_id == _ANSWERS.c.version_id,
        _LABELS.c.position == _ANSWERS.c.label_position,
    )
    # An outer join: answers to control tasks have no label, and views keep them all the same.
    answered = VERSIONS.join(_ANSWERS, _ANSWERS.c.version_id == VERSIONS.c.id)
    return answered.outerjoin(_LABELS, of_image)


def _insert(
    connection: Connection, table: Table, number: int, columns: Mapping[str, Sequence[Any]]
) -> None:
    """Insert a version's rows. The statement is compiled once, which halves the time."""
    count = len(next(iter(columns.values())))
    given = {"version_id": [number] * count, "position": range(count), **columns}
    statement = insert(table).compile(dialect=connection.dialect, column_keys=list(given))
    if count and statement.positiontup is not None:
        rows = list(zip(*(given[name] for name in statement.positiontup), strict=True))
        connection.exec_driver_sql(str(statement), rows)
    elif count:
        named = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
        connection.execute(insert(table), named)

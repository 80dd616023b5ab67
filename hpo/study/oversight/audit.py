"""The answer of a finished study, computed once more from its raw rows and held against it.

A study follows from its settings, its images and the answers it got. So its stored answers are sold
once more, order by order, to a study in a folder of its own, which buys, trains, measures and tells
as the first one did. Nothing that the first one has summed or measured is taken over.
"""

from __future__ import annotations

import csv
import io
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from budget.book import LedgerEntry
from budget.database import look_into, reading, rows_of
from budget.errors import InputError
from budget.ledger import Ledger
from budget.money import Money
from budget.sqlite_file import SIDE_FILES
from hpo.answer.sections.delivered import LABELS_FILE
from hpo.data.roles import ROLES_FILE
from hpo.settings.config import StudyConfig
from hpo.settings.run_folder import (
    SEARCH,
    STORE,
    claim,
    look_into_store,
    read_config,
    runs_of,
)
from hpo.settings.stored_answer import report_as_it_is
from hpo.study.oversight.stored_answers import selling_stored
from hpo.study.study import Study, open_study
from hpo.study.trials import TASK
from hpo.trial.holdings.books import look_at_books
from hpo.trial.trainer import Trainer
from hpo.trial.world import build

_NEAR = 1e-9  # relative: another processor may round the last digits in another way
_ABSENT = "(nothing)"
_OUTSIDE = (
    "SELECT count(*) FROM trial_user_attributes JOIN trials USING (trial_id) "
    "JOIN studies USING (study_id) WHERE study_name = ? AND key = ?"
)


@dataclass(frozen=True, slots=True)
class FigureDifference:
    """A figure that does not follow from the study's rows.

    Attributes:
        place: where it stands, such as "report.json: money.spent.micros".
        stored: what stands there.
        computed: what follows from the rows.
    """

    place: str
    stored: Any
    computed: Any

    @property
    def line(self) -> str:
        """The difference in one line."""
        stored, computed = _short(self.stored), _short(self.computed)
        return f"{self.place}: stored is {stored}, the rows give {computed}"


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit has compared.

    Attributes:
        figures: numbers, texts and marks compared.
        from_rows: whether all was computed from raw rows. The trials of several workers were asked
            for in a sequence that no row tells: there the report alone is made anew, from the
            measurements as stored. At a database server there may have been several, but not on a
            market with pools, where one process at a time searches.
        differences: figures that differ.
    """

    figures: int
    from_rows: bool
    differences: tuple[FigureDifference, ...]


def audit(folder: Path, trainer: Trainer | None = None) -> Audit:
    """Compute a finished study's answer once more, and compare it figure by figure.

    Nothing in the folder is changed, and nothing is bought.

    Args:
        folder: the study's folder; its images are read, too.
        trainer: fits the heads; None for the cross-validated ones.

    Raises:
        InputError: there is no finished study, or its images are gone.
        LedgerCorrupt: rows are not the rows that were written.
        NotBought: its orders do not follow from the answers before them.
    """
    config, stored = read_config(folder), report_as_it_is(folder)
    if stored is None:
        raise InputError(f"{folder}: no answer yet (report.json is missing); let the study end")
    look_at_books(folder)
    from_rows = not _has_workers(folder, config)
    if config.storage is not None and not from_rows:
        return compare([("report.json", stored, _told(folder, trainer))], from_rows)
    with tempfile.TemporaryDirectory(prefix="labelworth-audit-") as name:
        copy = _prepared(folder, Path(name))
        if not from_rows:
            report = _remade(folder, copy, trainer)
            return compare([("report.json", stored, report)], from_rows)
        report = _again(folder, copy, config, trainer)
        parts = [
            ("report.json", stored, report),
            ("ledger", _entries(folder, config), _entries(copy, read_config(copy))),
            (LABELS_FILE, _table(folder / LABELS_FILE), _table(copy / LABELS_FILE)),
        ]
        return compare(parts, from_rows)


def _has_workers(folder: Path, config: StudyConfig) -> bool:
    """Whether several workers may have asked for the trials, or others outside have."""
    if config.storage is not None and not config.market_kind.has_pools:
        return True
    trials = look_into(config.storage or folder / SEARCH)
    try:
        with reading(trials) as connection:
            return bool(rows_of(connection, _OUTSIDE, (config.study, TASK))[0][0])
    finally:
        trials.dispose()


def _prepared(folder: Path, runs: Path) -> Path:
    """An empty folder for the study, with the roles of its images and the features at hand."""
    features = runs_of(folder) / ".features"
    if features.is_dir():
        (runs / ".features").symlink_to(features, target_is_directory=True)
    copy = runs / folder.resolve().name
    copy.mkdir(mode=0o700)
    if (folder / ROLES_FILE).exists():
        shutil.copyfile(folder / ROLES_FILE, copy / ROLES_FILE)
    return copy


def _again(
    folder: Path, copy: Path, config: StudyConfig, trainer: Trainer | None
) -> dict[str, Any]:
    """The report of the same study on the same answers; each raise of its cap is one run."""
    resold = partial(selling_stored, folder, config)
    report: dict[str, Any] = {}
    for cap in _caps(folder, config):
        raised = replace(config, budget=cap, storage=None)  # what is made anew lies in files
        claim(copy, raised)  # else it would be new, and draw the roles of its images
        make_world = partial(build, resold=resold)
        study = Study(raised, trainer=trainer, folder=copy, make_world=make_world)
        try:
            report = study.run(real_money=True)
        finally:
            study.close()
    return report


def _remade(folder: Path, copy: Path, trainer: Trainer | None) -> dict[str, Any]:
    """The report of the measurements as stored."""
    for name in (STORE, SEARCH):
        for side in ("", *SIDE_FILES):
            if (folder / (name + side)).exists():
                shutil.copyfile(folder / (name + side), copy / (name + side))
    shutil.copyfile(folder / "study.json", copy / "study.json")
    return _told(copy, trainer)


def _told(folder: Path, trainer: Trainer | None) -> dict[str, Any]:
    study = open_study(folder, trainer)
    try:
        return study.report()
    finally:
        study.close()


def _caps(folder: Path, config: StudyConfig) -> list[Money]:
    return [entry.amount for entry in _ledger(folder, config) if entry.kind == "cap"]


def _entries(folder: Path, config: StudyConfig) -> list[dict[str, Any]]:
    """The ledger's entries, without the account's balance that a market told at the time."""
    entries = _ledger(folder, config)
    return [{"kind": e.kind, "key": e.key, "micros": e.amount.micros} for e in entries]


def _ledger(folder: Path, config: StudyConfig) -> Sequence[LedgerEntry]:
    engine = look_into_store(folder, config)
    try:
        return Ledger.open(engine, config.study).entries()
    finally:
        engine.dispose()


def _table(path: Path) -> list[dict[str, Any]] | None:
    """The rows of a table, with numbers as numbers; None where there is none."""
    if not path.exists():
        return None
    text = io.StringIO(path.read_text(encoding="utf-8"), newline="")
    return [{name: _number(cell) for name, cell in row.items()} for row in csv.DictReader(text)]


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


# --- comparing ---


def compare(parts: Sequence[tuple[str, Any, Any]], from_rows: bool = True) -> Audit:
    """Compare values figure by figure.

    Args:
        parts: the name of each, what is stored, and what was computed; JSON types.
        from_rows: as for `Audit`.
    """
    pairs = [pair for place, stored, computed in parts for pair in _pairs(place, stored, computed)]
    different = [FigureDifference(*pair) for pair in pairs if not _equal(*pair[1:])]
    return Audit(len(pairs), from_rows, tuple(different))


def _pairs(place: str, stored: Any, computed: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every figure of two values, side by side."""
    if isinstance(stored, Mapping) and isinstance(computed, Mapping):
        for name in {**stored, **computed}:
            here, there = stored.get(name, _ABSENT), computed.get(name, _ABSENT)
            yield from _pairs(_inside(place, name), here, there)
    elif isinstance(stored, list) and isinstance(computed, list):
        for at in range(max(len(stored), len(computed))):
            here = stored[at] if at < len(stored) else _ABSENT
            there = computed[at] if at < len(computed) else _ABSENT
            yield from _pairs(f"{place}[{at}]", here, there)
    else:
        yield place, stored, computed


def _inside(place: str, name: str) -> str:
    return f"{place}{'.' if ':' in place or '[' in place else ': '}{name}"


def _equal(stored: Any, computed: Any) -> bool:
    if type(stored) is float and type(computed) is float:
        return stored == computed or math.isclose(stored, computed, rel_tol=_NEAR, abs_tol=_NEAR)
    return type(stored) is type(computed) and bool(stored == computed)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

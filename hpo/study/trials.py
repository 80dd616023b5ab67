"""The trials of a study on disk, in Optuna's storage: asked, bought, evaluated, refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget import seals
from budget.files import replacing
from budget.sqlite_file import SIDE_FILES
from hpo.search.money_aware import distributions
from hpo.settings.run_folder import making
from hpo.settings.search_space import SearchSpace
from hpo.trial.holdings.books import check_rows
from hpo.trial.outcome import Outcome, Purchase, outcome_from_plain, outcome_to_plain, plan_to_plain
from labeling.types import LabelPlan

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial as FrozenTrial

TASK = "task"
"""User attribute of a trial: the task that it is outside, such as ClearML's."""
_WAIT_S = 30  # for another process's write


class Trials:
    """A study's trials.

    Args:
        path: the SQLite file; made if it is missing.
        name: the study's name.
        space: the search space.

    Attributes:
        sealed_late: an older release had made the file, and its rows were sealed just now.
    """

    def __init__(self, path: Path, name: str, space: SearchSpace) -> None:
        self.study, self.sealed_late = _open(path, name)
        self._space = space
        self._path = path
        self._read: tuple[int, list[FrozenTrial]] | None = None

    def all(self) -> list[FrozenTrial]:
        """Every trial, in order; read again only after a process has written to the file."""
        version = self._version()
        if self._read is None or self._read[0] != version:
            self._read = version, self.study.get_trials(deepcopy=False)
        return list(self._read[1])

    def _version(self) -> int:
        """A number that changes with every write by any other connection, Optuna's among them."""
        version: int = self._looker.execute("PRAGMA data_version").fetchone()[0]
        return version

    @cached_property
    def _looker(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=_WAIT_S, check_same_thread=False)

    def close(self) -> None:
        """Let go of the file."""
        looker = self.__dict__.pop("_looker", None)
        if looker is not None:
            looker.close()
        self._read = None

    def at(self, number: int) -> FrozenTrial:
        """The trial of a number, as it is stored now."""
        return self.all()[number]

    def of_task(self, task: str) -> int | None:
        """The number of the trial that a task outside asked for and that was not given up."""
        mine = [t for t in self.all() if t.user_attrs.get(TASK) == task and t.state.name != "FAIL"]
        return mine[-1].number if mine else None

    def evaluated(self) -> list[FrozenTrial]:
        """Complete trials: those of the search, then those after it."""
        done = [t for t in self.all() if t.state.name == "COMPLETE"]
        return sorted(done, key=_after_search)

    def complete(self) -> list[FrozenTrial]:
        """Complete trials of the search: all that its decisions depend on."""
        return [t for t in self.evaluated() if not _after_search(t)]

    def outcomes(self) -> list[Outcome]:
        """Every plan evaluated so far, once, as it was measured last."""
        return _once(self.evaluated())

    def searched(self) -> list[Outcome]:
        """The same without what was evaluated after the search."""
        return _once(self.complete())

    def purchases(self) -> list[Purchase]:
        """What was bought, in order."""
        return [
            Purchase(
                outcome_from_plain(t.user_attrs["outcome"]),
                t.user_attrs["order"],
                t.user_attrs["version"],
            )
            for t in self.complete()
            if t.user_attrs["bought"]
        ]

    def refusals(self) -> list[FrozenTrial]:
        """Refused trials since the search's last complete one, in order."""
        refused: list[FrozenTrial] = []
        for trial in self.all():
            if trial.state.name == "COMPLETE" and not _after_search(trial):
                refused = []
            elif trial.state.name == "FAIL" and "refused" in trial.user_attrs:
                refused.append(trial)
        return refused

    def after_last_search(self) -> int:
        """Evaluations after the search's last trial."""
        last = max((t.number for t in self.complete()), default=0)
        return sum(t.number > last for t in self.evaluated())

    def fail(self, number: int) -> None:
        """Give a trial up."""
        from optuna.trial import TrialState

        self.study.tell(number, state=TrialState.FAIL)

    def add(self, outcome: Outcome, after_search: bool) -> dict[str, Any]:
        """Add an evaluation that no purchase was needed for, in one commit; returns its facts."""
        import optuna

        facts = outcome_to_plain(outcome)
        attrs: dict[str, Any] = {"outcome": facts, "bought": False, "plan": facts["plan"]}
        if after_search:
            attrs["after_search"] = True
        self.study.add_trial(
            optuna.trial.create_trial(
                params=self._space.params_of(outcome.plan),
                distributions=distributions(self._space),
                values=[outcome.accuracy, outcome.price_tag.dollars],
                user_attrs=attrs,
            )
        )
        return facts

    def begin(self, plan: LabelPlan, bought: bool, task: str) -> int:
        """Add a running trial that was asked for elsewhere, in one commit; returns its number."""
        import optuna

        self.study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=self._space.params_of(plan),
                distributions=distributions(self._space),
                user_attrs={"bought": bought, "plan": plan_to_plain(plan), TASK: task},
            )
        )
        number = self.of_task(task)
        if number is None:
            raise AssertionError(f"the trial of task {task} is gone as soon as it was added")
        return number

    def enqueue(self, plan: LabelPlan) -> None:
        """Let the next ask give a plan, unless one is waiting already."""
        if not any(t.state.name == "WAITING" for t in self.all()):
            self.study.enqueue_trial(self._space.params_of(plan))

    def reopen(self, trial: FrozenTrial) -> optuna.Trial:
        """A running trial of an earlier process, to be told by this one."""
        import optuna

        return optuna.Trial(self.study, trial._trial_id)

    def attr(self, name: str) -> Any:
        """A stored fact of the study; None if there is none."""
        return self.study.user_attrs.get(name)

    def known(self, name: str) -> dict[str, Any]:
        """A stored table of the study, empty at first."""
        return dict(self.attr(name) or {})

    def keep(self, name: str, value: object) -> None:
        """Store a fact of the study."""
        self.study.set_user_attr(name, value)


def _after_search(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get("after_search", False))


def _once(trials: Iterable[FrozenTrial]) -> list[Outcome]:
    """One outcome a plan: the last one measured, in the first one's place."""
    outcomes = [outcome_from_plain(trial.user_attrs["outcome"]) for trial in trials]
    return list({outcome.plan.key: outcome for outcome in outcomes}.values())


def _open(path: Path, name: str) -> tuple[optuna.Study, bool]:
    """The study in Optuna's storage, and whether it was sealed late.

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
        late = _seal(database)
    return _study(_storage(path), name), late


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
        storage = _storage(draft)
        _study(storage, name)
        storage.remove_session()
        storage.engine.dispose()
        with closing(_connected(draft)) as database:
            _seal(database)
            database.execute("PRAGMA journal_mode=WAL")  # a property of the file; one sync a commit


def _storage(path: Path) -> optuna.storages.RDBStorage:
    import optuna

    wait = {"connect_args": {"timeout": _WAIT_S, "factory": seals.SealingConnection}}
    return optuna.storages.RDBStorage(f"sqlite:///{path}", engine_kwargs=wait)


def _study(storage: optuna.storages.RDBStorage, name: str) -> optuna.Study:
    import optuna

    return optuna.create_study(
        storage=storage,
        study_name=name,
        directions=["maximize", "minimize"],
        load_if_exists=True,
    )

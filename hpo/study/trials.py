"""The trials of a study on disk, in Optuna's storage: asked, bought, evaluated, refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from budget.money import ZERO, Money
from hpo.search.money_aware import distributions
from hpo.settings.run_folder import SEARCH
from hpo.settings.search_space import SearchSpace
from hpo.study.storage.file import TrialFile
from hpo.study.storage.shared import SharedTrials
from hpo.study.storage.trial_facts import (
    AFTERWARDS,
    EVALUATION,
    PURCHASE,
    REFUSED,
    told_attributes,
)
from hpo.trial.outcome import Outcome, Purchase, outcome_from_plain, outcome_to_plain, plan_to_plain
from hpo.trial.world import World
from labeling.types import LabelPlan

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial as FrozenTrial

What = TypeVar("What")

TASK = "task"
"""User attribute of a trial: the task that it is outside, such as ClearML's."""


class TrialStorage(Protocol):
    """Where Optuna keeps a study's trials.

    Attributes:
        study: Optuna's study.
        sealed_late: an older release had made it, and its rows were sealed just now.
    """

    study: optuna.Study
    sealed_late: bool

    def version(self) -> int | str:
        """Changes with every write by any other connection, Optuna's among them."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def storage_of(world: World) -> TrialStorage:
    """Where the trials of a study lie; made where there are none yet."""
    name = world.config.study
    if world.config.storage is None:
        return TrialFile(world.folder / SEARCH, name)
    return SharedTrials(world.database, name)


class _Read(Generic[What]):
    """What was read of a storage; read again only after a process has written something."""

    def __init__(self, storage: TrialStorage, read: Callable[[], What]) -> None:
        self._storage, self._read_again = storage, read
        self._last: tuple[int | str, What] | None = None

    def now(self) -> What:
        version = self._storage.version()
        if self._last is None or self._last[0] != version:
            self._last = version, self._read_again()
        return self._last[1]

    def forget(self) -> None:
        self._last = None


class Trials:
    """A study's trials.

    Args:
        storage: where they lie.
        space: the search space.

    Attributes:
        study: Optuna's study.
        sealed_late: an older release had made them, and their rows were sealed just now.
    """

    def __init__(self, storage: TrialStorage, space: SearchSpace) -> None:
        self.study, self.sealed_late = storage.study, storage.sealed_late
        self._space = space
        self._storage = storage
        self._trials = _Read(storage, lambda: self.study.get_trials(deepcopy=False))
        self._facts = _Read(storage, lambda: self.study.user_attrs)
        self._told: dict[int, Outcome] = {}  # of complete trials, which never change

    def all(self) -> list[FrozenTrial]:
        """Every trial, in order."""
        return list(self._trials.now())

    def close(self) -> None:
        """Let go of the storage."""
        self._storage.close()
        self._trials.forget()
        self._facts.forget()

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
        return self._once(self.evaluated())

    def searched(self) -> list[Outcome]:
        """The same without what was evaluated after the search."""
        return self._once(self.complete())

    def purchases(self) -> list[Purchase]:
        """What was bought, in order."""
        return [
            Purchase(self._outcome(t), t.user_attrs["order"], t.user_attrs["version"])
            for t in self.complete()
            if t.user_attrs["bought"]
        ]

    def _outcome(self, trial: FrozenTrial) -> Outcome:
        """The outcome of a complete trial, read once."""
        if (known := self._told.get(trial.number)) is None:
            known = self._told[trial.number] = outcome_from_plain(trial.user_attrs["outcome"])
        return known

    def _once(self, trials: Iterable[FrozenTrial]) -> list[Outcome]:
        """One outcome a plan: the last one measured, in the first one's place."""
        outcomes = map(self._outcome, trials)
        return list({outcome.plan.key: outcome for outcome in outcomes}.values())

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

    def tell(self, trial: optuna.Trial, facts: dict[str, Any], paid: Money | None) -> None:
        """End a trial.

        Args:
            trial: a running one; its outcome is stored with it.
            facts: its outcome, as it is stored.
            paid: for what it bought; None if it bought nothing.
        """
        kind = EVALUATION if paid is None else PURCHASE
        for name, value in told_attributes(kind, facts, paid or ZERO).items():
            trial.set_user_attr(name, value)
        self.study.tell(trial, [facts["accuracy"], Money(facts["price_tag"]).dollars])

    def refuse(self, trial: optuna.Trial, why: dict[str, Any]) -> None:
        """Give a trial up, and store why."""
        trial.set_user_attr("refused", why)
        for name, value in told_attributes(REFUSED).items():
            trial.set_user_attr(name, value)
        self.fail(trial.number)

    def fail(self, number: int) -> None:
        """Give a trial up."""
        from optuna.trial import TrialState

        self.study.tell(number, state=TrialState.FAIL)

    def add(self, outcome: Outcome, after_search: bool) -> dict[str, Any]:
        """Add an evaluation that no purchase was needed for, in one commit; returns its facts."""
        import optuna

        facts = outcome_to_plain(outcome)
        attrs: dict[str, Any] = {"outcome": facts, "bought": False, "plan": facts["plan"]}
        attrs |= told_attributes(AFTERWARDS if after_search else EVALUATION, facts)
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
        """A stored fact of the study, not to be changed in place; None if there is none."""
        return self._facts.now().get(name)

    def known(self, name: str) -> dict[str, Any]:
        """A stored table of the study, empty at first."""
        return dict(self.attr(name) or {})

    def keep(self, name: str, value: object) -> None:
        """Store a fact of the study."""
        self.study.set_user_attr(name, value)


def _after_search(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get("after_search", False))

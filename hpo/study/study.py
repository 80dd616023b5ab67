"""A study: ask for a plan, buy it, tell what it gave, until there is a reason to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.errors import BudgetExceeded, InputError
from hpo.answer.objects.answer import Answer
from hpo.answer.page.render import write_page
from hpo.search.searcher import Searcher
from hpo.settings import config as settings
from hpo.settings.config import StudyConfig
from hpo.settings.run_folder import claim, read_config, runs_of
from hpo.settings.stored_answer import forget_report, write_report
from hpo.study import checks, pools
from hpo.study.ask import ASKING, AskedTrial, Asker
from hpo.study.conclusion import Conclusion
from hpo.study.delivery import measuring, phase
from hpo.study.delivery.machine_purchase import check_borne, try_machine
from hpo.study.evaluations import Evaluations
from hpo.study.journal import Progress as Progress
from hpo.study.journal import StudyEvents, StudyJournal, StudyPhase
from hpo.study.journal import Watch as Watch
from hpo.study.logs.log import logged, tell
from hpo.study.looking.answers import StudyAnswers
from hpo.study.looking.bar import shown
from hpo.study.looking.notes import leave_answer, recommended_trial
from hpo.study.reconcile import complete, has_order, untold
from hpo.study.together import Together
from hpo.study.trials import TASK, Trials, storage_of
from hpo.trial.evaluate import run_trial
from hpo.trial.labels import views_to_plain
from hpo.trial.outcome import Purchase, outcome_to_plain, plan_from_plain
from hpo.trial.purchase import finish_apart
from hpo.trial.spending import paid_for
from hpo.trial.trainer import Trainer
from hpo.trial.versions.label_versions import save_version
from hpo.trial.world import World, build
from labeling.types import LabelPlan

if TYPE_CHECKING:
    import optuna

_RUNNING = "running"  # the lock under which one process at a time searches


class Study(StudyAnswers):
    """One study in one folder. Making it again in the same folder goes on where it stood.

    Args:
        config: a validated configuration; or give its fields as keyword arguments.
        runs: folder of all studies; this one lies in runs/<study name>.
        trainer: fits the heads; None for the cross-validated ones.
        folder: its own folder where that has another name, as a copy has; `runs` is then unused.
        tell: told what the images of a new study are, line by line, before anything is bought.
        make_world: wires its world, called as `build` is.
        settings: fields of `StudyConfig`, raw: Study(budget="20", sampler="random").

    Attributes:
        parting: what became of its pools on the market at the end, in lines.

    Raises:
        InputError: bad input, named; or a configuration that differs from the folder's.
        LedgerCorrupt: the folder's ledger does not verify.
    """

    def __init__(
        self,
        config: StudyConfig | None = None,
        runs: str | Path = "runs",
        trainer: Trainer | None = None,
        folder: Path | None = None,
        tell: checks.Tell | None = None,
        make_world: Callable[..., World] = build,
        **settings_: object,
    ) -> None:
        self.config = config or settings.make_config(settings_)
        self.folder = folder or Path(runs) / self.config.study
        is_new = not (self.folder / "study.json").exists()  # bad input leaves no study
        data = checks.check_new_study(self.config, self.folder.parent, tell) if is_new else None
        claim(self.folder, self.config)
        self.world: World = make_world(self.config, self.folder, data, trainer=trainer)
        self.journal = StudyJournal(self.folder / "journal.jsonl")
        self.events = StudyEvents(self.journal, self.world)
        try:
            self.trials = Trials(storage_of(self.world), self.world.space)
            checks.check_ground(self.world, self.trials)
        except BaseException:
            self.close()
            raise
        self._watch: Watch | None = None
        self._phase = StudyPhase.PREPARING
        self._searcher = Searcher(self.world)
        self._conclusion = Conclusion(self.world, self.trials, self._searcher, self._search_again)
        self._asker = Asker(self.world, self.trials, self._searcher, self._conclusion.reached)
        self._evaluations = Evaluations(
            self.world, self.trials, self._searcher, self.events, self.say
        )
        self.why_none = ""
        self.parting: list[str] = []

    # --- the answer -----------------------------------------------------------------------------
    def run(
        self, watch: Watch | None = None, real_money: bool = False, archive: bool = False
    ) -> Answer:
        """Search until a reason to stop, then write and return the report.

        Args:
            watch: called whenever something changed, for a live line; None for a bar in a notebook,
                and nothing elsewhere.
            real_money: confirms that a study on Toloka may spend up to its cap.
            archive: archive its pools at the end, because the study is over. Otherwise they stay,
                closed, for a larger budget, but for those in which nothing is left to buy.

        Raises:
            InputError: it would spend real money, and that was not confirmed; or there are no pools
                to archive.
        """
        pools.check_archive(self.config.market_kind, archive)
        with shown(watch, self.config.budget) as bar:
            try:
                if self.world.is_shared:
                    return self._run_together(bar, real_money)
                return self._run_alone(bar, real_money, archive)
            except BaseException:
                self.world.source.close()  # the caller may not do it: no pool stays open
                raise

    def _run_alone(self, watch: Watch | None, real_money: bool, archive: bool) -> Answer:
        with self.alone(watch):
            self.prepare(watch, real_money)
            self.finish_left()
            self._evaluations.after_last_purchase()
            self._search()
            while (reason := self.last_reason(self.why_none)) is None:
                self._search()
            return self.conclude(reason, archive)

    def _run_together(self, watch: Watch | None, real_money: bool) -> Answer:
        together = Together(self)
        with self.alone(watch):
            self.prepare(watch, real_money)
        while True:
            together.search()
            with self.alone(watch), together.alone():
                self.finish_left()
                reason = self._asker.reason_to_stop()
                last = None if reason is None else self.last_reason(reason)
                if last is not None:
                    return self.conclude(last)

    @contextmanager
    def alone(self, watch: Watch | None = None) -> Iterator[None]:
        """Keep other processes from searching in this study; waits until none does, and says so.

        Args:
            watch: as for `run`.
        """
        self._watch = watch or self._watch
        busy = partial(self._wait_for, "runs this study")
        with logged(self.folder), self.world.locks.hold(_RUNNING, busy):
            yield

    def _wait_for(self, deed: str, who: str) -> None:
        note = f"Process {who} {deed}. This one waits, and goes on where that ends."
        self.say("waiting", note)

    def _search(self) -> None:
        self._phase = StudyPhase.SEARCHING
        while (asked := self.ask()) is not None:
            self.say(f"{'buying' if asked.bought else 'evaluating'} {asked.plan.key}")
            self._finish(asked.trial, asked.plan, asked.bought)
            self._evaluations.after_last_purchase()

    def last_reason(self, reason: str) -> str | None:
        """Why the search ends, now that its answer is measured; None where it goes on.

        The answer's measurements may deny that the target is reached. Then another reason ends the
        search, or none does.
        """
        if self.config.target is None or self._conclusion.reached() is None:
            return reason
        self._measure_answer(reason)
        self._conclusion.count_measured()
        if self._conclusion.reached() is not None:
            return reason
        self.trials.keep("stopped", "")
        return self._asker.reason_to_stop()

    def _measure_answer(self, reason: str) -> None:
        self._phase = StudyPhase.ANSWERING
        self.trials.keep("stopped", reason)
        self._evaluations.after_search(self._conclusion)
        self._conclusion.measure(self.say, self.events.section)
        checks.mark_ledger(self.world, self.trials)

    def prepare(self, watch: Watch | None = None, real_money: bool = False) -> None:
        """Look at what a search needs, before any money moves.

        Args and raises as for `run`.
        """
        if self.world.market.kind.real_money and not real_money:
            raise InputError(
                f"--market {self.config.market}: spends up to {self.config.budget} of real money; "
                "confirm it with run(real_money=True)"
            )
        self._watch = watch or self._watch
        self.trials.keep("stopped", "")
        leave_answer(self.trials.study)
        self._record_views()
        self.say("looking at the images")
        checks.check_features(self.world, self.trials)  # a fault in them shows before money moves
        self.events.begin(self.trials)
        for line in [*checks.sealed_late(self.world, self.trials), *pools.look(self.world)]:
            self.say("looking at the market", line)
        check_borne(self.world, measuring.still_to_hold(self.world))
        measuring.buy_tests(self.world, self.say)
        try_machine(self.world, self.say)

    def conclude(self, reason: str, archive: bool = False) -> Answer:
        """Make the answer of what the search found, and write and return the report.

        Args:
            reason: why the search stopped.
            archive: as for `run`.
        """
        self._phase = StudyPhase.BUYING
        searched = self._conclusion.searched
        reason = phase.buy_labels(self.world, self.trials, searched, self.say, reason)
        self._measure_answer(reason)
        report = self.report()
        leave_answer(self.trials.study, report, recommended_trial(self.trials.all(), report))
        write_report(self.folder, report)
        write_page(report, self.world, self.folder)
        self.events.answer(report, self.outcomes())
        self.parting = pools.put_away(self.world, archive)
        return report

    def _record_views(self) -> None:
        """Say in the search's database and in the journal which views the trials use."""
        for name, view in views_to_plain(self.config).items():
            if view is not None:
                self.trials.keep(name, view)
                self.journal.write(name, view["version"], view)

    @classmethod
    def open(cls, folder: str | Path, trainer: Trainer | None = None) -> Study:
        """The study in a folder, as it was configured; see `open_study`."""
        return open_study(Path(folder), trainer)

    def close(self) -> None:
        """Close the market's pools and let go of the databases."""
        try:
            self.world.close()
        finally:
            if hasattr(self, "trials"):  # else they could not be opened
                self.trials.close()

    def _search_again(self, config: StudyConfig) -> dict[str, Any]:
        """The report of another study beside this one."""
        study = Study(config, runs_of(self.folder), self.world.trainer)
        try:
            return study.run()
        finally:
            study.close()

    # --- the loop -------------------------------------------------------------------------------

    def say(self, doing: str, note: str = "") -> None:
        """Report progress, with a note that is to stay in sight where there is one."""
        tell("doing", what=doing, note=note)
        if self._watch is None:
            return
        money = self.world.ledger.balance()
        (best, front), bought = self._conclusion.so_far(), len(self.trials.purchases())
        sums = (money.spent, money.held, money.left)
        self._watch(Progress(doing, bought, best, *sums, note, self._phase, front))

    def finish_left(self) -> None:
        """Finish trials that a crash left running if they have an order, else give them up."""
        self.world.prices.refresh()  # another process may have searched before
        for left in self.trials.all():
            if left.state.name != "RUNNING":
                continue
            attrs = left.user_attrs
            plan = plan_from_plain(attrs["plan"]) if "plan" in attrs else None
            if plan is not None and "refused" not in attrs and has_order(plan, self.world):
                self._finish(self.trials.reopen(left), plan, attrs["bought"])
            else:
                self.trials.fail(left.number)
        finish_apart(self.world)
        for order in self.world.store.unfinished():
            complete(order, self.world)
        for plan, task in untold(self.world, self.trials):
            self.finish(self.trials.begin(plan, True, task))

    def ask(self) -> AskedTrial | None:
        """The next trial, written down before it is bought; None where there is none for now.

        `why_none` then says why. While trials are in hand that may be for the time being.
        """
        with self.world.locks.hold(ASKING):
            self.world.prices.refresh()  # other workers buy, too
            while (reason := self._asker.reason_to_stop()) is None:
                if (asked := self._asker.ask()) is not None:
                    return asked
        self.why_none = reason
        return None

    def admit(self, plan: LabelPlan, task: str) -> int | None:
        """Write down a trial that was asked for elsewhere, to be finished by the caller.

        Args:
            plan: what it buys or evaluates.
            task: who asked: kept with the trial.

        Returns:
            The trial's number; None where the plan is evaluated already.

        Raises:
            Refused: the money left, without what is kept and promised, does not bear it, or it is
                outside the study's limits.
        """
        with self.world.locks.hold(ASKING):
            self.world.prices.refresh()
            if plan.key in {outcome.plan.key for outcome in self.outcomes()}:
                return None
            self._asker.check(plan)
            return self.trials.begin(plan, self.world.prices.to_buy(plan).answers > 0, task)

    def finish(self, number: int) -> optuna.trial.FrozenTrial:
        """Buy and evaluate a trial that is in hand, whichever process asked for it.

        Of several processes one buys; the others wait for it and find the trial finished.
        """
        trial = self.trials.at(number)
        if trial.state.name == "RUNNING":
            attrs = trial.user_attrs
            plan = plan_from_plain(attrs["plan"])
            self._finish(self.trials.reopen(trial), plan, attrs["bought"])
        return self.trials.at(number)

    def reuse(self, bought: LabelPlan) -> None:
        """Evaluate contained plans of a purchase's condition that can still matter."""
        self._evaluations.after_purchase(bought, self._asker)

    def _finish(self, trial: optuna.Trial, plan: LabelPlan, bought: bool) -> None:
        busy = partial(self._wait_for, "buys in the same condition")
        with self.world.buying(plan, busy):  # of several workers one buys there at a time
            if self.trials.at(trial.number).state.name == "RUNNING":
                self._buy(trial, plan, bought)

    def _buy(self, trial: optuna.Trial, plan: LabelPlan, bought: bool) -> None:
        forget_report(self.folder)
        try:
            outcome, trained = run_trial(plan, self.world)
        except BudgetExceeded as error:
            self._asker.refuse(trial, plan, f"another worker took the money: {error}")
            return
        if self.trials.at(trial.number).state.name != "RUNNING":
            return  # a server that restarted forgot whose it is, and another finished it
        facts, paid = outcome_to_plain(outcome), None
        trial.set_user_attr("outcome", facts)
        if bought:
            version = save_version(trained, self.world)
            trial.set_user_attr("version", version)
            order = self.world.store.orders(self.world.condition(plan))[-1].order.key
            trial.set_user_attr("order", order)
            made = [*self.trials.purchases(), Purchase(outcome, order, version)]
            paid = paid_for(made, self.world)[-1]
        self.trials.tell(trial, facts, paid)
        checks.mark_ledger(self.world, self.trials)
        forget_report(self.folder)  # another worker may have written one meanwhile
        task = self.trials.at(trial.number).user_attrs.get(TASK, "")
        if paid is not None:
            self.events.purchase(facts, version, order, paid, task)
        else:
            self.events.evaluation(facts, task)
        self.say(f"done {plan.key}")


def open_study(folder: Path, trainer: Trainer | None = None) -> Study:
    """The study in a folder, as it was configured.

    The folder may be a copy, or renamed: the study keeps the name of its configuration, from which
    its keys and seeds come.

    Args:
        folder: the study's folder.
        trainer: as for `Study`.

    Raises:
        InputError: there is no study in the folder.
    """
    return Study(read_config(folder), trainer=trainer, folder=folder)

"""A study: ask for a plan, buy it, tell what it gave, until there is a reason to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.errors import BudgetExceeded, InputError, LedgerCorrupt
from budget.money import Money
from hpo import config as settings
from hpo.answer import Purchase, build_report
from hpo.config import StudyConfig
from hpo.folder import claim, read_config, to_json, write_atomic
from hpo.front import pareto_front
from hpo.recommend import recommend
from hpo.sampler import make_sampler
from hpo.seeds import derive
from hpo.tracking.journal import Journal
from hpo.trial import (
    Outcome,
    buy,
    final_score,
    outcome_from_plain,
    outcome_to_plain,
    plan_from_plain,
    plan_to_plain,
    run_trial,
)
from hpo.versioning import save_version
from hpo.world import World, build, rehearse
from labeling.types import LabelPlan

if TYPE_CHECKING:
    import optuna

REFUSALS = 20  # in a row: the sampler finds nothing that can be bought
_PATIENCE = 10  # asks outside the study's limits before the nearest plan inside is taken


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a study stands.

    Attributes:
        doing: what is going on now, in a few words.
        purchases: purchases evaluated so far.
        best: the recommended plan so far.
    """

    doing: str
    purchases: int
    best: Outcome | None
    spent: Money
    held: Money
    left: Money


Watch = Callable[[Progress], None]


class Study:
    """One study in one folder. Making it again in the same folder goes on where it stood.

    Args:
        config: a validated configuration; or give its fields as keyword arguments.
        runs: folder of all studies; this one lies in runs/<study name>.
        settings: fields of `StudyConfig`, raw: Study(budget="20", sampler="random").

    Raises:
        InputError: bad input, named; or a configuration that differs from the folder's.
        LedgerCorrupt: the folder's ledger does not verify.
    """

    def __init__(
        self, config: StudyConfig | None = None, runs: str | Path = "runs", **settings_: object
    ) -> None:
        self.config = config or settings.make_config(settings_)
        self.folder = Path(runs) / self.config.study
        data = None
        if not (self.folder / "study.json").exists():
            data = rehearse(self.config, Path(runs))  # bad input leaves no study behind
        claim(self.folder, self.config)
        self.world: World = build(self.config, self.folder, data)
        self.journal = Journal(self.folder / "journal.jsonl")
        self._optuna = _open_optuna(self.folder / "optuna.sqlite", self.config.study)
        self._check_ground()
        self._watch: Watch = lambda progress: None

    def _check_ground(self) -> None:
        """Refuse orders, images or a crowd that changed behind the same configuration."""
        for bought in self._purchases():
            if self.world.store.record(bought.order) is None:
                raise LedgerCorrupt(
                    str(self.folder / "labelworth.sqlite"),
                    f"an order of plan {bought.outcome.plan.key} that was paid for is missing",
                )
        ground = {"--data": self.world.data.key(), "--scenario": self.world.market.name}
        known = self._optuna.user_attrs.get("ground")
        if known is None:
            self._optuna.set_user_attr("ground", ground)
            return
        for name, content in ground.items():
            if known[name] != content:
                raise InputError(
                    f"{name}: its content changed since study {self.config.study!r} was started; "
                    "bring it back, or start another study with --study NAME"
                )

    # --- the answer -----------------------------------------------------------------------------

    def run(self, watch: Watch | None = None) -> dict[str, Any]:
        """Search until a reason to stop, then write and return the report.

        Args:
            watch: called whenever something changed, for a live line.
        """
        self._watch = watch or self._watch
        self._optuna.set_user_attr("stopped", "")
        self._say("looking at the images")
        self.world.features  # noqa: B018 - whatever is wrong with them shows before money moves
        self._finish_running()
        while (reason := self._reason_to_stop()) is None:
            self._step()
        self._say("measuring the recommended plan on the final images")
        self._optuna.set_user_attr("stopped", reason)
        self._measure_final()
        report = self.report()
        write_atomic(self.folder / "report.json", to_json(report).encode())
        self.journal.write("answer", f"{len(self.outcomes())} plans", {"stopped": reason})
        return report

    def report(self) -> dict[str, Any]:
        """The report of what is stored now. Buys and trains nothing."""
        stopped = self._optuna.user_attrs.get("stopped")
        best, final = self.recommend(), None
        if best is not None and stopped:
            final = self._optuna.user_attrs.get("final", {}).get(self._final_key(best))
        return build_report(
            self.world, self.outcomes(), self._purchases(), stopped or "not finished", final
        )

    def front(self) -> list[Outcome]:
        """Evaluated plans that no other plan beats in accuracy and price tag."""
        return pareto_front(self.outcomes())

    def recommend(self) -> Outcome | None:
        """The plan to buy, on what is known so far."""
        return recommend(self.outcomes())

    def outcomes(self) -> list[Outcome]:
        """Every plan evaluated so far, once, in the order of evaluation."""
        found = [outcome_from_plain(t.user_attrs["outcome"]) for t in self._complete()]
        return list({outcome.plan.key: outcome for outcome in found}.values())

    def close(self) -> None:
        """Close the market's pools and let go of the databases."""
        self.world.close()

    def _final_key(self, best: Outcome) -> str:
        """A plan and the state of its condition: more answers there may change its labels."""
        condition = self.world.condition(best.plan)
        return f"{best.plan.key}/{len(self.world.store.orders(condition))}"

    def _measure_final(self) -> None:
        best = self.recommend()
        known = dict(self._optuna.user_attrs.get("final", {}))
        if best is not None and self._final_key(best) not in known:
            known[self._final_key(best)] = final_score(best.plan, self.world)
            self._optuna.set_user_attr("final", known)

    # --- the loop -------------------------------------------------------------------------------

    def _trials(self) -> list[optuna.trial.FrozenTrial]:
        return self._optuna.get_trials(deepcopy=False)

    def _complete(self) -> list[optuna.trial.FrozenTrial]:
        return [t for t in self._trials() if t.state.name == "COMPLETE"]

    def _purchases(self) -> list[Purchase]:
        return [
            Purchase(
                outcome_from_plain(t.user_attrs["outcome"]),
                t.user_attrs["order"],
                t.user_attrs["version"],
            )
            for t in self._complete()
            if t.user_attrs["bought"]
        ]

    def _refusals(self) -> list[optuna.trial.FrozenTrial]:
        """Refused trials since the last complete one, in order."""
        refused: list[optuna.trial.FrozenTrial] = []
        for trial in self._trials():
            if trial.state.name == "COMPLETE":
                refused = []
            elif trial.state.name == "FAIL" and "refused" in trial.user_attrs:
                refused.append(trial)
        return refused

    def _say(self, doing: str) -> None:
        money = self.world.ledger.balance()
        self._watch(
            Progress(
                doing,
                len(self._purchases()),
                self.recommend(),
                money.spent,
                money.held,
                money.left,
            )
        )

    def _finish_running(self) -> None:
        """Finish trials that a crash left running if they have an order, else give them up."""
        for left in self._trials():
            if left.state.name != "RUNNING":
                continue
            attrs = left.user_attrs
            plan = plan_from_plain(attrs["plan"]) if "plan" in attrs else None
            if plan is not None and "refused" not in attrs and self._has_order(plan):
                self._finish(_reopen(self._optuna, left), plan, attrs["bought"])
            else:
                self._fail(left.number)
        for order in self.world.store.unfinished():
            self._adopt(order.condition.key)

    def _has_order(self, plan: LabelPlan) -> bool:
        order = self.world.lacking(plan)
        return order is None or self.world.store.record(order.key) is not None

    def _adopt(self, condition: str) -> None:
        """Complete an order whose trial is gone (Optuna's file is younger than the orders)."""
        for plan in self.world.space.plans:
            if self.world.condition(plan).key == condition:
                buy(plan, self.world)
                return

    def _reason_to_stop(self) -> str | None:
        world = self.world
        if world.ledger.overrun:
            return "a settlement came out above its hold; nothing more is bought"
        if self.config.trials is not None and len(self._purchases()) >= self.config.trials:
            return f"--trials {self.config.trials} purchases are made"
        if len(self._refusals()) >= REFUSALS:
            return f"{REFUSALS} plans in a row could not be bought"
        left = world.ledger.left()
        # Whole plans first: most stops are ruled out without asking what is owned.
        plans = sorted(self._unevaluated(), key=lambda plan: world.list_price(plan).hold)
        holds = []
        for plan in plans:
            offer = world.to_buy(plan)
            if offer.answers and offer.hold <= left:
                return None
            if offer.answers:
                holds.append(offer.hold)
        if not holds:
            return "every plan inside the limits is evaluated"
        return f"budget used up: the cheapest plan left reserves {min(holds)}, {left} is left"

    def _unevaluated(self) -> list[LabelPlan]:
        seen = {outcome.plan.key for outcome in self.outcomes()}
        return [
            plan
            for plan in self.world.space.plans
            if plan.key not in seen and self.world.inside_limits(plan) is None
        ]

    def _step(self) -> None:
        trial = self._ask()
        plan = self.world.space.plan_of(trial.params)
        refusal = self._refusal(plan)
        if refusal is not None:
            self._refuse(trial, plan, *refusal)
            return
        bought = self.world.to_buy(plan).answers > 0
        trial.set_user_attr("bought", bought)
        trial.set_user_attr("plan", plan_to_plain(plan))
        self._say(f"{'buying' if bought else 'evaluating'} {plan.key}")
        self._finish(trial, plan, bought)

    def _ask(self) -> optuna.Trial:
        """The next trial: the stand-in of the last refused one, or a fresh sampler's draw.

        The sampler is seeded by the number of complete trials (and refusals since), so that a
        study that was killed asks for the same plan again.
        """
        refusals = self._refusals()
        instead = refusals[-1].user_attrs["refused"]["instead"] if refusals else None
        if instead is not None:
            params = self.world.space.params_of(plan_from_plain(instead))
            waiting = any(t.state.name == "WAITING" for t in self._trials())
            if not waiting:
                self._optuna.enqueue_trial(params)
        seed = derive(self.config.seed, "sampler", len(self._complete()), len(refusals))
        self._optuna.sampler = make_sampler(self.config.sampler, seed)
        return self._optuna.ask(self.world.space.distributions())

    def _refusal(self, plan: LabelPlan) -> tuple[str, LabelPlan | None] | None:
        """Why a plan cannot be the next purchase, and which plan to take instead, if any."""
        outside = self.world.inside_limits(plan)
        if outside is not None:
            patient = len(self._refusals()) % _PATIENCE < _PATIENCE - 1
            return outside, None if patient else self._nearest_affordable(plan)
        if plan.key in {outcome.plan.key for outcome in self.outcomes()}:
            return "is evaluated already", self._nearest_affordable(plan)
        hold, left = self.world.to_buy(plan).hold, self.world.ledger.left()
        if hold > left:
            return f"reserves {hold}, {left} is left", self._nearest_affordable(plan)
        return None

    def _nearest_affordable(self, plan: LabelPlan) -> LabelPlan | None:
        left = self.world.ledger.left()
        quotes = [(other, self.world.to_buy(other)) for other in self._unevaluated()]
        candidates = [other for other, quote in quotes if quote.answers and quote.hold <= left]
        return self.world.space.nearest(plan, candidates)

    def _refuse(
        self, trial: optuna.Trial, plan: LabelPlan, why: str, instead: LabelPlan | None
    ) -> None:
        stand_in = plan_to_plain(instead) if instead else None
        trial.set_user_attr("refused", {"plan": plan.key, "why": why, "instead": stand_in})
        self._fail(trial.number)

    def _fail(self, number: int) -> None:
        from optuna.trial import TrialState

        self._optuna.tell(number, state=TrialState.FAIL)

    def _finish(self, trial: optuna.Trial, plan: LabelPlan, bought: bool) -> None:
        try:
            outcome = run_trial(plan, self.world)
        except BudgetExceeded as error:
            self._refuse(trial, plan, f"another worker took the money: {error}", None)
            return
        facts = outcome_to_plain(outcome)
        trial.set_user_attr("outcome", facts)
        if bought:
            version = save_version(plan, self.world)
            trial.set_user_attr("version", version)
            order = self.world.store.orders(self.world.condition(plan))[-1].order
            trial.set_user_attr("order", order.key)
            facts = {**facts, "version": version, "order": order.key}
        self._optuna.tell(trial, [outcome.accuracy, outcome.price_tag.dollars])
        self.journal.write("purchase" if bought else "evaluation", plan.key, facts)
        self._say(f"done {plan.key}")


def open_study(folder: Path) -> Study:
    """The study in a folder, as it was configured.

    Raises:
        InputError: there is no study in the folder.
    """
    config = read_config(folder)
    return Study(config, folder.parent)


def _reopen(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> optuna.Trial:
    """A running trial of an earlier process, to be told by this one."""
    import optuna

    return optuna.Trial(study, trial._trial_id)


def _open_optuna(path: Path, name: str) -> optuna.Study:
    import sqlite3

    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")  # a property of the file; one sync a commit
    database.close()
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    return optuna.create_study(
        storage=storage,
        study_name=name,
        directions=["maximize", "minimize"],
        load_if_exists=True,
    )

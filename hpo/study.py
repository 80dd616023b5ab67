"""A study: ask for a plan, buy it, tell what it gave, until there is a reason to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.errors import BudgetExceeded, InputError, LedgerCorrupt
from budget.money import ZERO, Money
from hpo import config as settings
from hpo import confirm
from hpo.advice import Advisor
from hpo.answer import build_report
from hpo.beside import look_beside, tell_beside
from hpo.config import StudyConfig
from hpo.folder import claim, read_config, to_json, write_atomic
from hpo.forecast import Forecast
from hpo.front import pareto_front
from hpo.labels import views_to_plain
from hpo.merged import merged_today
from hpo.recommend import Estimates, recommend, shrink
from hpo.sampler import OURS, make_sampler
from hpo.search import Decision, Searcher
from hpo.seeds import derive, generator
from hpo.tracking.journal import Journal
from hpo.tracking.story import Story
from hpo.trial import (
    Outcome,
    buy,
    evaluate,
    final_score,
    fit_plan,
    outcome_to_plain,
    plan_from_plain,
    plan_to_plain,
    run_trial,
)
from hpo.trials import Trials
from hpo.versioning import save_version
from hpo.world import World, build, rehearse
from labeling.types import STOPPED, LabelPlan

if TYPE_CHECKING:
    import optuna

REFUSALS = 20  # in a row: the sampler finds nothing that can be bought
REPEATS = 3  # repeat draws behind every plan of the front
_DRAWS = 2  # repeat draws of a contained plan during the search
_MOST_POLISHED = 40  # evaluations after the search
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
        self.story = Story(self.journal, self.world)
        file = self.folder / "optuna.sqlite"
        self.trials = Trials(file, self.config.study, self.world.space)
        self._check_ground()
        self._watch: Watch = lambda progress: None
        self._searcher = Searcher(self.world)
        self._decision = Decision(None)

    def _check_ground(self) -> None:
        """Refuse orders, images or a crowd that changed behind the same configuration."""
        for bought in self.trials.purchases():
            if self.world.store.record(bought.order) is None:
                raise LedgerCorrupt(
                    str(self.folder / "labelworth.sqlite"),
                    f"an order of plan {bought.outcome.plan.key} that was paid for is missing",
                )
        ground = {"--data": self.world.data.key(), "--scenario": self.world.market.name}
        known = self.trials.attr("ground")
        if known is None:
            self.trials.keep("ground", ground)
            return
        for name, content in ground.items():
            if known[name] != content:
                raise InputError(
                    f"{name}: its content changed since study {self.config.study!r} was started; "
                    "bring it back, or start another study with --study NAME"
                )

    # --- the answer -----------------------------------------------------------------------------

    def run(self, watch: Watch | None = None, real_money: bool = False) -> dict[str, Any]:
        """Search until a reason to stop, then write and return the report.

        Args:
            watch: called whenever something changed, for a live line.
            real_money: confirms that a study on Toloka may spend up to its cap.

        Raises:
            InputError: it would spend real money, and that was not confirmed.
        """
        if self.world.market.kind == "toloka" and not real_money:
            raise InputError(
                f"--market toloka: spends up to {self.config.budget} of real money; confirm it "
                "with run(real_money=True)"
            )
        self._watch = watch or self._watch
        self.trials.keep("stopped", "")
        self._record_views()
        self._say("looking at the images")
        self.world.features  # noqa: B018 - whatever is wrong with them shows before money moves
        self.story.begin(self.trials)
        self.world.sweep()
        self._finish_running()
        self._reuse()
        while (reason := self._reason_to_stop()) is None:
            self._step()
            self._reuse()
        self.trials.keep("stopped", reason)
        self._polish()
        self._say("measuring the recommended plan on the final images")
        self._measure_final()
        self._keep_front()
        self._confirm()
        self._measure_merged()
        self._look_beside()
        report = self.report()
        write_atomic(self.folder / "report.json", to_json(report).encode())
        front = self.front()
        versions = self._front_versions(front)
        rows = [{**outcome_to_plain(o), "version": versions[o.plan.key]} for o in front]
        self.story.answer(report, rows)
        return report

    def _record_views(self) -> None:
        """Say in the search's database and in the journal which views the trials use."""
        for name, view in views_to_plain(self.config).items():
            if view is not None:
                self.trials.keep(name, view)
                self.journal.write(name, view["version"], view)

    def report(self) -> dict[str, Any]:
        """The report of what is stored now. Buys and trains nothing."""
        stopped = self.trials.attr("stopped")
        best, final = self.recommend(), None
        if best is not None and stopped:
            final = self.trials.known("final").get(self._final_key(best))
        plans, bought = self.estimates().plans, self.trials.purchases()
        world = self.world.own()
        report = build_report(world, plans, bought, stopped or "not finished", final)
        confirmation = self._confirmation(best) if best and stopped else None
        beside = self.trials.known("beside").get(self._beside_key(best))
        report = {**report, "confirmation": confirmation, "advice": self.advisor().all()}
        versions = self._front_versions(pareto_front(plans))
        for row in report["front"]:
            row["version"] = versions.get(row["plan"]["key"])
        report["all_labels_merged"] = self.trials.known("merged").get(self._merged_key())
        return tell_beside(report, beside if stopped else None, world)

    def advisor(self) -> Advisor:
        """What to make of everything evaluated so far."""
        world = self.world.own()
        searcher = self._searcher if world is self.world else Searcher(world)
        surrogate = searcher.surrogate(self.outcomes())
        return Advisor(searcher, surrogate, self.estimates(), world.ledger.spent())

    def forecast(self, dollars: float) -> Forecast | None:
        """What the best plan at a price tag of some dollars would give, with its interval.

        None while the front is too short for a curve.
        """
        return self.advisor().forecast(dollars)

    def estimates(self) -> Estimates:
        """Every evaluated plan with the accuracy that it has on average over purchases.

        What was measured is shrunk by the surrogate, so that the luckiest is not taken for best.
        """
        outcomes = self.outcomes()
        surrogate = self._searcher.surrogate(outcomes)
        return shrink(outcomes, surrogate, generator(self.config.seed, "estimates"))

    def front(self) -> list[Outcome]:
        """Evaluated plans that no other plan is expected to beat in accuracy and price tag."""
        return pareto_front(self.estimates().plans)

    def recommend(self) -> Outcome | None:
        """The plan to buy, on what is known so far."""
        return recommend(self.estimates().plans)

    def outcomes(self) -> list[Outcome]:
        """Every plan evaluated so far, once, as it was measured last."""
        return self.trials.outcomes()

    def close(self) -> None:
        """Close the market's pools and let go of the databases."""
        self.world.close()

    def _final_key(self, best: Outcome) -> str:
        """A plan and the state of its condition: more answers there may change its labels."""
        condition = self.world.condition(best.plan)
        return f"{best.plan.key}/{len(self.world.own().store.orders(condition))}"

    def _measure_final(self) -> None:
        best = self.recommend()
        known = self.trials.known("final")
        if best is not None and self._final_key(best) not in known:
            known[self._final_key(best)] = final_score(fit_plan(best.plan, self.world), self.world)
            self.trials.keep("final", known)

    def _front_versions(self, front: list[Outcome]) -> dict[str, str]:
        """The label versions of the front's plans that have one, by plan."""
        kept = self.trials.known("front versions")
        found = {o.plan.key: kept.get(self._final_key(o)) for o in front}
        found |= {p.outcome.plan.key: p.version for p in self.trials.purchases()}
        return {o.plan.key: version for o in front if (version := found[o.plan.key])}

    def _keep_front(self) -> None:
        """Keep the labels and models of the front's plans that were evaluated for nothing."""
        front, kept = self.front(), self.trials.known("front versions")
        known = self._front_versions(front)
        for outcome in front:
            if outcome.plan.key not in known:
                trained = fit_plan(outcome.plan, self.world)
                kept[self._final_key(outcome)] = save_version(trained, self.world)
                self.trials.keep("front versions", kept)

    def _merged_key(self) -> str:
        orders = [record.order for record in self.world.own().store.all_orders()]
        return str(sum(order.condition.price != ZERO for order in orders))  # not own labels

    def _measure_merged(self) -> None:
        """What the labels owned, merged over conditions, give today."""
        best, known = self.recommend(), self.trials.known("merged")
        if best is not None and self._merged_key() not in known:
            known[self._merged_key()] = merged_today(best.plan, self.world.own())
            self.trials.keep("merged", known)

    def _beside_key(self, best: Outcome | None) -> str:
        return f"{best.plan.key if best else 'none'}/{self.world.ledger.cap.micros}"

    def _look_beside(self) -> None:
        best, known = self.recommend(), self.trials.known("beside")
        key = self._beside_key(best)
        if key not in known:
            self._say("looking beside the answer")
            found = look_beside(best.plan if best else None, self.world, self.folder.parent)
            known[key] = found
            self.trials.keep("beside", known)

    # --- the loop -------------------------------------------------------------------------------

    def _confirm(self) -> None:
        """Buy the recommended plan again, as far as the money kept for it bears."""
        best = self.recommend()
        if best is None:
            return
        part = confirm.planned(best.plan, self.world, self.trials)
        done, key = self.trials.known("confirmed"), confirm.key_of(best.plan, self.world)
        if part is not None and key not in done:
            self._say("buying the recommended plan again from fresh annotators")
            done[key] = confirm.confirm(best.plan, part, self.world)
            self.trials.keep("confirmed", done)
            self.story.confirmation(key, done[key])

    def _confirmation(self, best: Outcome) -> dict[str, Any] | None:
        """What the confirmation of the recommended plan says; None without one."""
        done = self.trials.known("confirmed").get(confirm.key_of(best.plan, self.world))
        if not done:
            return None
        surrogate = self._searcher.surrogate(self.outcomes())
        rng = generator(self.config.seed, "confirmed")
        said = confirm.confirmed(best.plan, done, surrogate, self.config.suite_size, rng)
        return {**said, "search_estimate": best.accuracy}

    def _left(self) -> Money:
        """Money that the search may still spend: not what is kept for the confirmation."""
        return max(ZERO, self.world.ledger.left() - confirm.reserved(self.world))

    def _say(self, doing: str) -> None:
        money = self.world.ledger.balance()
        self._watch(
            Progress(
                doing,
                len(self.trials.purchases()),
                self.recommend(),
                money.spent,
                money.held,
                money.left,
            )
        )

    def _finish_running(self) -> None:
        """Finish trials that a crash left running if they have an order, else give them up."""
        for left in self.trials.all():
            if left.state.name != "RUNNING":
                continue
            attrs = left.user_attrs
            plan = plan_from_plain(attrs["plan"]) if "plan" in attrs else None
            if plan is not None and "refused" not in attrs and self._has_order(plan):
                self._finish(self.trials.reopen(left), plan, attrs["bought"])
            else:
                self.trials.fail(left.number)
        confirm.finish_orders(self.world)
        for order in self.world.store.unfinished():
            self._adopt(order.condition.key)

    def _has_order(self, plan: LabelPlan) -> bool:
        order, store = self.world.lacking(plan), self.world.store
        if order is None or store.record(order.key) is not None:
            return True
        records = store.orders(self.world.condition(plan))
        return bool(records and records[-1].end and records[-1].end.reason == STOPPED)

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
        if self.config.trials is not None and len(self.trials.purchases()) >= self.config.trials:
            return f"--trials {self.config.trials} purchases are made"
        if len(self.trials.refusals()) >= REFUSALS:
            return f"{REFUSALS} plans in a row could not be bought"
        if self.config.sampler in OURS:
            decide = {"money": self._searcher.decide, "rule": self._searcher.decide_by_rule}
            self._decision = decide[self.config.sampler](self.trials.searched(), self._left())
            return self._decision.why if self._decision.plan is None else None
        return self._nothing_affordable()

    def _nothing_affordable(self) -> str | None:
        left, holdings = self._left(), self._searcher.holdings
        holdings.refresh()
        quotes = [holdings.to_buy(plan) for plan in self._unevaluated()]
        holds = [quote.hold for quote in quotes if quote.answers]
        if not holds:
            return "every plan inside the limits is evaluated"
        if min(holds) <= left:
            return None
        return f"budget used up: the cheapest plan left reserves {min(holds)}, {left} is left"

    def _unevaluated(self) -> list[LabelPlan]:
        seen = {outcome.plan.key for outcome in self.trials.searched()}
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
        refusals = self.trials.refusals()
        instead = refusals[-1].user_attrs["refused"]["instead"] if refusals else None
        if instead is not None:
            self.trials.enqueue(plan_from_plain(instead))
        seed = derive(self.config.seed, "sampler", len(self.trials.complete()), len(refusals))
        self.trials.study.sampler = make_sampler(
            self.config.sampler, seed, self.world.space, self._chosen
        )
        return self.trials.study.ask(self.world.space.distributions())

    def _chosen(self) -> LabelPlan:
        if self._decision.plan is None:
            raise AssertionError("asked for a plan after the search had ended")
        return self._decision.plan

    def _refusal(self, plan: LabelPlan) -> tuple[str, LabelPlan | None] | None:
        """Why a plan cannot be the next purchase, and which plan to take instead, if any."""
        outside = self.world.inside_limits(plan)
        if outside is not None:
            patient = len(self.trials.refusals()) % _PATIENCE < _PATIENCE - 1
            return outside, None if patient else self._nearest_affordable(plan)
        if plan.key in {outcome.plan.key for outcome in self.trials.searched()}:
            return "is evaluated already", self._nearest_affordable(plan)
        hold, left = self.world.to_buy(plan).hold, self._left()
        if hold > left:
            return f"reserves {hold}, {left} is left", self._nearest_affordable(plan)
        return None

    def _nearest_affordable(self, plan: LabelPlan) -> LabelPlan | None:
        left, holdings = self._left(), self._searcher.holdings
        holdings.refresh()
        quotes = [(other, holdings.to_buy(other)) for other in self._unevaluated()]
        candidates = [other for other, quote in quotes if quote.answers and quote.hold <= left]
        return self.world.space.nearest(plan, candidates)

    def _refuse(
        self, trial: optuna.Trial, plan: LabelPlan, why: str, instead: LabelPlan | None
    ) -> None:
        stand_in = plan_to_plain(instead) if instead else None
        trial.set_user_attr("refused", {"plan": plan.key, "why": why, "instead": stand_in})
        self.trials.fail(trial.number)

    # --- evaluations that cost nothing ----------------------------------------------------------

    def _reuse(self) -> None:
        """Evaluate contained plans of the last purchase's condition that can still matter."""
        while not self.config.no_reuse and (plan := self._next_contained()) is not None:
            self._add(plan, _DRAWS, after_search=False)

    def _next_contained(self) -> LabelPlan | None:
        trials = self.trials.complete()
        bought = [i for i, trial in enumerate(trials) if trial.user_attrs["bought"]]
        if not bought:
            return None
        latest = plan_from_plain(trials[bought[-1]].user_attrs["outcome"]["plan"])
        return self._searcher.free(self.trials.searched(), latest, len(trials) - 1 - bought[-1])

    def _polish(self) -> None:
        """Evaluate what is expected on the front, and measure the front's plans repeatedly."""
        while (plan := self._next_to_polish()) is not None:
            self._add(plan, REPEATS, after_search=True)

    def _next_to_polish(self) -> LabelPlan | None:
        if self.trials.after_last_search() >= _MOST_POLISHED:
            return None
        outcomes = self.outcomes()
        if outcomes and not self.config.no_reuse:
            missing = self._searcher.missing_from_front(outcomes)
            if missing is not None:
                return missing
        return next((o.plan for o in self.front() if o.draws < REPEATS), None)

    def _add(self, plan: LabelPlan, draws: int, after_search: bool) -> None:
        """Evaluate an owned plan and add it as a trial, in one commit."""
        self._say(f"evaluating {plan.key}, owned already")
        if plan.overlap == self._owned_overlap(plan) and not after_search:
            draws = 1  # there is one subset of its answers
        outcome = evaluate(plan, self.world, draws)
        self.story.evaluation(self.trials.add(outcome, after_search))

    def _owned_overlap(self, plan: LabelPlan) -> int:
        records = self._searcher.holdings.records(plan)
        return max((record.overlap for record in records), default=plan.overlap)

    def _finish(self, trial: optuna.Trial, plan: LabelPlan, bought: bool) -> None:
        try:
            outcome, trained = run_trial(plan, self.world)
        except BudgetExceeded as error:
            self._refuse(trial, plan, f"another worker took the money: {error}", None)
            return
        facts = outcome_to_plain(outcome)
        trial.set_user_attr("outcome", facts)
        if bought:
            version = save_version(trained, self.world)
            trial.set_user_attr("version", version)
            order = self.world.store.orders(self.world.condition(plan))[-1].order.key
            trial.set_user_attr("order", order)
        self.trials.study.tell(trial, [outcome.accuracy, outcome.price_tag.dollars])
        if bought:
            self.story.purchase(facts, version, order)
        else:
            self.story.evaluation(facts)
        self._say(f"done {plan.key}")


def open_study(folder: Path) -> Study:
    """The study in a folder, as it was configured.

    Raises:
        InputError: there is no study in the folder.
    """
    config = read_config(folder)
    return Study(config, folder.parent)

"""The next step after a study: buy its plan for the rest of the pool, or for new images.

A purchase has an account of its own, with its own cap, in the study's ledger database, and its
orders lie in the study's store: nothing that is owned is bought again, and the study's own money
and answer stay as they are. Running the same command again goes on, or changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.files import private_folder, write_whole
from budget.ledger import Balance, Ledger, accounts_of
from budget.money import ZERO, Money
from budget.tariffs.wages import EVERYBODY
from hpo.data.new_images import with_new_images
from hpo.market.quote import Quote
from hpo.settings.config import StudyConfig
from hpo.settings.market_kinds import KINDS
from hpo.settings.run_folder import read_config, runs_of
from hpo.settings.stored_answer import read_report, to_json
from hpo.study.delivery.delivery import deliver
from hpo.study.journal import BOUGHT, StudyJournal
from hpo.study.logs.log import logged
from hpo.study.pools import look
from hpo.trial import spending
from hpo.trial.purchase import DELIVERED, apart, buy
from hpo.trial.trainer import Trainer
from hpo.trial.versions.merged_labels import Final, make_final
from hpo.trial.world import World, build, cache_of, features_of
from labeling.campaign.templates import advised_plan
from labeling.types import LabelPlan

FOLDER, LABELS = "bought", "labels"


@dataclass(frozen=True, slots=True)
class Wish:
    """The purchase that the command line asks for.

    Attributes:
        plan: a plan's key, "advised" for the campaign's own, or None for the recommended one.
        tasks: a number of tasks, or None for all.
        budget: the purchase's cap; None for the most that the plan can cost.
        images: new images (folder:DIR or npz:FILE) instead of the rest of the pool.
        labels: CSV of the new images.
        minutes: deadline of the order; None for none.
    """

    plan: str | None = None
    tasks: int | None = None
    budget: Money | None = None
    images: str | None = None
    labels: str | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class NextPurchase:
    """A purchase that is prepared, and the money that it may spend.

    Attributes:
        world: the study's, with the purchase's account for a ledger once there is one.
        plan: what is bought.
        quote: what it still lacks.
        cap: the most that may be spent, what was spent before included.
        account: the account's name.
        before: what the account amounted to before; None where it is new.
        study_pool: rows of the study's own pool.
        delivers: whether it goes on with the labels that the study delivers, where they are least
            sure, until the cap is used up; else it buys the plan.
    """

    world: World
    plan: LabelPlan
    quote: Quote
    cap: Money
    account: str
    before: Balance | None
    study_pool: tuple[int, ...]
    delivers: bool = False

    @property
    def folder(self) -> Path:
        """Where its report and model go."""
        return self.world.folder / FOLDER / self.account.partition("/")[2]

    @property
    def owned(self) -> int:
        """Tasks for which nothing is bought."""
        order = self.world.prices.lacking(self.plan)
        return self.plan.tasks - (len(order.wanted) if order else 0)


def prepare(folder: Path, wish: Wish, trainer: Trainer | None = None) -> NextPurchase:
    """Look at what is owned and say what would be bought. Buys and writes nothing.

    Args:
        folder: the study's.
        wish: what to buy.
        trainer: fits the final model; None for the study's cross-validated heads.

    Raises:
        InputError: no study or no answer there, or a wish that cannot be; the remedy is named.
    """
    config = read_config(folder)
    if not config.market_kind.sells_again:
        others = ", ".join(kind.usage for kind in KINDS if kind.sells_again)
        raise InputError(
            f"{folder}: its answers are a recording, from which nothing more can be bought; "
            f"start a study with another --market ({others})"
        )
    plan = _wished(folder, config, wish)
    delivers = _goes_on(folder, wish)
    world, study_pool = _world(folder, config, plan, wish, trainer)
    plan = replace(plan, tasks=_tasks(wish, len(world.pool)))
    name = plan.key if wish.images is None else f"{plan.key}-{world.market.data[:8]}"
    name = LABELS if delivers else name
    account = f"{config.study}/{name}"
    has_account = account in accounts_of(world.database, config.study)
    before = Ledger.open(world.database, account).balance() if has_account else None
    quote = world.prices.to_buy(plan)
    cap = wish.budget or (before.cap if before else quote.hold)
    if delivers:
        cap = _cap_of_labels(wish, before)
    elif before is None and not quote.answers:
        cap = ZERO  # all is owned: nothing to open an account for
    else:
        _check_cap(before, cap, quote, plan)
    return NextPurchase(world, plan, quote, cap, account, before, study_pool, delivers)


def carry_out(purchase: NextPurchase, say: Callable[[str], None]) -> dict[str, Any]:
    """Buy, label, train and write the report. Once more: the same report, and nothing is bought.

    Args:
        purchase: from `prepare`.
        say: told in a few words what is going on.
    """
    with logged(purchase.world.folder):
        return _carried_out(purchase, say)


def _carried_out(purchase: NextPurchase, say: Callable[[str], None]) -> dict[str, Any]:
    world = purchase.world
    if purchase.cap > ZERO:  # else everything is owned, and there is no account to open
        ledger = Ledger.open(world.database, purchase.account, purchase.cap)
        world = world.but(ledger=ledger)
        for line in look(world):
            say(line)
        if purchase.delivers:
            with apart(world, DELIVERED).buying(purchase.plan, lambda who: say(_waits_for(who))):
                say(f"ended: {deliver(purchase.plan, world, say, world)}")
        else:
            say(f"buying {purchase.plan.key}")
            buy(purchase.plan, world)
    say("training on all labels owned")
    final = make_final(purchase.plan, world, purchase.study_pool)
    report = _report(purchase, world, final)
    private_folder(purchase.folder)
    write_whole(purchase.folder / "model.safetensors", final.model)
    write_whole(purchase.folder / "report.json", to_json(report).encode())
    journal = StudyJournal(world.folder / "journal.jsonl")
    journal.write(BOUGHT, f"{purchase.account} {purchase.cap.micros}", report)
    return report


def _waits_for(who: str) -> str:
    return f"waiting: process {who} buys in the same condition"


# --- what is wished ---


def _goes_on(folder: Path, wish: Wish) -> bool:
    """Whether nothing is wished for but more of the labels that the study delivers."""
    report = read_report(folder)
    is_plain = wish.plan is None and wish.images is None and wish.tasks is None
    return bool(is_plain and report and report["delivery"])


def _cap_of_labels(wish: Wish, before: Balance | None) -> Money:
    """The cap of a purchase of further labels.

    Raises:
        InputError: none is given, or one below that of before.
    """
    if wish.budget is None and before is None:
        raise InputError(
            "--budget: how much may be spent on further labels? Give dollars, such as --budget 5"
        )
    cap = wish.budget or (before.cap if before else ZERO)
    _check_not_lowered(before, cap)
    return cap


def _check_not_lowered(before: Balance | None, cap: Money) -> None:
    if before is not None and cap < before.cap:
        raise InputError(
            f"--budget: this purchase has a cap of {before.cap}; it can be raised, not lowered "
            f"to {cap}"
        )


def _wished(folder: Path, config: StudyConfig, wish: Wish) -> LabelPlan:
    if wish.plan == "advised":
        advised = advised_plan(config.campaign) if config.campaign else None
        if advised is None:
            raise InputError("--plan: advised: the study's campaign names no plan in [plan]")
        return LabelPlan(advised.price, advised.overlap, advised.controls, 1, advised.exam)
    if wish.plan is not None:
        return LabelPlan.parse(wish.plan, "--plan")
    report = read_report(folder)
    if report and report["delivery"]:
        return LabelPlan.parse(report["delivery"]["plan"]["key"])
    best = report["recommended"] if report else None
    if best is None:
        raise InputError(
            f"{folder}: the study recommends no plan yet; let it end, or name one with --plan"
        )
    return LabelPlan.parse(best["plan"]["key"])


def _world(
    folder: Path, config: StudyConfig, plan: LabelPlan, wish: Wish, trainer: Trainer | None
) -> tuple[World, tuple[int, ...]]:
    """A world in which the plan is the whole space, and the rows of the study's own pool."""
    from hpo.data.dataset import load

    alone = replace(
        config,
        price=(plan.price,),
        overlap=() if plan.dynamic else (plan.overlap,),
        dynamic_overlap=(plan.dynamic,) if plan.dynamic else (),
        controls=(plan.controls,),
        tasks=("100%",),
        exam=(plan.exam,),
        prelabel=(plan.prelabel,),
        group=(plan.group or EVERYBODY,),
        max_minutes=wish.minutes,
    )
    data = load(config, folder, cache_of(runs_of(folder)))
    pool = tuple(int(row) for row in data.rows["pool"])
    if wish.images is not None:
        # Larger images must not turn "auto" into another backbone, or its input into a larger one.
        own = features_of(config, data, runs_of(folder))
        alone = replace(alone, backbone=own.name, image_size=own.image_size or None)
        data = with_new_images(alone, data, wish.images, wish.labels)
    elif wish.labels is not None:
        raise InputError("--labels: names the images of --images; give both or neither")
    if plan.controls >= config.suite_size:
        raise InputError(f"--plan: {plan.controls} controls fill a suite of {config.suite_size}")
    config.tariff.check_rate(config.rate(plan.price), "--plan")
    world = build(alone, folder, data, trainer=trainer)
    # A machine has answered about the study's own images alone.
    return (world if wish.images is None else world.but(machine=None)), pool


def _tasks(wish: Wish, pool: int) -> int:
    if wish.tasks is None:
        return pool
    if wish.tasks > pool:
        raise InputError(f"--tasks: {wish.tasks} tasks, but there are {pool} images; give fewer")
    return wish.tasks


def _check_cap(before: Balance | None, cap: Money, quote: Quote, plan: LabelPlan) -> None:
    _check_not_lowered(before, cap)
    used = before.spent + before.held if before else ZERO
    if quote.answers and not (before and before.held) and quote.hold + used > cap:
        raise InputError(
            f"--budget: {plan.key} reserves {quote.hold} for what it lacks, {cap - used} is "
            "there; give more, or fewer --tasks"
        )


# --- the report ---


def _report(purchase: NextPurchase, world: World, final: Final) -> dict[str, Any]:
    own = world.own()
    bought = purchase.cap > ZERO
    balance = world.ledger.balance() if bought else None
    parts = spending.of_study(own) if bought else spending.Breakdown()
    records = own.store.all_orders() if bought else []
    return {
        "schema": 1,
        "study": world.config.study,
        "account": purchase.account,
        "plan": purchase.plan.key,
        "market": world.market.said,
        "money": {
            "currency": "USD",
            "cap": purchase.cap.to_json(),
            "spent": (balance.spent if balance else ZERO).to_json(),
            "held": (balance.held if balance else ZERO).to_json(),
            "bought": parts.to_plain(),
        },
        "orders": [
            {
                "tasks": len(record.order.wanted),
                "assignments": record.assignments,
                "assignments_unusable": record.unusable,
                "answers": record.answers,
                "ended": record.end.reason if record.end else "open",
                "answers_missing": record.end.missing if record.end else None,
                "minutes": round(record.end.minutes, 3) if record.end else None,
            }
            for record in records
        ],
        **final.facts,
        "notes": [*world.market.notes, *world.data.notes],
    }

"""Before real money moves: the plan is said, and the amount is typed."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

from budget.errors import InputError, NotConfirmed
from budget.ledger import Balance
from budget.money import ZERO, Money
from hpo.settings.config import StudyConfig


def check_flags(config: StudyConfig, yes: bool, budget_given: bool) -> None:
    """Refuse to go on where the user cannot confirm, before anything else is looked at.

    Args:
        config: the study's configuration.
        yes: --yes was given.
        budget_given: --budget stands on the command line, not in a file.

    Raises:
        InputError: there is neither a terminal nor --yes with --budget.
    """
    if not config.market_kind.real_money:
        return
    if yes and not budget_given:
        raise InputError(
            "--yes: confirms the amount of --budget; give both on the command line, such as "
            "--budget 20 --yes"
        )
    if not yes and not sys.stdin.isatty():
        raise InputError(
            f"--market {config.market}: spends real money, and there is no terminal to confirm it "
            "on; add --yes and --budget DOLLARS to confirm it on the command line"
        )


def confirm(
    config: StudyConfig,
    cap: Money,
    before: Balance | None,
    what: str,
    dearest: Money,
    yes: bool,
    say: Callable[[str], None],
) -> Confirmed:
    """Say what may be spent, see that the account holds it, and have the amount typed.

    Args:
        config: the study's configuration.
        cap: the most that may be spent, with what was spent already.
        before: what the ledger says already; None where there is none yet.
        what: further words on what is bought.
        dearest: the most that a single order may cost, by the study's plans.
        yes: it was confirmed on the command line.
        say: told each line.

    Returns:
        What the account held, for `compare`.

    Raises:
        InputError: no token, a wrong one, or too little money in the account.
        NotConfirmedError: another amount was typed.
    """
    from hpo.market.open import account_of

    spent = before.spent if before else ZERO
    account = account_of(config)
    balance = account.balance
    if balance < cap - spent:
        raise InputError(
            f"{account.name}: the account holds {balance}, but {cap - spent} may be spent; top it "
            "up, or give a smaller --budget"
        )
    so_far = f" ({spent.cents()} of it is spent)" if spent > ZERO else ""
    say(f"This buys at most {cap} on {account.name}, fee included{so_far}: {what}")
    for line in terms(config, account.host, cap - spent, min(dearest, cap - spent)):
        say(line)
    say(f"The account holds {balance}.")
    confirmed = Confirmed(balance, spent, before is None or before.held == ZERO)
    if yes:
        return confirmed
    say(f"Type the amount to confirm, {cap.exact()}, or anything else to leave: ")
    typed = sys.stdin.readline().strip()
    try:
        is_it = Money.parse(typed.removeprefix("$"), "amount") == cap
    except InputError:
        is_it = False
    if not is_it:
        raise NotConfirmed(f"{typed!r} is not {cap.exact()}: nothing was bought")
    return confirmed


def terms(config: StudyConfig, host: str, money: Money, dearest: Money) -> list[str]:
    """What is agreed to beside the amount, in lines.

    Args:
        config: the study's configuration.
        host: where the requests go.
        money: what may still be spent.
        dearest: the most that a single order may cost.
    """
    tariff = config.suite_tariff
    page = min(tariff.cost(1, price * config.suite_size) for price in config.price)
    pages = money.micros // page.micros
    ends = "An order has no deadline of its own"
    if config.max_minutes is not None:
        ends = f"An order ends after {config.max_minutes:g} minutes at the latest"
    return [
        f"The requests go to {host}. The fee is {100 * float(tariff.fee_share):.4g} % of each "
        f"reward, at least {tariff.fee_minimum} a page.",
        f"At most {pages} pages of {config.suite_size} tasks are paid, by at most {pages} people. "
        f"The dearest single order may cost {dearest}. {ends}.",
        "The first order is one page. After it, and after every order, the account is compared "
        "with the ledger; a difference stops the study.",
    ]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Real money was confirmed, with what the account held then.

    Attributes:
        balance: what the account held.
        spent: what the ledger had settled.
        settled: whether no hold was open, under which something may have been paid already.
    """

    balance: Money
    spent: Money
    settled: bool


def compare(config: StudyConfig, before: Confirmed | None, spent: Money) -> str | None:
    """The difference between the account's balance and the ledger in words; None without one.

    Args:
        config: the study's configuration.
        before: from `confirm`; None where no real money moves.
        spent: what the ledger has settled now.
    """
    from hpo.market.open import account_of

    if before is None or not before.settled:
        return None
    taken = before.balance - account_of(config).balance
    settled = spent - before.spent
    if taken == settled:
        return None
    return (
        f"NOTE: the account's balance fell by {taken}, the ledger settled {settled}. If nothing "
        "else was bought or paid in meanwhile, the platform's fee is not what was assumed: see "
        "--fee-share and --fee-minimum before you spend more."
    )


def dearest_order(config: StudyConfig) -> Money:
    """The most that a single order of a study may cost: of its plans, or all where it delivers."""
    from hpo.market.quote import quote_space

    if config.delivers:
        return config.budget
    holds = [item.quote.hold for item in quote_space(config) if item.outside is None]
    return max(holds, default=ZERO)


def trials_line(config: StudyConfig) -> str:
    """The trials that a study's money buys: "about 12 trials of $0.14 to $8.00"."""
    from hpo.market.quote import quote_space

    if config.delivers:
        learning = config.budget.share(config.learn).cents()
        return f"{learning} to learn which plan to buy by, and labels for the rest"
    costs = [item.quote.cost for item in quote_space(config) if item.outside is None]
    if not costs:
        return "no plan is inside the limits"
    low, high = min(costs), max(costs)
    middle = Money(int(statistics.median(cost.micros for cost in costs)))
    search = config.budget - config.confirm_reserve
    count = max(1, search.micros // max(1, middle.micros))
    if config.trials is not None:
        count = min(count, config.trials)
    return f"about {count} trials of {low.cents()} to {high.cents()}"

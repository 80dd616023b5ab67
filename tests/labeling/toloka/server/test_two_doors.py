"""Two doors, one engine: orders bought by plain requests are those bought in process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from budget.tariff import expected_assignments
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, Exam, Question
from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Server, Settings, read_truth, serve, write_truth
from labeling.types import Order

from ...crowd.conftest import Market
from .wire import Answered, Shop, Wire, address

CLASSES = ("loop", "straight", "open")
CAMPAIGN = Campaign(
    "shapes", (Question("shape", "Which?", CLASSES),), "", exam=Exam(tasks=10, pass_correct=9)
)


@dataclass(frozen=True)
class Case:
    """A study's seed and what is bought in one condition, tranche by tranche."""

    seed: int
    scenario: str = "default"
    price: str = "0.002"
    controls: int = 1
    exam: bool = False
    # Tasks, answers on each, limit and deadline of each tranche; None for none.
    tranches: tuple[tuple[int, int, int | None, float | None], ...] = ((60, 3, None, None),)


CASES = [
    Case(0),
    Case(1, "spam-heavy"),
    Case(2, "spam-heavy", controls=2),
    Case(3, "food-campaign", exam=True),
    Case(4, "experts-few", price="0.001", controls=0),
    Case(5, "spam-heavy", exam=True, tranches=((40, 2, None, None), (80, 1, None, None))),
    Case(6, "default", tranches=((90, 3, 15, None), (90, 2, 12, None))),
    Case(7, "default", tranches=((90, 4, None, 2.5), (90, 2, None, 1.5), (90, 1, None, None))),
    Case(8, "slow-supply", tranches=((50, 2, None, 12.0), (50, 1, None, None))),
    Case(9, "price-selection", price="0.006", tranches=((60, 1, None, None), (60, 1, None, None))),
    Case(10, "spam-heavy", controls=3, exam=True, tranches=((70, 3, 24, None), (70, 2, 20, None))),
    Case(11, "hard-items", controls=2, tranches=((30, 5, None, 2.25), (60, 2, 18, 9.0))),
    Case(12, "food-campaign", controls=1, exam=True, tranches=((98, 3, 33, None),)),
]


@pytest.fixture(scope="module")
def doors() -> Iterator[Server]:
    """One server, begun anew for each case."""
    with serve(Settings(load_scenario("default"))) as running:
        yield running


@pytest.fixture
def server(doors: Server) -> Server:
    """The one that `wire` talks to."""
    return doors


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.scenario}-{case.seed}")
def test_the_same_annotators_answer_the_same_by_both_doors(
    case: Case, doors: Server, wire: Wire, tmp_path: Path
) -> None:
    market = _market(case)
    scenario = market.scenario
    source = market.source()
    condition = market.condition(case.price, case.controls, case.exam)
    pool = source.open_pool(condition).pool
    write_truth(
        tmp_path / "truth.json",
        "shape",
        [address(row) for row in range(160)],
        source.items,
    )
    truth = read_truth(tmp_path / "truth.json")
    doors.reset(Settings(scenario, seed=case.seed, truth=truth))
    shop = Shop(
        wire=wire,
        condition=condition,
        classes=CLASSES,
        truth=market.items.truth,
        control_rows=pool.control_rows.tolist() if case.controls else [],
        exam_rows=pool.exam_rows.tolist(),
        pass_correct=CAMPAIGN.exam.pass_correct,
        wrong_controls=CAMPAIGN.rules.wrong_controls,
        fast_seconds=CAMPAIGN.rules.fast_seconds,
        horizon_minutes=scenario.horizon_minutes,
    )
    shop.set_up()
    for tranche, (tasks, answers, limit, minutes) in enumerate(case.tranches):
        order = market.order(
            answers, tranche, limit=limit, minutes=minutes, rows=range(tasks), condition=condition
        )
        wired, in_process = shop.buy(order), _in_process(market, order)
        assert wired.assignments == in_process.assignments
        assert wired.bans == in_process.bans
        assert wired.micros == in_process.micros
        market.ended.append(order)


def test_the_cases_hold_every_way_in_which_an_order_ends() -> None:
    reasons, bans, rounds, failed = set(), 0, 0, 0
    for case in CASES:
        market = _market(case)
        condition = market.condition(case.price, case.controls, case.exam)
        for tranche, (tasks, answers, limit, minutes) in enumerate(case.tranches):
            rows = range(tasks)
            order = market.order(answers, tranche, limit, minutes, rows, condition)
            bought = market.buy(order)
            market.ended.append(order)
            reasons.add(bought.end.reason)
            bans += len(bought.banned)
            failed += bought.end.exam_failed
            listed = expected_assignments(tasks, answers, condition.real_per_suite)
            rounds += len(bought.assignments) > listed + 2
    assert reasons == {"complete", "limit", "deadline"}
    assert min(bans, failed) >= 30
    assert rounds >= 5


def _market(case: Case) -> Market:
    scenario = load_scenario(case.scenario)
    return Market(scenario, seed=case.seed, tasks=100, controls=60, campaign=CAMPAIGN)


def _in_process(market: Market, order: Order) -> Answered:
    bought = market.buy(order)
    told = [
        (
            _person(a.annotator),
            a.tasks,
            a.labels,
            a.control,
            round(1000 * a.submitted_s),
            round(1000 * a.seconds),
            a.reward.micros,
        )
        for a in bought.assignments
    ]
    bans = [
        (_person(r.annotator), round(1000 * r.at_s)) for p in bought.pages for r in p.restrictions
    ]
    cost = SuiteTariff().cost(len(told), order.condition.reward)
    return Answered(told, sorted(bans), cost.micros)


def _person(annotator: str) -> int:
    return int(annotator.rsplit("-", 1)[1])

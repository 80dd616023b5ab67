"""The contract of every LabelSource: one suite, each implementation through a fixture."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from budget.money import Money
from budget.tariff import expected_assignments
from budget.tariffs.hourly import HourlyTariff
from budget.tariffs.staff import WorkTime
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, Question
from labeling.crowd.office.source import OfficeSource
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import load_scenario
from labeling.crowd.source import CrowdSource
from labeling.label_studio.rehearsal.server import StudioServer
from labeling.label_studio.source import LabelStudioSource
from labeling.recorded.recording import Recording
from labeling.recorded.source import ReplaySource
from labeling.source import LabelSource
from labeling.types import Condition, Order, Page
from tests.labeling.label_studio import ground as studio_ground
from tests.labeling.label_studio.ground import StudioGround
from tests.labeling.toloka.ground import Ground, ground

TASKS, CONTROLS = 120, 50
CAMPAIGN = Campaign("contract", (Question("q", "Which?", ("a", "b", "c")),), "")
TRUTH = np.random.default_rng(0).integers(0, 3, TASKS + CONTROLS)


@dataclass
class Bench:
    """An implementation under test.

    Attributes:
        open: opens the source as a new process would; it knows the orders in `ended`.
        market: what conditions bought from it are called.
        staff: whether own annotators answer, one task at a time.
        tasks: tasks of an order; few where a server is slow.
        pool: tasks that there are.
        campaign: what is asked.
        above: assignments that the market cannot keep from exceeding a limit.
        bans: whether the market keeps banned annotators out.
        deadline: minutes in which an order cannot be completed.
        ended: orders that have ended, put here by the tests.
    """

    open: Callable[[], LabelSource]
    market: str
    staff: bool = False
    tasks: int = TASKS
    pool: int = TASKS
    campaign: Campaign = CAMPAIGN
    above: int = 0
    bans: bool = True
    deadline: float = 1.5
    ended: list[Order] = field(default_factory=list)

    def order(
        self,
        rows: range | None = None,
        overlap: int = 1,
        tranche: int = 0,
        limit: int | None = None,
        minutes: float | None = None,
        price: str | None = None,
        exam: bool = False,
    ) -> Order:
        rows = range(self.tasks) if rows is None else rows
        dollars = Money.parse(price or ("18" if self.staff else "0.002"))
        exam = exam and not self.staff
        condition = Condition(
            "contract", self.market, self.campaign.key, dollars, 1, 10, exam, one_by_one=self.staff
        )
        most = 5 * expected_assignments(len(rows), overlap, condition.real_per_assignment) + 10
        wanted = tuple((row, overlap) for row in rows)
        return Order(condition, tranche, wanted, most if limit is None else limit, minutes)


def _crowd(name: str) -> Bench:
    scenario = load_scenario(name)
    items = make_items(scenario, TRUTH, 3, 0)
    controls = range(TASKS, TASKS + CONTROLS)

    def earlier(condition: Condition) -> list[Order]:
        return [order for order in bench.ended if order.condition == condition]

    bench = Bench(
        lambda: CrowdSource(scenario, CAMPAIGN, items, controls, SuiteTariff(), 0, earlier),
        f"simulated:{name}",
    )
    return bench


def _office() -> Bench:
    """Seven own annotators, some of whom click without looking now and then."""
    people = {"careless": 0.4, "careless_guess": 0.9, "office_people": 7}
    scenario = dataclasses.replace(load_scenario("office"), **people)  # type: ignore[arg-type]
    items = make_items(scenario, TRUTH, 3, 0)
    controls = {row: int(TRUTH[row]) for row in range(TASKS, TASKS + CONTROLS)}
    tariff = HourlyTariff(WorkTime(18_000), people=7)

    def earlier(condition: Condition) -> list[Order]:
        return [order for order in bench.ended if order.condition == condition]

    bench = Bench(
        lambda: OfficeSource(scenario, CAMPAIGN, items, controls, tariff, 0, earlier),
        "simulated:office",
        staff=True,
    )
    return bench


def _replay() -> Bench:
    """60 people, a fifth of them careless, whose answers to every task were recorded."""
    people, rows = 60, TASKS + CONTROLS
    rng = np.random.default_rng(1)
    task, annotator = (grid.ravel() for grid in np.meshgrid(np.arange(rows), np.arange(people)))
    right = rng.random(len(task)) < np.where(annotator % 5 == 0, 0.5, 0.98)
    label = np.where(right, TRUTH[task], (TRUTH[task] + 1) % 3)
    seconds = rng.lognormal(np.log(4.2), 0.4, len(task))
    names = tuple(map(str, range(rows)))
    recording = Recording("r.csv", ("a", "b", "c"), names, task, label, annotator, seconds, TRUTH)
    controls = {row: int(TRUTH[row]) for row in range(TASKS, rows)}
    places = {row: row for row in range(rows)}

    def earlier(condition: Condition) -> list[Order]:
        return [order for order in bench.ended if order.condition == condition]

    bench = Bench(
        lambda: ReplaySource(recording, places, CAMPAIGN, controls, SuiteTariff(), 0, earlier),
        "replay:r.csv",
    )
    return bench


def _toloka(ground: Ground) -> Bench:
    """Toloka, as the local server plays it."""
    return Bench(ground.market, "toloka:ground", tasks=60)


@contextmanager
def _studio(server: StudioServer, folder: Path, name: str) -> Iterator[Bench]:
    """Scripted people on a real Label Studio server, some of whom guess."""
    opened: list[LabelStudioSource] = []
    there = StudioGround(server, folder / "market", f"studio:{name}", careless=0.5)

    def opens() -> LabelStudioSource:
        opened.append(there.open())
        return opened[-1]

    bench = Bench(opens, there.market, True, ended=there.ended)
    bench.tasks = bench.pool = studio_ground.TASKS
    bench.campaign = studio_ground.CAMPAIGN
    bench.above, bench.bans, bench.deadline = there.people, False, 0.03
    yield bench
    for source in opened:
        source.close()


@pytest.fixture(scope="session")
def studio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioServer]:
    with studio_ground.studio(tmp_path_factory.mktemp("studio") / "data") as running:
        yield running


@pytest.fixture(
    params=["default", "spam-heavy", "slow-supply", "office", "replay", "toloka", "studio"]
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = {"replay": _replay, "office": _office}
    if request.param == "studio":
        server = request.getfixturevalue("studio_server")
        with _studio(server, tmp_path, request.node.name) as made_there:
            yield made_there
        return
    if request.param != "toloka":
        yield made[request.param]() if request.param in made else _crowd(request.param)
        return
    with ground(tmp_path, campaign=CAMPAIGN, tasks=TASKS, controls=CONTROLS) as on:
        yield _toloka(on)


def _collect(source: LabelSource, order: Order) -> list[Page]:
    return list(source.collect(source.place(order)))


def _banned(pages: list[Page]) -> set[str]:
    return {r.annotator for page in pages for r in page.restrictions}


def test_a_reward_below_the_smallest_is_refused_before_anything_is_bought(bench: Bench) -> None:
    source = bench.open()
    with pytest.raises(InputError, match=r"smallest reward|above \$0"):
        source.place(bench.order(price="0" if bench.staff else "0.0001"))
    source.close()


def test_closing_twice_is_harmless(bench: Bench) -> None:
    source = bench.open()
    _collect(source, bench.order())
    source.close()
    source.close()


def test_placing_twice_is_placing_once(bench: Bench) -> None:
    source, order = bench.open(), bench.order()
    assert source.place(order) == source.place(order)
    assert bench.open().place(order) == source.place(order)


def test_the_last_page_and_only_it_has_the_end(bench: Bench) -> None:
    pages = _collect(bench.open(), bench.order(range(bench.pool), overlap=5))
    assert len(pages) > 1
    assert [page.end is not None for page in pages] == [False] * (len(pages) - 1) + [True]


def test_assignments_come_in_the_order_of_submission_with_unique_ids(bench: Bench) -> None:
    pages = _collect(bench.open(), bench.order(overlap=3))
    assignments = [a for page in pages for a in page.assignments]
    times = [a.submitted_s for a in assignments]
    assert times == sorted(times)
    assert min(times) > 0
    assert len({a.id for a in assignments}) == len(assignments)


def test_an_assignment_holds_ordered_tasks_and_controls_and_pays_the_reward(bench: Bench) -> None:
    order, source = bench.order(), bench.open()
    wanted = {task for task, _ in order.wanted}
    for assignment in (a for p in _collect(source, order) for a in p.assignments):
        assert len(assignment.tasks) == len(assignment.labels) == len(assignment.control)
        assert len(set(assignment.tasks)) == len(assignment.tasks)
        if bench.staff:
            assert len(assignment.tasks) == 1
        else:
            assert sum(assignment.control) == order.condition.controls
            assert 1 <= len(assignment.tasks) - 1 <= order.condition.real_per_suite
        for task, label, control in zip(
            assignment.tasks, assignment.labels, assignment.control, strict=True
        ):
            assert (task >= bench.pool) if control else (task in wanted)
            assert 0 <= label < 3
        if bench.staff:
            assert Money(0) < assignment.reward <= source.tariff.most(1, order.condition.reward)
        else:
            assert assignment.reward == order.condition.reward
        assert assignment.seconds > 0


def test_nobody_answers_a_task_twice_over_all_orders_of_a_condition(bench: Bench) -> None:
    source = bench.open()
    seen: Counter[tuple[str, int]] = Counter()
    for tranche in range(3):
        order = bench.order(overlap=2, tranche=tranche)
        for page in _collect(source, order):
            for assignment in page.assignments:
                seen.update((assignment.annotator, task) for task in assignment.tasks)
        bench.ended.append(order)
    assert max(seen.values()) == 1


def test_the_banned_get_no_more_suites_now_or_later(bench: Bench) -> None:
    if not bench.bans:
        pytest.skip("Label Studio Community knows no ban from one project: answers are not used")
    source = bench.open()
    first = bench.order(overlap=3)
    pages = _collect(source, first)
    banned_at = {r.annotator: r.at_s for page in pages for r in page.restrictions}
    assert banned_at
    for assignment in (a for page in pages for a in page.assignments):
        assert assignment.submitted_s <= banned_at.get(assignment.annotator, float("inf"))
    bench.ended.append(first)
    later = _collect(source, bench.order(tranche=1))
    assert not {a.annotator for p in later for a in p.assignments} & set(banned_at)


def test_a_complete_order_lacks_nothing(bench: Bench) -> None:
    order = bench.order(overlap=2)
    pages = _collect(bench.open(), order)
    end, banned = pages[-1].end, _banned(pages)
    usable = Counter(
        task
        for page in pages
        for a in page.assignments
        if a.annotator not in banned
        for task, control in zip(a.tasks, a.control, strict=True)
        if not control
    )
    assert end is not None
    assert (end.reason, end.missing) == ("complete", 0)
    assert all(usable[task] >= count for task, count in order.wanted)


def test_the_limit_is_never_exceeded(bench: Bench) -> None:
    pages = _collect(bench.open(), bench.order(overlap=3, limit=7))
    # One that was active when the limit was reached may have been handed back.
    assert 5 <= sum(len(page.assignments) for page in pages) <= 7 + bench.above
    assert pages[-1].end is not None
    assert pages[-1].end.reason == "limit"
    assert pages[-1].end.missing > 0


def test_nothing_is_opened_after_the_deadline(bench: Bench) -> None:
    order = bench.order(overlap=5, minutes=bench.deadline)
    pages = _collect(bench.open(), order)
    assert pages[-1].end is not None
    assert pages[-1].end.reason == "deadline"
    assert pages[-1].end.minutes >= bench.deadline
    for assignment in (a for page in pages for a in page.assignments):
        assert assignment.submitted_s - assignment.seconds <= 60 * bench.deadline


def test_collecting_again_yields_the_same(bench: Bench) -> None:
    order = bench.order(overlap=2, exam=True)
    source = bench.open()
    pages = _collect(source, order)
    assert _collect(source, order) == pages
    assert _collect(bench.open(), order) == pages


def test_a_new_process_goes_on_where_the_condition_stood(bench: Bench) -> None:
    source = bench.open()
    first, second = bench.order(range(bench.tasks // 2)), bench.order(tranche=1)
    _collect(source, first)
    bench.ended.append(first)
    assert _collect(bench.open(), second) == _collect(source, second)


def test_expected_minutes_are_positive_and_grow(bench: Bench) -> None:
    source, condition = bench.open(), bench.order().condition
    few, many = (source.expected_minutes(condition, n) for n in (10, 300))
    assert 0 < few < many

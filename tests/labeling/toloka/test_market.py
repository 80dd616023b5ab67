"""Buying on Toloka: what is refused before anything is created, and what holds afterwards."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError, MarketError
from budget.money import Money
from labeling.source import StoredOrder
from labeling.toloka.api.client import connect
from labeling.toloka.api.clock import WallClock
from labeling.toloka.api.token import Token
from labeling.toloka.server import Server
from labeling.toloka.server.model.clock import START
from labeling.toloka.server.web.faults import Fault
from labeling.types import DynamicOverlap
from tests.labeling.toloka.ground import CANARY, TWO, Ground, address, buy, unnamed


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests."""
    on = Ground(tmp_path_factory.mktemp("server"), tasks=30, controls=20)
    yield on.serve()
    on.close()


@pytest.fixture
def on(server: Server, tmp_path: Path) -> Ground:
    """The server with nothing on it."""
    made = Ground(tmp_path, tasks=30, controls=20, server=server)
    server.reset(made.settings())
    return made


def world(on: Ground) -> Any:
    return on.serve().platform.world


def open_pools(on: Ground) -> list[str]:
    return [pool.id for pool in world(on).pools.values() if pool.is_open]


def nothing_created(on: Ground) -> bool:
    there = world(on)
    return not (there.projects or there.skills or there.pools or there.tasks)


# --- bad input: one clear line, nothing created ---


def without_one(row: int) -> str:
    if row == 17:
        raise KeyError(row)
    return address(row)


@pytest.mark.parametrize(
    ("market", "order", "said"),
    [
        ({}, {"price": "0.0001"}, "smallest reward"),
        ({"address": without_one}, {}, "image 17: it has no address"),
        ({"address": lambda row: ""}, {}, "it has no address"),
        ({"address": lambda row: "https://same"}, {}, "have the same address"),
        ({"campaign": TWO}, {}, "another campaign"),
        ({}, {"first": 29, "tasks": 31}, "control task cannot be bought"),
    ],
)
def test_bad_input_is_one_line_and_creates_nothing(
    market: dict[str, Any], order: dict[str, Any], said: str, on: Ground
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        on.market(**market).place(on.order(**order))
    assert "\n" not in str(caught.value)
    assert nothing_created(on)


def test_dynamic_overlap_is_refused_by_name(on: Ground) -> None:
    order = on.order()
    condition = replace(order.condition, dynamic=DynamicOverlap(2, 5, 0.9))
    with pytest.raises(InputError, match=r"dynamic\(2,5,0.9\) cannot be bought"):
        on.market().place(replace(order, condition=condition))
    assert nothing_created(on)


def test_an_account_that_cannot_pay_the_order_is_refused_before_anything(on: Ground) -> None:
    world(on).account.deposit = Money(100_000)
    order = on.order(limit=10)
    with pytest.raises(
        InputError, match=r"holds \$0.10, but this order may cost \$0.26; top it up"
    ):
        on.market().place(order)
    assert nothing_created(on)


def test_a_token_of_another_environment_is_one_line_and_creates_nothing(on: Ground) -> None:
    guarded = Server(on.settings(), token="another")
    guarded.start()
    try:
        api = connect(Token(CANARY), guarded.url, WallClock())
        api.name = "Toloka PRODUCTION"
        with pytest.raises(InputError) as caught:
            on.market(api).place(on.order())
        assert not guarded.platform.world.projects
    finally:
        guarded.close()
    text = str(caught.value)
    assert "Toloka PRODUCTION: the token is refused (HTTP 401); production and sandbox" in text
    assert "\n" not in text
    assert CANARY not in text


def test_a_campaign_that_toloka_cannot_ask_is_refused_when_the_market_is_opened(
    on: Ground,
) -> None:
    question = replace(on.campaign.questions[0], name="what is it?")
    with pytest.raises(InputError, match="no name for a Toloka field"):
        on.market(campaign=replace(on.campaign, questions=(question,)))


# --- verification before opening ---


def meddle(on: Ground, route: str, change: Callable[[Any], None]) -> Callable[[Any], None]:
    """Let the platform understand something otherwise than it was told."""

    def watch(exchange: Any) -> None:
        if f"{exchange.method} {exchange.template}" == route:
            change(world(on))

    on.serve()._watch = watch
    return watch


def other_reward(there: Any) -> None:
    for pool in there.pools.values():
        if pool.doc["reward_per_assignment"]:
            pool.doc["reward_per_assignment"] = 0.2


def other_mixer(there: Any) -> None:
    for pool in there.pools.values():
        pool.doc["mixer_config"]["real_tasks_count"] = 4


def other_threshold(there: Any) -> None:
    for pool in paid(there):
        for config in pool.doc["quality_control"]["configs"]:
            if config["collector_config"]["type"] == "ASSIGNMENT_SUBMIT_TIME":
                config["collector_config"]["parameters"]["fast_submit_threshold_seconds"] = 9999


def other_scope(there: Any) -> None:
    for pool in paid(there):
        action = pool.doc["quality_control"]["configs"][0]["rules"][0]["action"]
        action["parameters"] |= {"scope": "ALL_PROJECTS"}


def longer_ban(there: Any) -> None:
    for pool in paid(there):
        action = pool.doc["quality_control"]["configs"][0]["rules"][0]["action"]
        action["parameters"] |= {"duration": 999}


def shorter_page(there: Any) -> None:
    for pool in paid(there):
        pool.doc["assignment_max_duration_seconds"] = 5


def other_instructions(there: Any) -> None:
    for project in there.projects.values():
        project["public_instructions"] = "<p>Look away.</p>"


def easier_exam(there: Any) -> None:
    for pool in there.pools.values():
        if not pool.doc["reward_per_assignment"]:
            rule = pool.doc["quality_control"]["configs"][0]["rules"][0]
            rule["conditions"][0]["value"] = 1


def paid(there: Any) -> list[Any]:
    return [pool for pool in there.pools.values() if pool.doc["reward_per_assignment"]]


def other_overlap(there: Any) -> None:
    for task in there.tasks.values():
        if task.overlap:
            task.overlap += 1


def lost_task(there: Any) -> None:
    for pool in paid(there):
        if any(task.overlap for task in pool.tasks):
            there.tasks.pop(pool.tasks.pop().id)


def lost_exam_task(there: Any) -> None:
    for pool in there.pools.values():
        if pool not in paid(there) and len(pool.tasks) == 10:
            there.tasks.pop(pool.tasks.pop().id)


@pytest.mark.parametrize(
    ("route", "change", "said"),
    [
        (
            "PUT /v1/pools/{id}",
            other_reward,
            "reward_per_assignment is 0.2 instead of 0.02.*nothing was",
        ),
        (
            "PUT /v1/pools/{id}",
            other_mixer,
            "mixer_config.real_tasks_count is 4 instead of 9.*nothing was",
        ),
        (
            "PUT /v1/pools/{id}",
            other_threshold,
            "fast_submit_threshold_seconds is 9999 instead of 13",
        ),
        ("PUT /v1/pools/{id}", other_scope, "scope is 'ALL_PROJECTS' instead of 'POOL'"),
        ("PUT /v1/pools/{id}", longer_ban, "parameters.duration is 999 instead of nothing"),
        ("PUT /v1/pools/{id}", shorter_page, "max_duration_seconds is 5 instead of 300; nothing"),
        ("POST /v1/projects", other_instructions, "public_instructions is .*change it back there"),
        ("GET /v1/pools/{id}", easier_exam, "exam pool.*conditions.*is 1 instead of 10"),
        ("POST /v1/tasks", other_overlap, "another overlap on 30 tasks"),
        ("POST /v1/tasks", lost_exam_task, "9 control tasks instead of 10"),
        ("POST /v1/tasks", lost_task, "29 tasks instead of|does not hold the tasks"),
    ],
)
def test_what_is_read_back_otherwise_is_not_opened(
    route: str, change: Callable[[Any], None], said: str, on: Ground
) -> None:
    if change is other_overlap:  # its first correction is undone, too
        also = "PATCH /v1/tasks/{id}/set-overlap-or-min"
        on.serve()._watch = lambda e: (
            change(world(on)) if f"{e.method} {e.template}" in (route, also) else None
        )
    else:
        meddle(on, route, change)
    try:
        market = on.market()
        with pytest.raises(MarketError, match=said):
            market.place(on.order(exam=True))
    finally:
        on.serve()._watch = None
    market.close()
    assert open_pools(on) == []
    assert not world(on).assignments


def test_a_closed_exam_with_other_settings_gets_its_own_again(on: Ground) -> None:
    market = on.market()
    buy(market, on.order(tasks=12, exam=True))
    market.close()
    (exam,) = [pool for pool in world(on).pools.values() if pool not in paid(world(on))]
    rule = exam.doc["quality_control"]["configs"][0]["rules"][0]
    rule["conditions"][0]["value"] = exam.doc["assignment_max_duration_seconds"] = 5
    market.place(on.order(exam=True, tranche=1))
    rule = exam.doc["quality_control"]["configs"][0]["rules"][0]
    assert rule["conditions"][0]["value"] == 10
    assert exam.doc["assignment_max_duration_seconds"] == 300
    assert len(open_pools(on)) == 2
    market.close()


# --- the pool's life ---


def test_every_pool_has_its_expiry_before_it_is_opened_and_none_is_open_at_the_end(
    on: Ground,
) -> None:
    market, seen = on.market(), []

    def watch(exchange: Any) -> None:
        if exchange.template == "/v1/pools/{id}/open":
            pool = world(on).pools[exchange.request.path.split("/")[3]]
            seen.append(pool.doc["will_expire"])

    on.serve()._watch = watch
    try:
        buy(market, on.order(overlap=2, exam=True))
    finally:
        on.serve()._watch = None
    assert len(seen) == 2
    horizon = timedelta(minutes=on.scenario.horizon_minutes)
    assert all(text.startswith(f"{START + horizon:%Y-%m-%dT%H:%M}") for text in seen)
    assert open_pools(on) == []
    market.close()


def test_closing_closes_what_this_process_opened_and_placing_again_goes_on(on: Ground) -> None:
    market, order = on.market(), on.order(overlap=2, exam=True)
    market.place(order)
    assert len(open_pools(on)) == 2
    market.close()
    assert open_pools(on) == []
    again = on.market()
    pages = list(again.collect(again.place(order)))
    assert pages[-1].end is not None
    assert pages[-1].end.reason == "complete"
    assert len(world(on).pools) == 2
    paid = len(unnamed(pages)[0])
    assert world(on).account.charged == on.tariff.cost(paid, order.condition.reward)


def test_a_stop_in_the_middle_loses_nothing(on: Ground) -> None:
    market, order = on.market(), on.order(overlap=6)
    pool = market.place(order)
    asked, sleep = iter(range(25)), market.api.clock.sleep

    def impatient(seconds: float) -> None:
        if next(asked, None) is None:
            raise KeyboardInterrupt
        sleep(seconds)

    market.api.clock.sleep = impatient  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        list(market.collect(pool))
    market.close()
    assert open_pools(on) == []
    assert world(on).assignments
    pages = buy(on.market(), order)
    ids = {a.id for page in pages for a in page.assignments}
    accepted = {a.id for a in world(on).assignments.values() if a.status == "ACCEPTED"}
    assert ids == accepted


def test_the_next_start_adopts_what_it_goes_on_with_and_closes_the_rest(on: Ground) -> None:
    left, other = on.market(), on.order(price="0.004")
    order = on.order(overlap=2)
    left.place(order)
    left.place(other)
    assert len(open_pools(on)) == 2
    left._locks.release_all()  # as if it had been killed: its locks are gone, its pools are open
    started = on.market()
    closed = started.sweep({order.key})
    assert len(closed) == 1
    assert len(open_pools(on)) == 1
    assert buy(started, order)[-1].end is not None
    assert open_pools(on) == []


def test_a_pool_that_another_process_watches_is_left_alone(on: Ground) -> None:
    working, order = on.market(), on.order()
    working.place(order)
    other = on.market()
    assert other.sweep() == []
    assert len(open_pools(on)) == 1
    done: list[Any] = []
    waiting = threading.Thread(target=lambda: done.append(buy(other, order)))
    waiting.start()  # the same order: of two workers one buys
    pages = buy(working, order)
    waiting.join(60)
    assert done == [pages]
    assert len(world(on).pools) == 1


def test_workers_that_start_at_once_make_one_project_and_one_skill(on: Ground) -> None:
    orders = [on.order(20, price=f"0.00{price}") for price in range(2, 6)]
    markets: list[Any] = []

    def start(order: Any) -> None:
        market = on.market()
        markets.append(market)
        market.place(order)

    starting = [threading.Thread(target=start, args=(order,)) for order in orders]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join(60)
    there = world(on)
    assert (len(there.projects), len(there.skills), len(there.pools)) == (1, 1, 4)
    assert len({market.marker.run for market in markets}) == 1
    numbers = {pool.doc["metadata"]["labelworth_number"][0] for pool in there.pools.values()}
    assert numbers == {"1", "2", "3", "4"}
    for market in markets:
        market.close()
    assert open_pools(on) == []


def test_pools_of_others_are_never_touched(on: Ground) -> None:
    mine, theirs = on.market(), Ground(on.folder / "x", tasks=30, controls=20, server=on.server)
    stranger = theirs.market(study="another")
    stranger.place(theirs.order())
    assert mine.sweep() == []
    assert mine.archive([theirs.order().condition.key]) == []
    assert len(open_pools(on)) == 1
    stranger.close()


def test_two_studies_of_one_name_do_not_share_pools(on: Ground) -> None:
    twin = Ground(on.folder / "twin", tasks=30, controls=20, server=on.server)
    first, second = buy(on.market(), on.order()), buy(twin.market(), twin.order())
    assert len(world(on).pools) == 2
    assert len(world(on).projects) == 1
    ids = [{a.id for page in pages for a in page.assignments} for pages in (first, second)]
    assert not ids[0] & ids[1]


def test_a_tranche_reopens_its_conditions_pool_and_another_condition_gets_its_own(
    on: Ground,
) -> None:
    market = on.market()
    buy(market, on.order(20))
    buy(market, on.order(30, overlap=2, tranche=1))
    assert len(world(on).pools) == 1
    buy(market, on.order(20, price="0.004"))
    assert len(world(on).pools) == 2
    numbers = [pool.doc["metadata"]["labelworth_number"] for pool in world(on).pools.values()]
    assert numbers == [["1"], ["2"]]
    assert len(world(on).projects) == 1
    assert len(world(on).skills) == 1


@pytest.mark.slow
def test_conditions_share_an_exam_on_a_platform_that_knows_no_image(tmp_path: Path) -> None:
    on = Ground(tmp_path, tasks=60, controls=30)
    on.server = Server(replace(on.settings(), truth=None))
    on.server.start()
    try:
        market = on.market()
        buy(market, on.order(10, overlap=1, exam=True))
        buy(market, on.order(60, overlap=1, exam=True, price="0.004"))
        (*_, last) = buy(market, on.order(30, overlap=1, tranche=1, exam=True))
    finally:
        on.close()
    assert last.end is not None
    assert last.end.missing == 0
    assert last.end.exam_failed


def test_annotators_carry_the_number_of_their_condition(on: Ground) -> None:
    buy(on.market(), on.order())
    workers = {a.user_id for a in world(on).assignments.values() if a.status == "ACCEPTED"}
    marked = {doc["user_id"] for doc in world(on).user_skills.values() if doc["value"] == 1}
    assert workers == marked


def test_what_a_limit_left_over_is_not_bought_later(on: Ground) -> None:
    market = on.market()
    buy(market, on.order(30, overlap=3, limit=4))
    buy(market, on.order(10, overlap=1, tranche=1, first=0))
    (pool,) = world(on).pools.values()
    second = [a for a in world(on).assignments.values() if a.created >= pool.last_started]
    rows = {int(task.doc["input_values"]["image"][-9:-4]) for a in second for task in a.tasks}
    assert {row for row in rows if row < 30} <= set(range(10))


def test_a_lost_journal_is_found_again_on_the_market(on: Ground) -> None:
    run = on.market().marker.run
    market, order = on.market(run=run), on.order(overlap=2, exam=True)
    market.place(order)
    market._locks.release_all()
    shutil.rmtree(on.folder / "market")
    pages = buy(on.market(run=run), order)
    assert pages[-1].end is not None
    assert pages[-1].end.reason == "complete"
    assert len(world(on).pools) == 2
    assert len(world(on).tasks) == 30 + 10 + 10
    assert world(on).account.charged == on.tariff.cost(
        len(unnamed(pages)[0]), order.condition.reward
    )


def test_archiving_closes_the_book_and_answers_stay_readable(on: Ground) -> None:
    market, order = on.market(), on.order(overlap=2)
    condition = order.condition.key
    pages = buy(market, order)
    assert market.archive(["another"]) == []
    assert market.archived([condition]) == []
    assert len(market.archive([condition])) == 1
    assert market.archive([condition]) == []
    assert market.archived([condition, "another"]) == [condition]
    assert buy(on.market(), order) == pages
    # A later tranche of an archived condition needs a new pool; the old annotators are kept out.
    more = buy(on.market(), on.order(30, overlap=1, tranche=1))
    assert more[-1].end is not None
    assert len(world(on).pools) == 2
    before, after = ({a.annotator for page in p for a in page.assignments} for p in (pages, more))
    assert after
    assert not before & after
    assert market.archived([condition]) == []


# --- what others do to the pool ---


def test_an_account_that_runs_empty_is_said_and_the_order_goes_on_when_it_is_filled(
    on: Ground,
) -> None:
    market, order = on.market(), on.order(overlap=3, limit=14)
    pool = market.place(order)
    there = world(on)
    there.account.deposit = there.account.charged + on.tariff.cost(3, order.condition.reward)
    with pytest.raises(InputError, match="account is empty; top it up"):
        list(market.collect(pool))
    market.close()
    there.account.deposit += Money(50_000_000)
    pages = buy(on.market(), order)
    assert len(unnamed(pages)[0]) > 3
    assert len({a.id for p in pages for a in p.assignments}) == len(unnamed(pages)[0])


def test_a_pool_closed_by_hand_stops_the_purchase_and_starting_again_goes_on(on: Ground) -> None:
    market, order = on.market(), on.order(overlap=3)
    pool = market.place(order)
    on.api()._client.close_pool(pool.id)
    with pytest.raises(MarketError, match="closed by somebody else"):
        list(market.collect(pool))
    market.close()
    assert buy(on.market(), order)[-1].end is not None


def test_suites_can_be_rejected_with_a_reason_and_are_not_paid(on: Ground) -> None:
    def verdict(assignment: Any) -> str | None:
        return "Please look at the pictures" if assignment.seconds < 40 else None

    market, order = on.market(review=verdict), on.order(overlap=2)
    pages = buy(market, order)
    there = world(on)
    rejected = [a for a in there.assignments.values() if a.status == "REJECTED"]
    assert rejected
    assert {a.public_comment for a in rejected} == {"Please look at the pictures"}
    kept = unnamed(pages)[0]
    assert all(entry[5] >= 40 for entry in kept)
    assert there.account.charged == on.tariff.cost(len(kept), order.condition.reward)
    assert pages[-1].end is not None
    assert pages[-1].end.missing == 0


# --- secrets ---


def test_the_token_is_in_no_log_exception_file_or_repr(
    on: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    market = on.market()
    buy(market, on.order(exam=True))
    on.serve()._faults = [Fault("500", "/v1/requester", "GET", times=99)]
    with pytest.raises(MarketError) as caught:
        on.market().place(on.order(price="0.004"))
    on.serve()._faults = []
    chain, texts = caught.value, []
    while chain is not None:
        texts.append(f"{chain} {chain!r} {vars(chain)}")
        chain = chain.__cause__ or chain.__context__  # type: ignore[assignment]
    files = [path.read_text() for path in on.folder.rglob("*") if path.is_file()]
    logged = [record.getMessage() for record in caplog.records] + [caplog.text]
    for text in (*texts, *files, *logged, repr(market), repr(vars(market)), repr(market.api)):
        assert CANARY not in text


# --- reconcile ---


def book(on: Ground, order: Any, pages: list[Any], hold: Money | None, ended: bool) -> StoredOrder:
    count = len(unnamed(pages)[0])
    return StoredOrder(order, hold, ended, count, on.tariff.cost(count, order.condition.reward))


def test_books_that_agree_have_no_findings(on: Ground) -> None:
    market, order = on.market(), on.order()
    pages = buy(market, order)
    assert market.differences([book(on, order, pages, None, True)]) == []


def test_findings_name_what_to_do_and_the_markets_are_mended(on: Ground) -> None:
    market, hold = on.market(), Money(1_000_000)
    order, never = on.order(overlap=2), on.order(price="0.004")
    pages = buy(market, order)
    late, unsettled = book(on, order, pages[:0], hold, False), book(on, order, pages, hold, True)
    assert [f.mend for f in market.differences([late])] == ["collect"]
    assert [f.mend for f in market.differences([unsettled])] == ["settle"]
    assert market.differences([unsettled])[0].amount == unsettled.paid
    assert [f.mend for f in market.differences([book(on, never, [], hold, False)])] == ["void"]
    second = on.order(tranche=1)
    market.place(second)
    market._locks.release_all()
    findings = market.differences([book(on, order, pages, None, True)])
    assert [f.mend for f in findings] == ["close"]
    assert all(market.mend(finding) for finding in findings)
    assert open_pools(on) == []


def test_a_pool_made_twice_is_found_and_archived(on: Ground) -> None:
    market, order = on.market(), on.order()
    pages = buy(market, order)
    (pool,) = world(on).pools.values()
    client = on.api()._client
    twin = client.get_pool(pool.id)
    client.create_pool(twin)
    findings = market.differences([book(on, order, pages, None, True)])
    assert [f.mend for f in findings] == ["archive"]
    assert market.mend(findings[0])
    assert market.differences([book(on, order, pages, None, True)]) == []


# --- quotas ---


def test_a_hundred_pools_a_day_are_not_exceeded(on: Ground) -> None:
    market = on.market()
    for number in range(100):
        market.journal.write("pool", str(number), "intent")
    with pytest.raises(MarketError, match=r"100 pools were made within a day.*tomorrow"):
        market.place(on.order())
    assert not world(on).pools


def test_twenty_pools_a_minute_are_waited_for(on: Ground) -> None:
    market, slept = on.market(), []
    for number in range(20):
        market.journal.write("pool", str(number), "intent")
    market.api.clock.sleep = slept.append  # type: ignore[method-assign]
    market.place(on.order())
    assert slept == [60]
    market.close()


def test_another_account_is_noticed_before_anything_is_bought_there(on: Ground) -> None:
    market = on.market()
    buy(market, on.order(20))
    on.serve().reset(on.settings())  # as if another token were given
    with pytest.raises(MarketError, match="this account does not know"):
        on.market().place(on.order(tranche=1))
    assert nothing_created(on)

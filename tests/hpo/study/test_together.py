"""A study at a PostgreSQL server: the same answer, by one worker or by several, one of them killed.

FAULT_RUNS sets how many moments of a worker's death are tried.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from budget.database import open_database
from budget.errors import InputError, StorageError
from budget.ledger import Ledger
from budget.money import ZERO
from budget.postgres.address import VARIABLE
from hpo.study.journal import Progress
from hpo.study.pools import check_folder
from hpo.study.study import Study, open_study
from labeling.store import Store
from tests import canary
from tests.commands import labelworth, small_flags
from tests.conftest import SMALL
from tests.drawn import FAULT_RUNS as RUNS
from tests.faults.steps import watch
from tests.forks import ended, forked
from tests.heads import FixedHeads
from tests.postgres import PASSWORD, Server

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

DEATHS = [
    (Store, "order_for", "after"),
    (Ledger, "reserve", "after"),
    (Store, "add", "before"),
    (Store, "add", "after"),
    (Ledger, "settle", "before"),
    (Ledger, "settle", "after"),
]
"""The steps of a purchase at which a worker dies."""
Make = Callable[..., Study]


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.fresh()


def opened(runs: Path, data: str, **more: object) -> Study:
    settings = {**SMALL, "data": data, "study": "s", "trials": 2, "confirm": "0"}
    return Study(runs=runs, trainer=FixedHeads(), **{**settings, **more})


@pytest.fixture
def make(url: str, small_data: str, tmp_path: Path) -> Make:
    """Opens the study as another machine would, in a folder of its own."""
    return lambda machine, **more: opened(
        tmp_path / machine, small_data, **{"storage": url, **more}
    )


@pytest.fixture(scope="module")
def in_files(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The report of the same study in files of its folder."""
    runs = tmp_path_factory.mktemp("files")
    study = opened(runs, small_data, storage="none")
    study.run()
    study.close()
    return (runs / "s/report.json").read_bytes()


def run(make: Make, machine: str, **more: object) -> dict[str, Any]:
    """Run the study to its end as one machine."""
    study = make(machine, **more)
    try:
        return study.run()
    finally:
        study.close()


def check_money(url: str, study: str = "s") -> None:
    """Nothing is held any more, nothing was bought twice, and the cap holds."""
    engine = open_database(url)
    ledger, store = Ledger.open(engine, study), Store(engine, study)
    kinds = Counter((entry.kind, entry.key) for entry in ledger.entries())
    assert set(kinds.values()) == {1}
    orders = store.all_orders()
    keys = {key for kind, key in kinds if kind == "reserve"}
    assert keys == {record.order.key for record in orders}
    assert all(record.end is not None for record in orders)
    places = Counter((r.order.condition.key, r.order.tranche) for r in orders)
    assert set(places.values()) == {1}
    wanted = Counter(
        (record.order.condition.key, task) for record in orders for task, _ in record.order.wanted
    )
    owned = {
        (record.order.condition.key, task): overlap
        for record in orders
        for task, overlap in store.owned_target(record.order.condition).items()
    }
    assert all(count <= owned[place] for place, count in wanted.items())
    balance = ledger.balance()
    assert (balance.held, balance.overrun) == (ZERO, False)
    assert balance.spent <= balance.cap
    engine.dispose()


@pytest.mark.slow
def test_its_report_equals_that_of_a_study_in_files(
    make: Make, url: str, in_files: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(make, "server")
    check_money(url)
    assert (tmp_path / "server/s/report.json").read_bytes() == in_files
    with pytest.raises(StorageError, match=f"no password supplied; .* {VARIABLE}"):
        open_study(tmp_path / "server/s")
    monkeypatch.setenv(VARIABLE, url)
    again = open_study(tmp_path / "server/s", FixedHeads())
    assert again.report() == json.loads(in_files)
    again.close()


@pytest.mark.slow
def test_two_workers_search_together_and_give_one_answer(
    make: Make, url: str, tmp_path: Path
) -> None:
    children = [forked(partial(run, make, f"m{n}", trials=3)) for n in range(2)]
    assert [ended(child) for child in children] == [0, 0]
    reports = [(tmp_path / f"m{n}/s/report.json").read_bytes() for n in range(2)]
    assert reports[0] == reports[1]
    assert len(json.loads(reports[0])["purchases"]) == 3
    check_money(url)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "when"), DEATHS if RUNS >= 100 else [DEATHS[1], DEATHS[3]]
)
def test_the_trial_of_a_killed_worker_is_taken_over(
    owner: type, name: str, when: str, make: Make, url: str
) -> None:
    def die() -> None:
        def act(_: int, __: str, now: str) -> None:
            if now == when:
                os.kill(os.getpid(), signal.SIGKILL)

        study = make("killed")
        watch([(owner, name)], act)
        study.run()

    child = forked(die)
    study = make("alive")
    study.run()
    assert ended(child) == -signal.SIGKILL
    states = Counter(trial.state.name for trial in study.trials.all())
    assert states["RUNNING"] == 0
    assert len(study.trials.purchases()) == 2
    study.close()
    check_money(url)


@pytest.mark.slow
def test_a_server_that_restarts_and_drops_connections_changes_nothing(
    make: Make, url: str, in_files: bytes, tmp_path: Path, postgres: Server
) -> None:
    trouble: list[threading.Thread] = []

    def disturb() -> None:
        for _ in range(5):
            time.sleep(0.1)
            postgres.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'labelworth%'"
            )
        postgres.stop(signal.SIGQUIT)  # a crash
        time.sleep(0.5)
        postgres.start()

    def seen(progress: Progress) -> None:
        if progress.doing.startswith("buying") and not trouble:
            trouble.append(threading.Thread(target=disturb))
            trouble[0].start()

    study = make("server")
    try:
        study.run(watch=seen)
    finally:
        trouble[0].join()
        study.close()
    check_money(url)
    assert (tmp_path / "server/s/report.json").read_bytes() == in_files


@pytest.mark.slow
def test_on_a_market_with_pools_a_second_process_waits_and_needs_the_folder(
    make: Make, url: str, tmp_path: Path
) -> None:
    rehearsal: dict[str, object] = {"market": "rehearsal", "budget": "0.1", "trials": 1}
    bought, notes = tmp_path / "bought", []

    def buy_and_hang() -> None:
        def act(_: int, __: str, when: str) -> None:
            if when == "after":
                bought.touch()
                signal.pause()

        watch([(Store, "add")], act)
        run(make, "shared", **rehearsal)

    first = forked(buy_and_hang)
    while not bought.exists():
        time.sleep(0.05)
    second = make("shared", **rehearsal)

    def told(progress: Progress) -> None:
        if progress.note.startswith("Process"):
            notes.append(progress.note)
            os.kill(first, signal.SIGKILL)  # the lock ends with its session

    assert len(second.run(told)["purchases"]) == 1
    second.close()
    assert ended(first) == -signal.SIGKILL
    assert [note.partition("runs")[2] for note in notes] == [
        " this study. This one waits, and goes on where that ends."
    ]
    check_money(url)
    elsewhere = make("elsewhere", **rehearsal)
    with pytest.raises(InputError, match=r"from another folder, .*; bring the folder"):
        elsewhere.run()
    elsewhere.close()
    check_money(url)


@pytest.mark.parametrize("market", ["rehearsal", "label-studio-rehearsal"])
def test_what_one_folder_has_ordered_another_with_a_journal_of_its_own_does_not_buy(
    market: str, make: Make
) -> None:
    more = {"pay": "per-answer"} if market != "rehearsal" else {}
    one, two = (make(name, market=market, budget="5", **more) for name in ("one", "two"))
    for study in (one, two):  # nothing is ordered yet: the last one counts
        check_folder(study.world)
    plan = two.world.space.plans[-1]
    condition, tasks = two.world.condition(plan), two.world.tasks(plan)
    assert two.world.store.order_for(condition, tasks, 1, two.config.allowance, None) is not None
    with pytest.raises(InputError, match=r"from another folder, .*; bring the folder"):
        check_folder(one.world)
    check_folder(two.world)
    for study in (one, two):
        study.close()


def test_another_machine_joins_with_the_same_settings_only(make: Make) -> None:
    make("one").close()
    with pytest.raises(InputError, match="--overlap: study 's' was started with"):
        make("two", overlap="1,2")
    make("two", budget="0.4").close()  # a cap may be raised
    with pytest.raises(InputError, match="not lowered to"):
        make("three", budget="0.35")


def test_the_password_is_nowhere(url: str, small_data: str, tmp_path: Path) -> None:
    words = small_flags(small_data, study="s", trials=1, confirm="0")
    done = labelworth(*words, cwd=tmp_path, LABELWORTH_STORAGE=url)
    assert done.returncode == 0, done.stderr
    looked = [
        labelworth(command, "runs/s", cwd=tmp_path, LABELWORTH_STORAGE=url)
        for command in ("status", "report")
    ]
    assert [one.returncode for one in looked] == [0, 0], looked
    assert "1 orders (0 open)" in looked[0].stdout
    broken = labelworth(*words, "--storage", url.replace("127.0.0.1", "127.0.0.9"), cwd=tmp_path)
    assert broken.returncode == 2
    canary.check(
        PASSWORD, tmp_path, [f"{one.stdout}{one.stderr}" for one in (done, *looked, broken)]
    )

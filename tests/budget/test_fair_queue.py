"""Writers have their turns in the order in which they asked, and none waits for the dead."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from budget.database import open_database, writing
from budget.errors import StorageError
from budget.fair_queue import turn
from budget.ledger import Ledger
from budget.money import Money
from tests.forks import ended, forked

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
    pytest.mark.skipif(sys.platform != "linux", reason="other systems have no queue"),
]
STUCK = StorageError("study.sqlite", "stuck", "wait")


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.002)


def drawn(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[:8], "little")


def test_writers_race_and_none_gives_up(tmp_path: Path) -> None:
    path, cent = tmp_path / "study.sqlite", Money(10_000)
    made = open_database(path)
    Ledger.open(made, "s", Money(120 * cent.micros))
    made.dispose()

    def work(name: str) -> None:
        ledger = Ledger.open(open_database(path), "s")
        for number in range(30):
            ledger.settle(ledger.reserve(f"{name}-{number}", cent), cent)

    children = [forked(lambda name=name: work(name)) for name in "abcd"]
    assert [ended(child) for child in children] == [0] * 4
    balance = Ledger.open(open_database(path), "s").balance()
    assert (balance.spent.micros, balance.held.micros) == (120 * cent.micros, 0)


def test_whoever_asked_first_is_first(tmp_path: Path) -> None:
    path = tmp_path / "queue"
    order: list[int] = []

    def wait(number: int) -> None:
        with turn(path, 20, STUCK) as begun:
            begun()
            order.append(number)

    with turn(path, 20, STUCK):
        threads = []
        for number in range(12):
            before = drawn(path)
            threads.append(threading.Thread(target=wait, args=(number,)))
            threads[-1].start()
            until(lambda before=before: drawn(path) > before)
        time.sleep(0.05)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == list(range(12))


@pytest.mark.parametrize("waits", [False, True])
def test_the_dead_lose_their_turn_and_their_place(waits: bool, tmp_path: Path) -> None:
    engine = open_database(tmp_path / "study.sqlite", wait_s=20)
    queue = tmp_path / "study.sqlite-queue"

    def write_for_long() -> None:
        with writing(engine):
            time.sleep(60)

    if waits:
        with writing(engine):
            child = forked(write_for_long)
            until(lambda: drawn(queue) == 2)
            os.kill(child, signal.SIGKILL)
            ended(child)
    else:
        child = forked(write_for_long)
        until(lambda: queue.exists() and int.from_bytes(queue.read_bytes()[8:16], "little") == 1)
        os.kill(child, signal.SIGKILL)
        ended(child)
    start = time.monotonic()
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    assert time.monotonic() - start < 5
    engine.dispose()


def test_a_queue_that_stands_still_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    engine = open_database(path, wait_s=0.2)

    def stop_inside() -> None:
        with writing(engine):
            os.kill(os.getpid(), signal.SIGSTOP)

    child = forked(stop_inside)
    assert os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1])
    with pytest.raises(StorageError, match="locked by another process") as error, writing(engine):
        pass
    assert str(path) in str(error.value)
    os.kill(child, signal.SIGCONT)
    assert ended(child) == 0
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    engine.dispose()


def test_a_long_queue_that_moves_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "queue"
    waited: list[float] = []

    def work() -> None:
        start = time.monotonic()
        with turn(path, 1.5, STUCK) as begun:
            waited.append(time.monotonic() - start)
            begun()
            time.sleep(0.2)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waited) == 10
    assert max(waited) > 1.5


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 16, b"no numbers at all"])
def test_a_damaged_queue_file_stops_nobody(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "study.sqlite-queue").write_bytes(content)
    engine = open_database(tmp_path / "study.sqlite", wait_s=5)
    for name in "ab":
        with writing(engine) as connection:
            connection.exec_driver_sql(f"CREATE TABLE {name} (x)")
    engine.dispose()


def test_where_there_can_be_no_queue_writers_write(tmp_path: Path) -> None:
    (tmp_path / "study.sqlite-queue").mkdir()
    engine = open_database(tmp_path / "study.sqlite")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    engine.dispose()

"""Locks between processes: they end with whoever took them, whatever it has started meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from budget.files import is_locked, locked, try_locked

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def child(work: Callable[[], None]) -> int:
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def test_a_lock_is_not_kept_by_a_child_that_outlives_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "x"
    ready, go = os.pipe(), os.pipe()

    def parent() -> None:
        stack = ExitStack()
        stack.enter_context(locked(path))
        assert is_locked(path)
        os.write(ready[1], str(child(signal.pause)).encode())
        os.read(go[0], 1)  # and end without letting go of anything

    process = child(parent)
    orphan = int(os.read(ready[0], 20))
    try:
        assert is_locked(path)
        with try_locked(path) as is_free:
            assert not is_free
        os.write(go[1], b"x")
        os.waitpid(process, 0)
        assert not is_locked(path)
        with try_locked(path) as is_free:
            assert is_free
    finally:
        os.kill(orphan, signal.SIGKILL)
        for descriptor in (*ready, *go):
            os.close(descriptor)


def test_a_forked_child_takes_nothing_from_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def leave_and_take(stack: ExitStack) -> None:
        stack.close()  # as if the child ran out of the parent's block
        with try_locked(path) as is_free:
            assert not is_free

    with ExitStack() as stack:
        assert stack.enter_context(try_locked(path))
        assert os.waitpid(child(lambda: leave_and_take(stack)), 0)[1] == 0
        assert is_locked(path)
    assert not is_locked(path)

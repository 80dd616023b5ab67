"""The number of torch threads, set explicitly because it changes speed and digits.

Two processes that each use a thread per core run many times slower than two processes of one
thread. Float sums change in their last bits with the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def usable_cores() -> int:
    """Cores that this process may run on: its affinity if the system has one, else all cores."""
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is not None:
        return max(1, len(affinity(0)))
    return max(1, os.cpu_count() or 1)


def limit_threads(jobs: int = 1) -> int:
    """Give torch this process's share of the cores.

    Args:
        jobs: processes that compute at the same time on this machine.

    Returns:
        The number of threads set: max(1, usable cores // jobs).
    """
    import torch

    threads = max(1, usable_cores() // max(1, jobs))
    torch.set_num_threads(threads)
    return threads


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Run a block with this number of torch threads, then restore the old number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)

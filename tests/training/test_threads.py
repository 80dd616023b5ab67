"""Cores are shared, not fought over; importing the package stays light."""

import os
import subprocess
import sys

import pytest

from training.threads import limit_threads, torch_threads, usable_cores


@pytest.fixture(autouse=True)
def put_back():
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("cores", "jobs", "threads"), [(8, 1, 8), (8, 3, 2), (2, 5, 1), (4, 0, 4)])
def test_share_of_the_cores(monkeypatch, cores, jobs, threads):
    import torch

    monkeypatch.setattr("training.threads.usable_cores", lambda: cores)
    assert limit_threads(jobs) == threads == torch.get_num_threads()


def test_cores_without_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_threads_are_put_back_after_an_error():
    import torch

    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), torch_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_importing_training_loads_nothing_heavy():
    code = (
        "import sys, training.fit, training.features, training.evaluate, training.backbone;"
        "heavy = {'torch', 'timm', 'torchvision', 'sklearn', 'scipy', 'PIL', 'huggingface_hub'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

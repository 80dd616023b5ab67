"""Plants each bug in a copy of the code and runs its tests: `make mutants`.

Words of the command line choose the bugs whose guard holds one of them. The exit code is 1 where
a bug survives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.mutants.planted import MUTANTS, Mutant
from tests.postgres import missing

HOME = Path(__file__).parents[2]
PACKAGES = ("budget", "labeling", "training", "hpo", "tests", "pyproject.toml")
FAILED = 1  # of pytest: tests ran, and some failed


def copy_to(place: Path) -> None:
    """The code without what is generated."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in PACKAGES:
        if (HOME / name).is_dir():
            shutil.copytree(HOME / name, place / name, ignore=ignored)
        else:
            shutil.copy(HOME / name, place / name)


def plant(mutant: Mutant, place: Path) -> None:
    """Put a bug into a copy of the code."""
    path = place / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.file}: the guard is not there once: {mutant.guard}")
    path.write_text(text.replace(mutant.old, mutant.new))


def tests_of(mutant: Mutant, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a bug's tests on the copy."""
    words = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests]
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=place, env=environment, capture_output=True, text=True
    )


def main(words: list[str]) -> int:
    """Plant the bugs one after the other; print what became of each."""
    chosen = [m for m in MUTANTS if not words or any(word in m.guard for word in words)]
    if why := missing():  # their tests would be skipped
        print(f"bugs at a server are left out: {why}")
        chosen = [m for m in chosen if not m.guard.endswith("at a server")]
    caught = 0
    for mutant in chosen:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            copy_to(place)
            plant(mutant, place)
            begun = time.monotonic()
            done = tests_of(mutant, place)
        is_caught = done.returncode == FAILED
        caught += is_caught
        state = "caught" if is_caught else f"SURVIVED (pytest: {done.returncode})"
        print(f"{state}: {mutant.guard}, {time.monotonic() - begun:.0f} s", flush=True)
        if not is_caught:
            print(done.stdout[-2000:], flush=True)
    print(f"{caught} of {len(chosen)} planted bugs are caught")
    return int(caught < len(chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

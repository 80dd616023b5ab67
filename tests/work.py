"""What a command costs, as a count that no other program on the machine can change.

Seconds, even of the processor, are a matter of the machine and its load: `benchmarks` report them.
Tests compare the calls of functions and the modules loaded by one start of the program.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from tests import ROOT

_COUNTED = """
import cProfile, json, pstats, sys

def start():
    from hpo.run import main
    try:
        code = main(sys.argv[1:])
    except SystemExit as end:
        code = end.code
    assert not code, code

profile = cProfile.Profile()
profile.runcall(start)
print(json.dumps([pstats.Stats(profile).total_calls, sorted(sys.modules)]), file=sys.stderr)
"""


@dataclass(frozen=True)
class Work:
    """One start of the program, from its first import to its last line.

    Attributes:
        calls: functions called, those of Python's own libraries included.
        modules: names of the modules that are loaded at its end.
        output: standard output.
    """

    calls: int
    modules: frozenset[str]
    output: str

    def loaded(self, names: tuple[str, ...]) -> list[str]:
        """Of these modules the ones that were loaded."""
        return [name for name in names if name in self.modules]


def work_of(*words: str) -> Work:
    """Start the program in a Python of its own; it must succeed.

    Args:
        words: the command line behind `labelworth`.
    """
    done = subprocess.run(
        [sys.executable, "-c", _COUNTED, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, told = done.stderr.splitlines()
    assert not said, said
    calls, modules = json.loads(told)
    return Work(calls, frozenset(modules), done.stdout)

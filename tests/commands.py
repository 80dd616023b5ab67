"""Commands as a user meets them: words in; exit code, standard output and standard error out.

`labelworth` runs one in a child that is forked from this process: a process of its own, as far as
signals, streams, folder and environment go, without the seconds of a start. `started` starts a real
`python -m hpo.run`, for the few tests of what only such a process has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import ROOT
from tests.conftest import SMALL
from tests.forks import forked
from tests.heads import quick

_ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
Done = subprocess.CompletedProcess[str]


class Running:
    """A command in a forked child.

    Args:
        words: the command line.
        cwd: its working folder.
        heads: "fixed" trains as `tests.heads` does; "real" as every study of a user.
        group: give it a process group of its own, as a terminal does.
        environment: variables that are set.

    Attributes:
        pid: the child.
        code: its exit code, or minus the signal that killed it, once it was waited for.
    """

    def __init__(
        self,
        *words: str,
        cwd: Path,
        heads: str = "fixed",
        group: bool = False,
        **environment: str,
    ) -> None:
        self._words = words
        self._folder = Path(tempfile.mkdtemp())
        self._out, self._err = self._folder / "out", self._folder / "err"

        def work() -> int:
            from hpo.cli.main import main

            if group:
                os.setsid()
            if heads == "fixed":
                quick()
            return main(words)

        self.code: int | None = None
        self.pid = forked(work, self._out, self._err, cwd, _ENVIRONMENT | environment)

    @property
    def said(self) -> str:
        """What stands on its standard error so far."""
        return _text(self._err)

    def until(self, text: str, seconds: float = 120) -> None:
        """Wait until it has said something."""
        end = time.monotonic() + seconds
        while text not in self.said:
            assert self.running(), self.said
            assert time.monotonic() < end, f"it does not say {text!r}: {self.said}"
            time.sleep(0.01)

    def running(self) -> bool:
        """Whether it has not ended."""
        if self.code is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if found else None
        return self.code is None

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self, seconds: float = 120) -> Done:
        """Wait for its end, and forget its streams."""
        limit = time.monotonic() + seconds
        while self.running():
            assert time.monotonic() < limit, f"it does not end: {self.said}"
            time.sleep(0.005)
        assert self.code is not None
        done = Done(self._words, self.code, _text(self._out), self.said)
        shutil.rmtree(self._folder)
        return done


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def labelworth(*words: str, cwd: Path, heads: str = "fixed", **environment: str) -> Done:
    """Run a command to its end, in a forked child. Arguments as for `Running`."""
    return Running(*words, cwd=cwd, heads=heads, **environment).end()


def started(
    *words: str, cwd: Path, code: str | None = None, **environment: str
) -> subprocess.Popen[str]:
    """Start a real process.

    Args:
        words: the command line.
        cwd: its working folder.
        code: Python that runs instead of `python -m hpo.run`.
        environment: variables that are set.
    """
    program = ["-m", "hpo.run"] if code is None else ["-c", code]
    return subprocess.Popen(
        [sys.executable, *program, *words],
        cwd=cwd,
        env=os.environ | _ENVIRONMENT | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_a_process(*words: str, cwd: Path, code: str | None = None, **environment: str) -> Done:
    """Run a real process to its end. Arguments as for `started`."""
    with started(*words, cwd=cwd, code=code, **environment) as child:
        out, err = child.communicate(timeout=300)
    return Done(words, child.returncode, out, err)


def flags(**settings: object) -> list[str]:
    """Settings of a study as words of a command line."""
    words = []
    for name, value in settings.items():
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return words


def small_flags(data: str, **more: object) -> list[str]:
    """The settings of a small study as words of a command line."""
    return flags(**{"data": data, **SMALL, **more})

"""The mirror beside a running study: a separate process. The study never waits for it.

Nothing heavy is imported here: a study's process imports no clearml and opens no connection.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from budget.errors import InputError
from budget.files import ours, private
from hpo.settings import subprocess_env
from hpo.settings.exit_codes import BAD_INPUT, DONE
from hpo.tracking.clearml.choices import chosen, leave_state, read_state

LOG = "clearml.log"
CHOICES = ("auto", "on", "off")

_OFFLINE = "CLEARML_OFFLINE_MODE"
_SHARE = 0.05
_LONGEST_WAIT_S = 20.0
_LOGIN_S = 10.0  # for a server that may be away; the mirror itself tries for longer
_HOW = (
    "run clearml-init, or set CLEARML_API_HOST, CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a study is mirrored to.

    Attributes:
        on: whether it is mirrored.
        words: a line for the user, without secrets.
        at_the_end: whether the line is printed again at the end.
    """

    on: bool
    words: str
    at_the_end: bool = False


def destination(choice: str, project: str, environ: Mapping[str, str] | None = None) -> Destination:
    """Decide whether a study is mirrored, from the user's choice and the configuration.

    Args:
        choice: auto, on or off.
        project: the study's project on the server.
        environ: environment variables; the process's own if not given.

    Raises:
        InputError: the user asked for ClearML, which is not configured or not installed.
    """
    environ = os.environ if environ is None else environ
    if choice not in CHOICES:
        raise InputError(f"--clearml: {choice!r} is not known; give auto, on or off")
    if choice == "off":
        return Destination(False, "ClearML: off")
    address = _address(environ)
    installed = importlib.util.find_spec("clearml") is not None
    if address is not None and installed:
        return Destination(True, f"ClearML: reports to {address}, project {project}")
    if choice == "auto":
        why = "not configured" if address is None else "configured, but the package is missing"
        return Destination(False, f"ClearML: off ({why})")
    if not installed:
        raise InputError("--clearml on: the package is missing; pip install 'labelworth[clearml]'")
    if environ.get(_OFFLINE):
        raise InputError(f"--clearml on: {_OFFLINE} is set; unset it, and publish later instead")
    raise InputError(f"--clearml on: not configured; {_HOW}")


def logged_in(target: Destination, choice: str) -> Destination:
    """Log in once: rejected keys show before money is spent.

    Args:
        target: the study's destination.
        choice: auto, on or off.

    Raises:
        InputError: the user asked for ClearML, and the server rejects the keys.
    """
    if not target.on:
        return target
    command = [sys.executable, "-P", "-m", "hpo.tracking.clearml.login"]
    environment = subprocess_env.environment(*subprocess_env.TOLOKA)
    try:
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            timeout=_LOGIN_S,
            check=False,
            env=environment,
        )
        code, said = done.returncode, done.stdout.strip().rpartition("\n")[2]
    except subprocess.TimeoutExpired:
        code, said = None, "the ClearML server does not answer"
    if code == DONE:
        return target
    if code == BAD_INPUT and choice == "on":
        raise InputError(f"--clearml on: {said}; mend them, or go on with --clearml off")
    if code == BAD_INPUT:
        return Destination(False, f"ClearML: off ({said}; nothing is mirrored)", at_the_end=True)
    return Destination(True, f"{target.words} ({said or 'no answer'} now; it is tried again)")


def _address(environ: Mapping[str, str]) -> str | None:
    """The address of the SDK's server, without credentials; None without a configuration."""
    file = _file(environ)
    text = file.read_text(encoding="utf-8", errors="replace") if file else ""
    given = [name for name in environ if name.startswith("CLEARML_API_") and environ[name]]
    if (not given and "access_key" not in text) or environ.get(_OFFLINE):
        return None
    for variable, setting in (
        ("CLEARML_WEB_HOST", "web_server"),
        ("CLEARML_API_HOST", "api_server"),
    ):
        line = re.search(rf'^\s*{setting}\s*[:=]\s*"?([^"\s#]+)', text, re.MULTILINE)
        if environ.get(variable) or line:
            shown = environ.get(variable) or (line[1] if line else "")
            return re.sub(r"//[^/@]*@", "//", shown)
    return "https://app.clear.ml"


def _file(environ: Mapping[str, str]) -> Path | None:
    """The configuration file that the SDK would read."""
    named = environ.get("CLEARML_CONFIG_FILE")
    files = [Path(named).expanduser()] if named else [Path.home() / "clearml.conf"]
    return next((file for file in files if file.is_file()), None)


@contextmanager
def mirroring(
    folder: Path,
    on: bool,
    external: str | None = None,
    project: str | None = None,
    pictures: bool | None = None,
) -> Iterator[None]:
    """Mirror a study while it runs, and print at the end how far the mirror is.

    Args:
        folder: the run directory.
        on: whether to mirror at all.
        external: address of the images on the web; None uploads them.
        project: the project that holds the studies' projects; None for the last choice.
        pictures: whether the server gets images; None for the last choice.
    """
    if not on:
        yield
        return
    choices = chosen(folder, external, project, pictures)
    leave_state(folder, choices, {})
    begun, patient = time.monotonic(), False
    try:
        live = Live(folder, external)
    except OSError as error:
        print(f"ClearML: the mirror cannot be started ({error}); publish later", file=sys.stderr)
        yield
        return
    try:
        yield
        patient = True
    finally:
        print(live.close(time.monotonic() - begun if patient else 0.0), file=sys.stderr)


class Live:
    """A mirror's process. It ends when the study's process has ended and all is mirrored.

    Args:
        folder: the run directory.
        external: address of the images on the web; None uploads them.
    """

    def __init__(self, folder: Path, external: str | None = None) -> None:
        self._folder = folder
        command = [sys.executable, "-P", "-m", "hpo.publish", str(folder), "--follow"]
        if external is not None:
            command += ["--images-external", external]
        self._alive = ExitStack()
        reader, writer = os.pipe()  # the reader sees its end when the last writer has closed it
        self._alive.enter_context(ours(writer))
        try:
            with open(folder / LOG, "ab", opener=private) as log:
                self._process = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=reader,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # the terminal's Ctrl-C is for the study
                    env=subprocess_env.environment(*subprocess_env.TOLOKA),
                )
        except OSError:
            self._alive.close()
            raise
        finally:
            os.close(reader)

    def close(self, worked: float = 0.0) -> str:
        """Let the mirror finish in the background. Returns how far it is, in words.

        Args:
            worked: seconds that the study took. The wait is a twentieth of them at most.
        """
        self._alive.close()
        try:
            self._process.wait(min(_LONGEST_WAIT_S, _SHARE * worked))
        except subprocess.TimeoutExpired:
            self._process.returncode = 0  # it goes on alone; its status is not needed
            return self._words(following=True)
        return self._words(following=False)

    def _words(self, following: bool) -> str:
        completes = f"labelworth publish {self._folder} completes it (log: {LOG})"
        state = read_state(self._folder)
        page, done = state.get("page", ""), int(state.get("done", 0))
        wanted = max(done, _label_sets(self._folder))
        far = f"{done} of {wanted} label sets are there" if page else "nothing is there yet"
        whole = bool(page) and not state["problems"] and done == wanted
        if following:
            far += f"; the rest follows in the background, else {completes}"
        elif not whole:
            far += f"; {completes}"
        table = f"\nClearML: trials by accuracy, with their cost: {state['table']}" if page else ""
        return f"ClearML: {far}{f': {page}' if page else ''}{table}"


def _label_sets(folder: Path) -> int:
    """Label sets in the journal, which a mirror may not have read to the end."""
    from budget.files import JsonLines
    from hpo.study.journal import told_versions

    try:
        events = JsonLines(folder / "journal.jsonl").new()
    except (OSError, ValueError):
        return 0
    return len({version for event in events for version in told_versions(event)})

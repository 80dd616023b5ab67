"""The program that runs, as far as another machine could fetch it: commit, entry, packages."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_NAME = "labelworth"
_ENTRY = "hpo/run.py"
_GIT_S = 5.0  # a repository on a share that hangs holds no study up for longer


@cache
def program() -> dict[str, Any]:
    """Repository, commit, branch, entry point and packages of this very code, where there are any.

    Without a checkout of its own, the commit is that of the folder it was started in. No address
    holds a password, and none is of this machine.
    """
    home = Path(__file__).resolve().parents[2]
    entry = _git(home, "ls-files", "--full-name", "--error-unmatch", _ENTRY)
    where = home if entry else Path.cwd()
    found = {
        "repository": _fetchable(_git(where, "config", "--get", "remote.origin.url")),
        "commit": _git(where, "rev-parse", "HEAD"),
        "branch": _git(where, "rev-parse", "--abbrev-ref", "HEAD"),
        "entry_point": entry or _NAME,
        "packages": _packages(with_own=not entry),
    }
    return {name: value for name, value in found.items() if value}


def _git(folder: Path, *words: str) -> str:
    """What git answers; empty where it is missing, or there is no repository."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *words],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_GIT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _fetchable(address: str) -> str:
    """An address that others reach, without user and password; empty for a path of this machine."""
    if address.startswith("file:") or not ("://" in address or re.match(r"[^/]+@[^/]+:", address)):
        return ""
    return re.sub(r"//[^/@]*@", "//", address)


def _packages(with_own: bool) -> list[str]:
    """The packages that it was installed with, each at its version."""
    try:
        asked = metadata.requires(_NAME) or []
    except metadata.PackageNotFoundError:
        return []
    names = [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in asked if "extra ==" not in line]
    return sorted(filter(None, map(_pinned, [*names, *([_NAME] if with_own else [])])))


def _pinned(name: str) -> str:
    try:
        return f"{name}=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return ""

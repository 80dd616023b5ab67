"""Known vulnerabilities of the installed packages: `make check` asks OSV's database by pip-audit.

Where the database cannot be reached, one line says so and nothing fails: a check on a machine
without network is no worse than before.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

DATABASE = "api.osv.dev"
EXCEPTIONS: dict[str, str] = {}
"""Vulnerabilities that do not concern this program, each with the reason."""
_WAIT_S = 5.0
_LONGEST_S = 300.0


def is_reachable(host: str = DATABASE) -> bool:
    """Whether the database's host accepts a connection."""
    try:
        with socket.create_connection((host, 443), timeout=_WAIT_S):
            return True
    except OSError:
        return False


def command(exceptions: Mapping[str, str] = EXCEPTIONS) -> list[str]:
    """The words that audit this interpreter's packages."""
    words = ["--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off"]
    ignored = [word for name in exceptions for word in ("--ignore-vuln", name)]
    return [sys.executable, "-m", "pip_audit", "--skip-editable", *words, *ignored]


def lines_of(told: str) -> list[str]:
    """One line for each vulnerability that pip-audit's JSON names.

    Raises:
        ValueError: it is no answer of pip-audit.
    """
    packages: Sequence[Mapping[str, Any]] = json.loads(told)["dependencies"]
    return [
        f"{package['name']} {package['version']}: {found['id']}; "
        f"mended in {', '.join(found['fix_versions']) or 'no release yet'}"
        for package in packages
        for found in package.get("vulns", ())
    ]


def main() -> int:
    """Audit and print; 1 where a vulnerability is known that no exception names."""
    if not is_reachable():
        print(f"dependency audit: not run, {DATABASE} cannot be reached from here")
        return 0
    try:
        done = subprocess.run(command(), capture_output=True, text=True, timeout=_LONGEST_S)
        found = lines_of(done.stdout)
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        print(f"dependency audit: not run, pip-audit gave no answer ({type(error).__name__})")
        return 0
    for line in found:
        print(f"dependency audit: {line}")
    print(f"dependency audit: {len(found)} known vulnerabilities, {len(EXCEPTIONS)} exceptions")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

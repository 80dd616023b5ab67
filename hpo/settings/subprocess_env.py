"""The environment of a program of ours that this process starts."""

from __future__ import annotations

import os
from pathlib import Path

TOLOKA = ("TOLOKA_TOKEN", "TOLOKA_TOKEN_FILE")
CLEARML = ("CLEARML_API_ACCESS_KEY", "CLEARML_API_SECRET_KEY")


def environment(*without: str, **further: str) -> dict[str, str]:
    """This process's variables, in which this very code is found, without secrets not needed.

    Args:
        without: names of variables that the program has no use for.
        further: variables of its own.
    """
    home = str(Path(__file__).resolve().parents[2])
    outer_path = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([home, *([outer_path] if outer_path else [])])
    kept = {name: value for name, value in os.environ.items() if name not in without}
    return {**kept, "PYTHONPATH": path, **further}

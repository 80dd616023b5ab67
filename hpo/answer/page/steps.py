"""The commands that repeat a study and that follow it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from hpo.settings.config import make_config, to_plain
from hpo.settings.parsing import BUILT_IN_DATA
from hpo.settings.table import SETTINGS


def steps_of(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a reader may want to do, each with its command."""
    run = shlex.quote(f"runs/{report['study']}")
    steps = [
        ("Repeat the study, or go on with it", repeat_command(report)),
        ("Everything behind the answer, at a terminal", f"labelworth report {run} --details"),
        ("This page without images, to pass on", f"labelworth report {run} --html --no-images"),
    ]
    if made := report["delivery"]:
        version = made["labels"]["version"]
        steps += [
            ("The labels in a folder", f"labelworth data get {version} --to labels"),
            ("Label new images", f"labelworth predict {run}/model.safetensors NEW_IMAGES"),
            ("Buy further labels where they are least sure", f"labelworth buy {run} --budget 5"),
        ]
    elif best := report["recommended"]:
        key = best["plan"]["key"]
        steps.append(("Buy the recommended plan", f"labelworth buy {run} --plan {key}"))
    return steps


def repeat_command(report: Mapping[str, Any]) -> str:
    """The command line of a study: every setting that is not the default.

    Reports hold no paths: where a setting named a file, the file's word stands.
    """
    config = report["config"]
    usual = to_plain(make_config({"budget": config["budget"]}))
    parts = ["labelworth"]
    for row in SETTINGS:
        value = config.get(row.name)
        is_same = value == usual[row.name] or value is None
        if not row.has_flag or (is_same and row.name not in ("budget", "study")):
            continue
        if row.metavar:
            text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
            parts += [row.flag, shlex.quote(_with_file(row.name, text))]
        elif value:
            parts.append(row.flag)
    return " ".join(parts)


def _text(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _with_file(name: str, text: str) -> str:
    return f"{text}:IMAGES" if name == "data" and text not in BUILT_IN_DATA else text

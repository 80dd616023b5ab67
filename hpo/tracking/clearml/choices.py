"""What a user chooses of a mirror, remembered in the run directory: its project, its pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.files import write_whole

STATE = "clearml.json"
"""What a mirror leaves in the run directory: what was chosen for it, and what it has done."""
_CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Choices:
    """What is chosen of a mirror.

    Attributes:
        project: the project above all studies'.
        pictures: whether the server gets images; without, it gets names and labels.
        external: address of the images on the web; None uploads them.
    """

    project: str = "labelworth"
    pictures: bool = True
    external: str | None = None

    def study_project(self, study: str) -> str:
        """The project of a study."""
        return f"{self.project}/{study}"


def project_path(text: str) -> str:
    """A project's path on the server, such as team/labels.

    Raises:
        InputError: it is none.
    """
    parts = [part.strip() for part in text.strip().strip("/").split("/")]
    if not all(parts) or len("/".join(parts)) < 3:
        raise InputError(
            f"--clearml-project: {text!r} is no project's path of 3 letters or more, such as "
            "team/labels"
        )
    return "/".join(parts)


def pictures_or_not(text: str) -> bool:
    """Whether the server gets images.

    Raises:
        InputError: it is neither on nor off.
    """
    if text not in ("on", "off"):
        raise InputError(f"--clearml-images: {text!r} is not known; give on or off")
    return text == "on"


def chosen(
    folder: Path,
    external: str | None = None,
    project: str | None = None,
    pictures: bool | None = None,
) -> Choices:
    """What is chosen now; what is not given is as it was chosen last for this run directory.

    Args:
        folder: the run directory.
        external: address of the images on the web.
        project: the project above all studies'.
        pictures: whether the server gets images.
    """
    known = read_state(folder).get(_CHOSEN, {})
    last = Choices(str(known.get("project", "labelworth")), bool(known.get("pictures", True)))
    return replace(
        last,
        project=last.project if project is None else project,
        pictures=last.pictures if pictures is None else pictures,
        external=external,
    )


def read_state(folder: Path) -> dict[str, Any]:
    """What a mirror has left in the run directory; empty where there is nothing, or it is torn."""
    try:
        found = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def leave_state(folder: Path, choices: Choices, facts: Mapping[str, Any]) -> None:
    """Remember what was chosen and done: the record of it is the server, this is for people."""
    known = {"project": choices.project, "pictures": choices.pictures}
    text = json.dumps({_CHOSEN: known, **facts}, indent=1)
    write_whole(folder / STATE, f"{text}\n".encode())

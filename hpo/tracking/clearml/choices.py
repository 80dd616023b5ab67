"""The user's choices for a mirror (project, pictures), remembered in the run directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.files import write_whole

STATE = "clearml.json"
"""The mirror's file in the run directory: the choices, and the state of its work."""
_CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Choices:
    """The user's choices for a mirror.

    Attributes:
        project: the project that holds the studies' projects.
        pictures: whether the server gets images. It always gets names and labels.
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
        InputError: it is no project's path.
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
    """The choices that hold now. An argument that is None keeps the run directory's last choice.

    Args:
        folder: the run directory.
        external: address of the images on the web.
        project: the project that holds the studies' projects.
        pictures: whether the server gets images.
    """
    kept = read_state(folder).get(_CHOSEN, {})
    last = Choices(str(kept.get("project", "labelworth")), bool(kept.get("pictures", True)))
    return replace(
        last,
        project=last.project if project is None else project,
        pictures=last.pictures if pictures is None else pictures,
        external=external,
    )


def read_state(folder: Path) -> dict[str, Any]:
    """The mirror's file in the run directory; empty where it is missing or damaged."""
    try:
        state = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def leave_state(folder: Path, choices: Choices, facts: Mapping[str, Any]) -> None:
    """Write the mirror's file, for people and for the next start. The server holds the record."""
    kept = {"project": choices.project, "pictures": choices.pictures}
    text = json.dumps({_CHOSEN: kept, **facts}, indent=1)
    write_whole(folder / STATE, f"{text}\n".encode())

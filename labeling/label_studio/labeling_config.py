"""A campaign as a labeling page of Label Studio, and answers read back from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from budget.errors import InputError
from budget.files import write_whole
from labeling.campaign.campaign import Campaign

_KEYS = "1234567890qwertyuiopasdfghjklzxcvbnm"
IMAGE, ROW = "image", "lw_task"
"""Fields of a task's data: the image's address, and its row in the study."""


def config_of(campaign: Campaign) -> str:
    """The labeling page: each question with its classes and hotkeys, and the image below.

    Below, since a large image would push the choices out of sight.

    Raises:
        InputError: two classes of a question differ by blanks only.
    """
    keys = iter(_KEYS)
    lines = ["<View>"]
    for at, question in enumerate(campaign.questions):
        if len({" ".join(name.split()) for name in question.classes}) < len(question.classes):
            raise InputError(f"question {question.name!r}: two classes differ by blanks only")
        lines.append(f"  <Header value={quoteattr(question.text)}/>")
        lines.append(
            f'  <Choices name="{control_name(at)}" toName="{IMAGE}" choice="single" '
            'required="true" showInLine="true">'
        )
        for name in question.classes:
            key = next(keys, "")
            hotkey = f" hotkey={quoteattr(key)}" if key else ""
            lines.append(f"    <Choice value={quoteattr(name)}{hotkey}/>")
        lines.append("  </Choices>")
    image = f'  <Image name="{IMAGE}" value="${IMAGE}" zoom="true"/>'
    return "\n".join([*lines, image, "</View>"])


def control_name(question: int) -> str:
    """What the page calls a question, by its place in the campaign."""
    return f"q{question}"


def fingerprint(config: str) -> str:
    """A hash of a labeling page, blanks between tags apart."""
    text = "".join(line.strip() for line in config.splitlines())
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def kept_page(path: Path, campaign: Campaign) -> str:
    """The study's labeling page: a later release that lays pages out anew goes on with it."""
    if not path.exists():
        write_whole(path, config_of(campaign).encode())
    return path.read_text(encoding="utf-8")


def labels_in(result: Sequence[Mapping[str, Any]], campaign: Campaign) -> tuple[int, ...] | None:
    """The class chosen for each question; None if one is missing, unknown or given twice."""
    chosen: dict[str, list[str]] = {}
    for region in result:
        if not isinstance(region, Mapping):
            return None
        value = region.get("value") or {}
        chosen.setdefault(str(region.get("from_name")), []).extend(value.get("choices") or [])
    labels = []
    for at, question in enumerate(campaign.questions):
        names = chosen.get(control_name(at), [])
        if len(names) != 1 or names[0] not in question.classes:
            return None
        labels.append(question.classes.index(names[0]))
    return tuple(labels)


def result_of(labels: tuple[int, ...], campaign: Campaign) -> list[dict[str, Any]]:
    """An answer, or a prediction, as the labeling page has it: `labels_in` reads it back."""
    return [
        {
            "from_name": control_name(at),
            "to_name": IMAGE,
            "type": "choices",
            "value": {"choices": [question.classes[label]]},
        }
        for at, (question, label) in enumerate(zip(campaign.questions, labels, strict=True))
    ]

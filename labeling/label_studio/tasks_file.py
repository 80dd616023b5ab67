"""A label version as tasks of Label Studio: answers as annotations, the label as a prediction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from labeling.label_studio.labeling_config import IMAGE, control_name
from labeling.versions import ANSWERS, LABELS, Version


def tasks_of(version: Version, address: Callable[[str], str]) -> list[dict[str, Any]]:
    """The tasks of a version, as Label Studio imports them.

    Usable answers to tasks that are no control tasks become annotations, with their working time.
    The best label, or else the people's label, becomes a prediction with its probability as score.

    Args:
        version: the label set.
        address: address of the image of a name.
    """
    answers = version.table(ANSWERS)
    given: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    columns = ("image", "annotator", "label", "control", "usable", "seconds")
    for image, who, label, control, usable, seconds in zip(
        *(answers[name] for name in columns), strict=True
    ):
        if usable == "1" and control == "0":
            given[image].append(
                {
                    "result": _choice(label),
                    "lead_time": float(seconds) if seconds else None,
                    "meta": {"annotator": who},
                }
            )
    labels = version.table(LABELS)
    best = "best_label" in labels
    names, sure = ("best_label", "best_confidence") if best else ("label", "confidence")
    return [
        {
            "data": {IMAGE: address(image), "name": image},
            "annotations": given[image],
            "predictions": [
                {
                    "model_version": f"labelworth-{version.id[:12]}",
                    "score": float(score),
                    "result": _choice(label),
                }
            ],
        }
        for image, label, score in zip(labels["image"], labels[names], labels[sure], strict=True)
    ]


def _choice(label: str) -> list[dict[str, Any]]:
    value = {"choices": [label]}
    where = {"from_name": control_name(0), "to_name": IMAGE}
    return [{**where, "type": "choices", "value": value}]

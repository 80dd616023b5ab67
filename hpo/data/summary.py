"""What a study's images are, in a few lines: said before anything is bought."""

from __future__ import annotations

from hpo.data.dataset import Dataset, class_counts, few_labels_notes
from hpo.data.labels_csv import ROLES
from hpo.settings.config import StudyConfig

_CLASSES = 10  # classes that are all listed; of more, the commonest and the rarest are
_ENDS = 3
_LONGEST = 30  # characters of a class's name


def data_lines(config: StudyConfig, data: Dataset) -> list[str]:
    """Sizes, roles, classes with their shares, and what the user should know of them.

    Args:
        config: names the images.
        data: the images.
    """
    used = sum(len(data.rows[role]) for role in ROLES)
    roles = ", ".join(f"{len(data.rows[role])} {role}" for role in ROLES)
    left_out = f"; {data.left_out} left out" if data.left_out else ""
    lines = [f"Data: {used} images of {config.data}: {roles}{left_out}", _classes(data)]
    notes = [*data.notes, *few_labels_notes(data)]
    return [*lines, *(f"Note: {_one_line(note)}" for note in notes)]


def _classes(data: Dataset) -> str:
    counts = {name: 0 for name in data.classes}
    for role in ROLES:
        for name, count in class_counts(data, role).items():
            counts[name] += count
    labelled = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [
        f"{_short(name)} {100 * count / labelled:.3g} %" if labelled else _short(name)
        for name, count in ranked
    ]
    if len(shown) > _CLASSES:
        shown = [*shown[:_ENDS], "...", *shown[-_ENDS:]]
    unlabelled = sum(len(data.rows[role]) for role in ROLES) - labelled
    without = f"; {unlabelled} images have no label" if unlabelled else ""
    return f"Classes: {len(counts)}: {', '.join(shown)}{without}"


def _short(name: str) -> str:
    line = _one_line(name)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def _one_line(text: str) -> str:
    return " ".join(text.split())

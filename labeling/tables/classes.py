"""One reader of classes: from the labels in a file to class names and codes.

Spaces at the ends and the Unicode form of a label do not matter. Whole numbers are one class in
all their forms. Everything that may be a slip is refused, or goes on by the user's choice; every
label that is read as another text is a note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from budget.errors import InputError
from labeling.tables.spelling import (
    is_missing,
    is_number,
    look_alikes,
    plain_name,
    unguarded,
    whole_number,
)
from labeling.tables.text import note

NO_LABEL = -1
"""Code of a cell without a label."""
KEEP = "--keep-classes"
SKIP = "--skip-empty"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ClassNames:
    """Names of classes, and which spelling is which.

    Attributes:
        names: class names in code order.
        codes: spelling -> class code.
        notes: labels read as another text, one line each.
    """

    names: tuple[str, ...]
    codes: Mapping[str, int]
    notes: tuple[str, ...]

    def code(self, cell: str) -> int | None:
        """Class code of a cell, `NO_LABEL` for a cell without a label, None for another label."""
        name = _name(cell)
        code = self.codes.get(name)
        if code is None and is_missing(cell):
            return NO_LABEL
        return code


def read_classes(origin: str, cells: Iterable[str], keep: bool = False) -> ClassNames:
    """The classes that labels name. Numbers are ordered as numbers, other names as texts.

    Args:
        origin: file and column, for messages.
        cells: the labels; cells that are empty have no class.
        keep: keep classes apart that look like slips.

    Raises:
        InputError: labels look like slips of one another, or like missing values.
    """
    counts: Counter[str] = Counter()
    for cell, count in Counter(cells).items():
        if cell.strip():
            counts[_name(cell)] += count
    plain, notes = _plain_numbers(origin, counts)
    classes: Counter[str] = Counter()
    for name, count in counts.items():
        classes[plain.get(name, name)] += count
    slips = [*_same_numbers(classes), *_slips(classes)]
    missing = _missing(classes)
    if (slips or missing) and not keep:
        remedies = [
            *(["write each class one way"] if slips else []),
            *(["leave such cells empty"] if missing else []),
        ]
        raise InputError(
            f"{origin}: {'; '.join((*slips, *missing)[:_SHOWN])}; {', '.join(remedies)}, or add "
            f"{KEEP} to take each as a class"
        )
    notes += [note(origin, f"{slip}: each is a class ({KEEP})") for slip in (*slips, *missing)]
    numbered = all(whole_number(name) is not None for name in classes)
    names = sorted(classes, key=int) if numbered else sorted(classes)
    place = {name: code for code, name in enumerate(names)}
    codes = {name: place[plain.get(name, name)] for name in counts}
    return ClassNames(tuple(names), codes, tuple(notes))


def match_classes(origin: str, cells: Iterable[str], classes: Sequence[str]) -> ClassNames:
    """The spellings of given classes that labels use.

    A label is a class's name. A whole number matches a number in any form. A position from 0 stands
    for a class only where no class name is a number, and a note says so.

    Args:
        origin: file and column, for messages.
        cells: the labels; a label of no class stays unknown (`ClassNames.code` is None).
        classes: the class names, in code order.
    """
    place = {plain_name(name): code for code, name in enumerate(classes)}
    numbers: dict[str, int] = {}
    for name, code in place.items():
        numbers.setdefault(whole_number(name) or "", code)
    numbers.pop("", None)
    positions = {} if any(map(is_number, place)) else {str(n): n for n in range(len(classes))}
    codes = dict(place)
    same: dict[str, str] = {}
    indices: dict[str, str] = {}
    for name in sorted({_name(cell) for cell in set(cells) if cell.strip()} - set(place)):
        number = whole_number(name) or ""
        if number in numbers:
            codes[name] = numbers[number]
            same[name] = classes[numbers[number]]
        elif number in positions:
            codes[name] = positions[number]
            indices[name] = classes[positions[number]]
    notes = []
    if same:
        notes.append(note(origin, _pairs(same)))
    if indices:
        words = f"numbers are read as positions from 0: {_pairs(indices)}"
        notes.append(note(origin, words))
    return ClassNames(tuple(classes), codes, tuple(notes))


def label_codes(
    origin: str,
    column: str,
    cells: Sequence[str],
    lines: Sequence[int],
    classes: ClassNames,
    row: str = "row",
) -> list[int]:
    """Class code of each cell, `NO_LABEL` for a cell without a label.

    Args:
        origin: name of the file, for messages.
        column: name of the column, for messages.
        cells: the labels.
        lines: the line of each.
        classes: the classes.
        row: the word for a line.

    Raises:
        InputError: a label is not one of the classes.
    """
    code_of = {cell: classes.code(cell) for cell in set(cells)}
    codes = []
    for cell, line in zip(cells, lines, strict=True):
        code = code_of[cell]
        if code is None:
            shown = ", ".join(classes.names[:_SHOWN])
            more = ", ..." if len(classes.names) > _SHOWN else ""
            raise InputError(
                f"{origin}: {row} {line}, column {column}: {cell!r} is not one of the "
                f"{len(classes.names)} classes ({shown}{more}); {_hint(cell, classes.names)}"
            )
        codes.append(code)
    return codes


def _name(cell: str) -> str:
    return plain_name(unguarded(cell.strip()))


def _plain_numbers(origin: str, counts: Counter[str]) -> tuple[dict[str, str], list[str]]:
    """Spelling -> plain form of whole numbers such as 3.0.

    Among numbers such as 1.5 the form stays, but for a number that is there in both forms.
    """
    floats = sorted(name for name in counts if "." in name and whole_number(name) is not None)
    plain = {name: str(whole_number(name)) for name in floats}
    if any(whole_number(name) is None for name in counts if is_number(name)):
        plain = {name: whole for name, whole in plain.items() if whole in counts}
    return plain, [note(origin, _pairs(plain))] if plain else []


def _same_numbers(classes: Counter[str]) -> list[str]:
    """Names that are the same number: two classes by their text, one by their value."""
    of_value: dict[float, list[str]] = {}
    for name in sorted(filter(is_number, classes)):
        of_value.setdefault(float(name), []).append(name)
    groups = [group for group in of_value.values() if len(group) > 1]
    return [f"{_counted(group, classes)} are the same number" for group in groups]


def _slips(classes: Counter[str]) -> list[str]:
    """Names that nearly agree."""
    return [
        f"{_counted(group, classes)} differ by case, spaces or Unicode form only"
        for group in look_alikes(classes)
    ]


def _missing(classes: Counter[str]) -> list[str]:
    """Names by which programs write that a value is missing."""
    names = sorted(filter(is_missing, classes))
    looks = "looks like a missing label" if len(names) == 1 else "look like missing labels"
    return [f"{_counted(names, classes)} {looks}"] if names else []


def _counted(names: Sequence[str], counts: Counter[str]) -> str:
    *most, last = [f"{name!r} ({counts[name]} x)" for name in names]
    return f"{', '.join(most)} and {last}" if most else last


def _pairs(pairs: Mapping[str, str]) -> str:
    listed = [f"{given!r} is read as {name!r}" for given, name in list(pairs.items())[:_SHOWN]]
    more = f", and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    return ", ".join(listed) + more


def _hint(cell: str, names: Sequence[str]) -> str:
    """The remedy: the class that the label looks like, if there is one."""
    given = _name(cell)
    for name in names:
        if look_alikes((plain_name(name), given)):
            return f"write {name!r}"
    if is_number(given) and any(map(is_number, names)):
        return "a number stands for the class of that name, not for a position: write the names"
    return "correct it, or name it among the classes"

r"""Names of images as files list them, and the files that they stand for.

A table from another machine writes `photos\001.PNG` or `001` for `001.png`. One rule is looked for
that leads every name to a file of its own, and is then applied to all names and said.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from labeling.tables.spelling import unguarded

_Key = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class NameMatch:
    """Files of listed names.

    Attributes:
        files: listed name -> name of its file; names without a file are left out.
        rule: the rule in words that follow "found"; "" where the names are those of the files.
    """

    files: dict[str, str]
    rule: str

    def note(self, origin: str, count: int) -> tuple[str, ...]:
        """The line that says the rule; none where names are as they are listed.

        Args:
            origin: the file that lists them.
            count: how many it lists.
        """
        if not self.rule:
            return ()
        name, file = next((n, f) for n, f in self.files.items() if n != f)
        few = f"{len(self.files)} of {count}" if len(self.files) < count else f"all {count}"
        return (f"{origin}: {few} images are found {self.rule}: {name} is {file}",)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A way to read names: names whose key is a file's key stand for the file."""

    words: str
    listed: _Key
    there: _Key


def match_names(listed: Sequence[str], there: Collection[str]) -> NameMatch:
    """Find the file of each name: as it is written, else by the one rule that finds most.

    A rule counts only where it gives each of its names one file, and no file to two names.

    Args:
        listed: names, each once.
        there: names of the files, with / between folders.
    """
    exact = set(there)
    best = NameMatch({name: name for name in listed if name in exact}, "")
    for rule in _rules(listed, there):
        if len(best.files) == len(listed):
            break
        files = _apply(rule, listed, there)
        if files is not None and len(files) > len(best.files):
            best = NameMatch(files, rule.words)
    return best


def files_in(root: Path) -> list[str]:
    """Names of all files in a folder and its sub-folders, but hidden ones, in order."""
    names = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(
        name.as_posix()
        for name in names
        if not any(part.startswith((".", "__MACOSX")) for part in name.parts)
    )


def tidy(name: str) -> str:
    """A name without "./" and doubled slashes: the same file has one name."""
    return posixpath.normpath(name) if name and ".." not in name.split("/") else name


def is_absolute(name: str) -> bool:
    """Whether a name is a path from the root of a disk, of any system."""
    return name.startswith(("/", "\\")) or (name[1:2] == ":" and name[2:3] in ("/", "\\"))


def _apply(rule: _Rule, listed: Sequence[str], there: Collection[str]) -> dict[str, str] | None:
    """Name -> file by a rule; None where it cannot tell files or names apart."""
    by_key: dict[str, list[str]] = {}
    for file in there:
        by_key.setdefault(rule.there(file), []).append(file)
    files: dict[str, str] = {}
    for name in listed:
        candidates = by_key.get(rule.listed(name), [])
        if len(candidates) > 1:
            return None
        if candidates:
            files[name] = candidates[0]
    return files if len(set(files.values())) == len(files) else None


def _rules(listed: Sequence[str], there: Collection[str]) -> Iterator[_Rule]:
    """Rules from the plainest on: those of one step, then of two, and so on."""
    everything = [*listed, *there]
    steps: list[_Rule] = []
    if any("\\" in name for name in listed):
        steps.append(_Rule("with / for \\", _slashes, _same))
    if any(unguarded(name) != name for name in listed):
        steps.append(_Rule("without the apostrophe of spreadsheets", unguarded, _same))
    if not all(name.isascii() for name in everything):
        steps.append(_Rule("in another Unicode form", _composed, _composed))
    steps.append(_Rule("in another case", str.casefold, str.casefold))
    steps.append(_Rule("with an extension", _same, _stem))
    choices = []
    for chosen in product((False, True), repeat=len(steps)):
        for place in (None, *_places(listed)):
            taken = [step for step, on in zip(steps, chosen, strict=True) if on]
            if place is not None:
                taken.insert(1 if taken and taken[0].listed is _slashes else 0, place)
            if taken:
                choices.append(taken)
    for taken in sorted(choices, key=len):
        yield _joined(taken)


def _places(listed: Sequence[str]) -> list[_Rule]:
    """Ways to read the folders of names: without those that all share, or without any."""
    split = [_slashes(name).split("/")[:-1] for name in listed]
    shared = posixpath.commonprefix(split) if split else []
    places = [_without("/".join(shared[:depth]) + "/") for depth in range(1, len(shared) + 1)]
    return [*places, _Rule("by their last part, in any sub-folder", _last_part, _last_part)]


def _without(prefix: str) -> _Rule:
    return _Rule(f"without {prefix!r}", lambda name: name.removeprefix(prefix), _same)


def _joined(rules: Sequence[_Rule]) -> _Rule:
    def through(keys: Sequence[_Key]) -> _Key:
        def key(name: str) -> str:
            for step in keys:
                name = step(name)
            return name

        return key

    words = " and ".join(rule.words for rule in rules)
    return _Rule(words, through([r.listed for r in rules]), through([r.there for r in rules]))


def _same(name: str) -> str:
    return name


def _slashes(name: str) -> str:
    return name.replace("\\", "/")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]

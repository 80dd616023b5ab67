"""The blocks of the documentation that a reader may copy: shell commands and Python.

A block is run unless a comment stands before it: `<!-- not run: REASON -->`. A shell line counts if
it begins with a program that readers have, or with "$ ".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests import ROOT

_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*$")
_PROGRAMS = ("labelworth ", "python ", "make ", "pip ")


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        page: its page, from the root of the repository.
        line: where it begins.
        is_python: Python; else shell.
        text: Python, or one command.
        refused: the error line that the page shows below the command; empty for none.
        reason: why it is not run; empty where it is.
    """

    page: str
    line: int
    is_python: bool
    text: str
    refused: str = ""
    reason: str = ""


def pages() -> list[str]:
    """README and every page of docs/, from the root of the repository."""
    return ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in its order."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    return [block for part in _parts(lines) for block in _made(page, *part)]


def _parts(lines: list[str]) -> Iterator[tuple[int, str, list[str], str]]:
    """Fenced and indented parts: line, language, lines, and why they are not run."""
    at, reason = 0, ""
    while at < len(lines):
        line = lines[at]
        if marked := _NOT_RUN.match(line.strip()):
            at, reason = at + 1, marked[1]
            continue
        if fence := re.match(r"(\s*)```(\w*)", line):
            end = next(n for n in range(at + 1, len(lines)) if lines[n].strip() == "```")
            inside = [each.removeprefix(fence[1]) for each in lines[at + 1 : end]]
            yield at + 2, fence[2], inside, reason
            at, reason = end + 1, ""
        elif line.startswith("    ") and (at == 0 or not lines[at - 1].strip() or reason):
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield at + 1, "", [each[4:] for each in lines[at:end]], reason
            at, reason = end, ""
        else:
            reason = reason if not line.strip() else ""
            at += 1


def _made(page: str, line: int, language: str, lines: list[str], reason: str) -> Iterator[Block]:
    if language == "python":
        yield Block(page, line, True, "\n".join(lines) + "\n", "", reason)
        return
    at = 0
    while at < len(lines):
        start, text = at, lines[at]
        while text.endswith("\\") and at + 1 < len(lines):
            at += 1
            text = text[:-1].rstrip() + " " + lines[at].strip()
        at += 1
        is_asked = text.startswith("$ ")
        if is_asked or text.startswith(_PROGRAMS):
            below = lines[at] if at < len(lines) and is_asked else ""
            refused = below if below.startswith("labelworth: ") else ""
            yield Block(page, line + start, False, text.removeprefix("$ "), refused, reason)

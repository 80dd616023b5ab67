"""Documents as the API keeps them: collections of dictionaries, filtered, sorted and projected."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]

_FIELDS = (
    "id",
    "name",
    "basename",
    "comment",
    "user",
    "project",
    "parent",
    "type",
    "status",
    "tags",
    "system_tags",
    "status_changed",
    "last_update",
    "created",
    "started",
    "completed",
    "ready",
    "uri",
    "task",
    "_any_",
    "_all_",
)
"""Parts of a query that choose documents; the API ignores what it does not know."""


class Refused(Exception):  # noqa: N818
    """The API's answer to a request it does not accept."""

    def __init__(self, code: int, subcode: int, message: str) -> None:
        super().__init__(message)
        self.code, self.subcode, self.message = code, subcode, message


def now() -> str:
    """The server's time, as it writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def new_id() -> str:
    """A document's id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def dig(document: Any, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for part in path.split("."):
        if isinstance(document, Mapping):
            document = document.get(part)
        else:
            return None
    return document


def plant(document: Document, path: str, value: Any) -> None:
    """Set the value at a dotted path."""
    *way, last = path.split(".")
    for part in way:
        document = document.setdefault(part, {})
    document[last] = value


class Collection:
    """Documents of one kind by id."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._documents: dict[str, Document] = {}

    def __iter__(self) -> Iterable[Document]:
        return iter(list(self._documents.values()))

    def add(self, fields: Mapping[str, Any]) -> Document:
        """Keep a new document."""
        document = {"id": new_id(), "created": now(), "last_update": now(), **deepcopy(fields)}
        self._documents[document["id"]] = document
        return document

    def get(self, document_id: str | None) -> Document:
        """A document itself, to be changed in place."""
        if document_id not in self._documents:
            raise Refused(400, 101 if self.kind == "task" else 201, f"Invalid {self.kind} id")
        return self._documents[document_id]

    def find(self, document_id: str | None) -> Document | None:
        """A document, or None."""
        return self._documents.get(document_id or "")

    def remove(self, document_id: str) -> None:
        """Forget a document."""
        self.get(document_id)
        del self._documents[document_id]

    def query(self, body: Mapping[str, Any]) -> tuple[list[Document], str]:
        """Documents that match a query's fields, in its order, page and projection.

        Returns:
            The documents, and a scroll id to go on with.
        """
        found = [d for d in self._documents.values() if self._visible(d, body)]
        for field in _FIELDS:
            if body.get(field) is not None:
                found = [d for d in found if _matches(d, field, body[field])]
        for key in reversed(body.get("order_by") or []):
            path, down = key.lstrip("-"), key.startswith("-")
            found.sort(key=lambda d, path=path: _rank(dig(d, path)), reverse=down)
        found, scroll = _page(found, body)
        fields = body.get("only_fields")
        return [_projected(d, fields) for d in found], scroll

    def _visible(self, document: Document, body: Mapping[str, Any]) -> bool:
        if body.get("search_hidden") or body.get("id") or self.kind not in ("project", "task"):
            return True
        return "hidden" not in (document.get("system_tags") or [])


def _matches(document: Document, field: str, wanted: Any) -> bool:
    if field in ("_any_", "_all_"):
        test = any if field == "_any_" else all
        values = [dig(document, name) for name in wanted["fields"]]
        return test(_like(value, wanted["pattern"]) for value in values)
    value = dig(document, field)
    if field in ("name", "basename", "comment") and isinstance(wanted, str):
        return _like(value, wanted)
    if field in ("tags", "system_tags"):
        return _tagged(value or [], wanted)
    if isinstance(wanted, list):
        if not wanted:
            return True
        if isinstance(wanted[0], str) and wanted[0][:1] in "<>":
            return all(_compares(value, item) for item in wanted)
        return value in wanted
    return bool(value == wanted)


def _like(value: Any, pattern: str) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(re.search(pattern, v, re.IGNORECASE) for v in values if isinstance(v, str))


def _tagged(tags: list[str], wanted: list[str]) -> bool:
    """Any of the wanted tags, or all after "__$all"; none of those after "-" or "__$not"."""
    every = "__$all" in wanted or "__$and" in wanted
    no, yes, negate = [], [], False
    for tag in wanted:
        if tag == "__$not":
            negate = True
        elif not tag.startswith("__$"):
            (no if negate or tag.startswith("-") else yes).append(tag.removeprefix("-"))
            negate = False
    if any(tag in tags for tag in no):
        return False
    return not yes or (all if every else any)(tag in tags for tag in yes)


def _compares(value: Any, test: str) -> bool:
    sign, bound = re.match(r"([<>]=?)(.*)", test).groups()  # type: ignore[union-attr]
    if value is None:
        return False
    left, right = str(value)[:19], bound[:19]
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]


def _rank(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value)


def _page(found: list[Document], body: Mapping[str, Any]) -> tuple[list[Document], str]:
    if body.get("page_size") and body.get("page") is not None:
        start = body["page"] * body["page_size"]
        return found[start : start + body["page_size"]], ""
    if body.get("size") or body.get("scroll_id"):
        start, size = int((body.get("scroll_id") or "0-500").split("-")[0]), 500
        size = body.get("size") or size
        return found[start : start + size], f"{start + size}-{size}"
    return found[: body.get("page_size") or None], ""


def _projected(document: Document, fields: list[str] | None) -> Document:
    if not fields:
        return deepcopy(document)
    kept: Document = {"id": document["id"]}
    for path in fields:
        value = dig(document, path)
        if value is not None:
            plant(kept, path, deepcopy(value))
    return kept

"""The published description of the API as a judge of what is said on the wire.

`Contract(folder)` reads it; a server's `watch=contract.record` collects what was said, and
`contract.problems()` names everything that does not fit, but for the quirks of the description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft4Validator

from labeling.toloka.server import Exchange

Doc = dict[str, Any]
_NOT_DESCRIBED = ("/sim/", "/staging/", "/new/")


@dataclass(frozen=True)
class Quirk:
    """Something that the description says otherwise than the platform does.

    Attributes:
        name: what it is.
        where: pattern of "METHOD path request|reply JSON-pointer: message".
    """

    name: str
    where: str


QUIRKS = (
    Quirk(
        "placeholders such as <ID> are properties that are required",
        r"'<[^>]+>' is a required property",
    ),
    Quirk("view_spec: settings are required", r"view_spec.*'settings' is a required property"),
    Quirk(
        "collector uuid is required in a request, where only the platform can give it",
        r"request .*collector_config.*'uuid' is a required property",
    ),
    Quirk(
        "parameters of a collector are required, also where there is nothing to set",
        r"collector_config: 'parameters' is a required property",
    ),
    Quirk(
        "toloka-kit says overlap: null of tasks without end",
        r"request .*/?overlap: None is not of type 'integer'",
    ),
    Quirk("values of rule conditions are typed as objects", r"conditions/\*/value: "),
    Quirk("filters are typed as text, or as one of kinds that overlap", r"/filter(/|: )"),
    Quirk(
        "parameters of every action are typed as those of a restriction",
        r"action/parameters: '(scope|duration_unit)' is a required property",
    ),
    Quirk(
        "what could not be created is missing from the answer to many tasks, not from its example",
        r"POST /tasks reply /validation_errors: is not described",
    ),
    Quirk(
        "a training also answers as a pool, as toloka-kit's AutoQuality wants it",
        r"/pools/\{\} reply /(inherited_instructions|training_tasks_in_task_suite_count|"
        r"task_suites_required_to_pass|mix_tasks_in_creation_order|shuffle_tasks_in_task_suite|"
        r"retry_training_after_days): is not described",
    ),
    Quirk(
        "many bonuses at once are described in words and by an example only",
        r"POST /user-bonuses request /: ",
    ),
    Quirk("an operation's log is typed as one object; it is a list", r"operations/\{\}/log reply"),
)


@dataclass
class Contract:
    """The description, and what was said.

    Attributes:
        folder: where the description lies.
        said: exchanges recorded.
    """

    folder: Path
    said: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._api = _read(self.folder)
        self._paths = {_shape(path): ops for path, ops in self._api["paths"].items()}

    def record(self, exchange: Exchange) -> None:
        """Keep an exchange; the body of the reply as it is now."""
        body = exchange.reply.body
        if not isinstance(body, bytes | str):
            body = json.loads(json.dumps(body))
        reply = type(exchange.reply)(exchange.reply.status, body, exchange.reply.content_type)
        self.said.append(Exchange(exchange.method, exchange.template, exchange.request, reply))

    def problems(self) -> list[str]:
        """What does not fit, each once."""
        found = {line: None for exchange in self.said for line in self.check(exchange)}
        return list(found)

    def check(self, exchange: Exchange) -> Iterator[str]:
        """What does not fit in one exchange."""
        if exchange.template.startswith(_NOT_DESCRIBED):
            return
        path = _shape(exchange.template.removeprefix("/v1"))
        where = f"{exchange.method} {path}"
        operation = self._paths.get(path, {}).get(exchange.method.lower())
        lines = [*self._request(operation or {}, exchange), *self._reply(operation or {}, exchange)]
        if operation is None and exchange.reply.status < 400:
            lines.append("not described")
        for line in lines:
            full = f"{where} {line}"
            if not any(re.search(quirk.where, full) for quirk in QUIRKS):
                yield full

    def _request(self, operation: Doc, exchange: Exchange) -> Iterator[str]:
        if exchange.reply.status >= 400 or exchange.request.body is None:
            return
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is not None:
            yield from self._misfits("request", schema, exchange.request.body)

    def _reply(self, operation: Doc, exchange: Exchange) -> Iterator[str]:
        status, body = exchange.reply.status, exchange.reply.body
        if status >= 400:
            if not isinstance(body, dict) or not {"request_id", "code", "message"} <= set(body):
                yield f"reply: an error without request_id, code and message: {body!r}"
            return
        # What is created later is answered with 202; the description knows one success each.
        answers = operation.get("responses", {}).items()
        described = next((answer for code, answer in answers if code.startswith("2")), {})
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None and status != 204:
            yield from self._misfits("reply", schema, body)
            yield from self._strangers(schema, body)

    def _misfits(self, side: str, schema: Doc, body: Any) -> Iterator[str]:
        validator = Draft4Validator(self._resolved(schema))
        for error in validator.iter_errors(body):
            for leaf in _leaves(error):
                parts = ["*" if isinstance(p, int) else p for p in leaf.absolute_path]
                pointer = "/".join(parts)
                yield f"{side} /{pointer}: {leaf.message[:200]}"

    def _strangers(self, schema: Doc, body: Any) -> Iterator[str]:
        """Fields of an answer that the description does not know."""
        known = self._fields(schema)
        if known and isinstance(body, dict):
            for name in body:
                if name not in known and not known & {f"<{n}>" for n in ("n", "ID")}:
                    yield f"reply /{name}: is not described"

    def _fields(self, schema: Doc) -> set[str]:
        if "$ref" in schema:
            return self._fields(self._resolve(schema["$ref"]))
        names = set(schema.get("properties", {}))
        for word in ("allOf", "oneOf", "anyOf"):
            for part in schema.get(word, ()):
                names |= self._fields(part)
        return names

    def _resolve(self, reference: str) -> Doc:
        if not reference.startswith("#/"):
            return {}  # another file, which is not published beside this one
        node: Any = self._api
        for part in reference[2:].split("/"):
            node = node[part]
        found: Doc = node
        return found

    def _resolved(self, schema: Doc) -> Doc:
        return {**_cut(schema), "components": _cut(self._api["components"])}


def _cut(node: Any) -> Any:
    """A schema without references to files that are not published.

    Its alternatives overlap (an operation, one task and many tasks have nothing that is required),
    so any of them will do where the description says exactly one.
    """
    if isinstance(node, dict):
        if not str(node.get("$ref", "#")).startswith("#"):
            return {}
        named = {"anyOf" if name == "oneOf" else name: value for name, value in node.items()}
        return {name: _cut(value) for name, value in named.items() if name != "example"}
    return [_cut(value) for value in node] if isinstance(node, list) else node


def _leaves(error: Any) -> Iterator[Any]:
    """The errors of the alternative that fits best, where there are alternatives."""
    if not error.context:
        yield error
        return
    by_choice: dict[Any, list[Any]] = {}
    for inner in error.context:
        by_choice.setdefault(inner.schema_path[0], []).append(inner)
    deepest = max(
        by_choice.values(),
        key=lambda errors: (max(len(e.absolute_path) for e in errors), -len(errors)),
    )
    for inner in deepest:
        yield from _leaves(inner)


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", path)


@cache
def _read(folder: Path) -> Doc:
    with (folder / "fullApi.yaml").open(encoding="utf-8") as file:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        found: Doc = yaml.load(file, loader)
    return found

"""Attachments: the files that annotators send, for projects with file fields."""

from __future__ import annotations

from labeling.toloka.server.model.errors import not_found
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.records import Doc
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes.routing import Reply, Request, route


@route("GET", "/v1/attachments")
def list_attachments(world: PlatformState, request: Request) -> Reply:
    """Files, by pool, assignment, annotator, name and kind."""
    query = dict(request.query)
    if "type" in query:
        query["attachment_type"] = query.pop("type")
    records = [{**doc, **doc["details"]} for doc in world.attachments.values()]
    fields = ("pool_id", "assignment_id", "user_id", "name", "attachment_type")

    def view(record: Doc) -> Doc:
        return world.attachments[record["id"]]

    return Reply(200, page(records, query, fields, view, most=100))


@route("GET", "/v1/attachments/{id}")
def get_attachment(world: PlatformState, request: Request) -> Reply:
    """The description of a file."""
    return Reply(200, _get(world, request.id()))


@route("GET", "/v1/attachments/{id}/download")
def download_attachment(world: PlatformState, request: Request) -> Reply:
    """The file: a line of text that names its assignment."""
    doc = _get(world, request.id())
    text = f"simulated file of assignment {doc['details']['assignment_id']}\n"
    return Reply(200, text.encode(), doc["media_type"])


def _get(world: PlatformState, key: str) -> Doc:
    if key not in world.attachments:
        raise not_found("attachment", key)
    return world.attachments[key]

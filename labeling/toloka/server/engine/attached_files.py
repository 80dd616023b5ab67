"""Files that annotators send with an assignment, for projects with file fields."""

from __future__ import annotations

from labeling.toloka.server.engine.staff import staff_at
from labeling.toloka.server.model.clock import to_iso
from labeling.toloka.server.model.records import Doc, PlatformAssignment, PlatformPool
from labeling.toloka.server.model.world import PlatformState


def attach(world: PlatformState, pool: PlatformPool, assignment: PlatformAssignment) -> None:
    """Fill the file fields of a submitted assignment."""
    staff = staff_at(pool)
    if staff is None:
        return
    names = [field.name for field in staff.fields if field.is_file]
    for answer in assignment.answers if names else ():
        for name in names:
            answer[name] = _file(world, assignment)["id"]


def _file(world: PlatformState, assignment: PlatformAssignment) -> Doc:
    key = world.ids.unique("attachment")
    world.attachments[key] = {
        "id": key,
        "attachment_type": "ASSIGNMENT_ATTACHMENT",
        "name": f"{key[:8]}.txt",
        "details": {
            "user_id": assignment.user_id,
            "assignment_id": assignment.id,
            "pool_id": assignment.pool_id,
        },
        "owner": world.owner,
        "created": to_iso(assignment.submitted or world.now),
        "media_type": "text/plain",
    }
    return world.attachments[key]

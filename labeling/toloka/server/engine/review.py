"""Review: accepts and pays assignments, or rejects them."""

from __future__ import annotations

from labeling.toloka.server.model import pricing
from labeling.toloka.server.model.errors import conflict
from labeling.toloka.server.model.records import ACCEPTED, REJECTED, SUBMITTED, PlatformAssignment
from labeling.toloka.server.model.world import PlatformState

_ALLOWED = {(SUBMITTED, ACCEPTED), (SUBMITTED, REJECTED), (REJECTED, ACCEPTED)}


def decide(
    world: PlatformState, assignment: PlatformAssignment, status: str, comment: str | None
) -> str:
    """Accept or reject a submitted assignment; a rejected one may still be accepted.

    Returns:
        The event, by its name in rules: ACCEPT, REJECT or ACCEPT_AFTER_REJECT.

    Raises:
        ApiError: INAPPROPRIATE_STATUS.
    """
    if (assignment.status, status) not in _ALLOWED:
        raise conflict(
            "INAPPROPRIATE_STATUS",
            f"Assignment {assignment.id} is {assignment.status} and cannot become {status}",
            {"appropriate_statuses": [SUBMITTED, REJECTED]},
        )
    again = assignment.status == REJECTED
    assignment.status = status
    if comment is not None:
        assignment.public_comment = comment
    at = max(world.now, assignment.submitted or 0)
    if status == ACCEPTED:
        assignment.accepted = at
        pricing.settle(world, assignment)
    else:
        assignment.rejected = at
        world.account.release(assignment.id)
    if again or status == REJECTED:
        _count_answers(assignment, accepted=again)
    world.changed()
    return "ACCEPT_AFTER_REJECT" if again else status.removesuffix("ED")


def _count_answers(assignment: PlatformAssignment, accepted: bool) -> None:
    for task, answer in zip(assignment.tasks, assignment.answers, strict=True):
        if accepted:
            task.answered.append((assignment.user_id, answer))
        elif (assignment.user_id, answer) in task.answered:
            task.answered.remove((assignment.user_id, answer))

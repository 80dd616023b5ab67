"""Verdicts on suites and bonuses for annotators: they move money, so each is given once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from budget.errors import MarketError
from budget.money import Money
from labeling.toloka.api.client import Api, kit
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.pools.upload import wait_for
from labeling.types import Assignment

Review = Callable[[Assignment], str | None]
"""Returns the reason to reject an assignment, or None to accept it."""

_SPACE = uuid.UUID("0d2a3c5e-64e1-5b0c-8a3d-5f4c6a1e9b77")


def judge(api: Api, journal: IntentLog, assignment_id: str, reason: str | None) -> None:
    """Accept an assignment, or reject it with a reason for its annotator; a repeat does nothing.

    Args:
        api: the platform.
        journal: the journal; it records the verdict first.
        assignment_id: a submitted assignment of a pool with review.
        reason: reason of the rejection, which is not paid; None to accept.
    """
    verdict = "ACCEPTED" if reason is None else "REJECTED"
    comment = reason or "Thank you"
    journal.write("verdict", assignment_id, INTENT, verdict=verdict, reason=comment)

    # If the answer to the verdict is lost, the assignment's status tells whether it was taken.
    def look(client: Any) -> Any:
        raw = client.get_assignment(assignment_id)
        return raw if str(getattr(raw.status, "value", raw.status)) == verdict else None

    api.write(
        "reviewing an assignment",
        lambda client: client.patch_assignment(
            assignment_id, status=verdict, public_comment=comment
        ),
        look,
    )
    journal.write("verdict", assignment_id, DONE, verdict=verdict)


def give_bonus(
    api: Api, journal: IntentLog, key: str, annotator: str, amount: Money, message: str
) -> None:
    """Pay an annotator a bonus; a repeated call with the same key pays nothing further.

    Args:
        api: the platform.
        journal: the journal; it records the bonus first.
        key: purpose of the bonus; the same key means the same bonus.
        annotator: the platform's id of the annotator.
        amount: amount without the platform fee.
        message: text for the annotator.

    Raises:
        MarketError: the platform refuses the bonus.
    """
    # The operation's id is a hash of the bonus: the platform refuses the same id a second time.
    tc, operation = kit(), uuid.uuid5(_SPACE, f"{key}/{annotator}/{amount.micros}")
    if journal.done("bonus", str(operation)) is not None:
        return
    journal.write("bonus", str(operation), INTENT, annotator=annotator, micros=amount.micros)
    bonus = tc.UserBonus(
        user_id=annotator,
        amount=Decimal(amount.exact()),
        private_comment=f"labelworth {key}",
        public_title={"EN": "Bonus"},
        public_message={"EN": message},
    )
    parameters = tc.user_bonus.UserBonusesCreateRequestParameters(
        operation_id=operation, async_mode=True, skip_invalid_items=False
    )
    started = api.write(
        "paying a bonus",
        lambda client: client.create_user_bonuses_async([bonus], parameters),
        lambda client: client.get_operation(str(operation)),
    )
    wait_for(api, started)
    log = api.read(lambda client: client.get_operation_log(str(operation)))
    paid = [item for item in log if item.success and "user_bonus_id" in (item.output or {})]
    if len(paid) != 1:
        raise MarketError(f"{api.name}: the bonus for {annotator} was not taken: {key}")
    journal.write("bonus", str(operation), DONE, id=paid[0].output["user_bonus_id"])

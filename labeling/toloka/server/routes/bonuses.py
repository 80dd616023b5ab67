"""Bonuses: money for annotators beyond the rewards of their assignments."""

from __future__ import annotations

from budget.errors import InputError
from budget.money import ZERO, Money
from labeling.toloka.server.model import pricing
from labeling.toloka.server.model.clock import to_iso
from labeling.toloka.server.model.errors import conflict, invalid, not_found
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.records import Doc, money
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.objects import BONUSES
from labeling.toloka.server.routes.tasks import create

_SMALLEST, _LARGEST = Money(5_000), Money(100_000_000)


@route("POST", "/v1/user-bonuses", body=BONUSES)
def create_bonuses(world: PlatformState, request: Request) -> Reply:
    """Pay bonuses, at once or as an operation."""
    made: list[Doc] = []

    def make(form: Doc) -> Doc:
        bonus = _bonus(world, form, made)
        made.append(bonus)
        return bonus

    def keep() -> None:
        for bonus in made:
            world.bonuses[bonus["id"]] = bonus
            world.account.charge(world.now, bonus["id"], money(bonus["amount"]))
            if (assignment := world.assignments.get(bonus.get("assignment_id", ""))) is not None:
                assignment.bonus_ids.append(bonus["id"])
        world.changed()

    return create(world, request, "USER_BONUS", make, keep, dict)


def _bonus(world: PlatformState, form: Doc, before: list[Doc]) -> Doc:
    """A bonus, not yet paid; the balance covers it together with the bonuses before it.

    Raises:
        ApiError: an unknown annotator or assignment, or an amount that cannot be paid.
    """
    user, assignment = form.get("user_id"), form.get("assignment_id")
    if user not in world.people:
        raise invalid("user_id", "ENTITY_DOES_NOT_EXIST", "Entity does not exist")
    if assignment is not None and assignment not in world.assignments:
        raise invalid("assignment_id", "ENTITY_DOES_NOT_EXIST", "Entity does not exist")
    try:
        amount = money(form.get("amount"))
    except InputError as error:
        raise invalid("amount", "INVALID_VALUE", str(error)) from None
    if not _SMALLEST <= amount <= _LARGEST:
        raise invalid("amount", "VALUE_OUT_OF_RANGE", f"between {_SMALLEST} and {_LARGEST}")
    earlier = sum((world.account.price(money(bonus["amount"])) for bonus in before), ZERO)
    if pricing.free(world) < earlier + world.account.price(amount):
        raise conflict("NOT_ENOUGH_BALANCE", f"The balance is {pricing.free(world)}")
    key = world.ids.number("bonus")
    return {"without_message": False, **form, "id": key, "created": to_iso(world.now)}


@route("GET", "/v1/user-bonuses")
def list_bonuses(world: PlatformState, request: Request) -> Reply:
    """Bonuses, by annotator and assignment."""
    records = list(world.bonuses.values())
    return Reply(200, page(records, request.query, ("user_id", "assignment_id"), dict))


@route("GET", "/v1/user-bonuses/{id}")
def get_bonus(world: PlatformState, request: Request) -> Reply:
    """One bonus."""
    if request.id() not in world.bonuses:
        raise not_found("user bonus", request.id())
    return Reply(200, world.bonuses[request.id()])

"""Admission of annotators to a pool: bans, the pool's filter, its training and its exam."""

from __future__ import annotations

from labeling.toloka.server.engine.collectors import training_rate
from labeling.toloka.server.engine.staff import AdmissionPool, staff_at
from labeling.toloka.server.model import filters
from labeling.toloka.server.model.records import REAL, TRAINING, PlatformPool
from labeling.toloka.server.model.world import PlatformState


def admission_pools_of(world: PlatformState, pool: PlatformPool) -> list[AdmissionPool]:
    """The trainings and exams that annotators must pass before a pool."""
    required: list[AdmissionPool] = []
    training = (pool.doc.get("quality_control") or {}).get("training_requirement")
    if training and training["training_pool_id"] in world.pools:
        admission_pool = world.pools[training["training_pool_id"]]
        required.append(AdmissionPool(admission_pool, admission_pool.of_kind(TRAINING)))
    for skill in filters.skills_asked(pool.doc.get("filter")):
        for other in world.pools.values():
            is_exam = other is not pool and other.tasks and not other.of_kind(REAL)
            if is_exam and not other.training and _sets_skill(other, skill):
                required.append(AdmissionPool(other, list(other.tasks)))
                break
    return [admission_pool for admission_pool in required if admission_pool.tasks]


def admitted(world: PlatformState, pool: PlatformPool, user: str) -> bool:
    """Whether an annotator may work in a pool, by its filter and its training."""
    wanted = (pool.doc.get("quality_control") or {}).get("training_requirement")
    if wanted and wanted["training_pool_id"] in world.pools:
        rate = training_rate(world.pools[wanted["training_pool_id"]], user)
        if rate is None or rate < wanted["training_passing_skill_value"]:
            return False
    return filters.passes(pool.doc.get("filter"), world.skills_of(user))


def banned(world: PlatformState, pool: PlatformPool, user: str) -> str | None:
    """Reason of an annotator's ban from a pool; None without a ban."""
    for ban in world.bans.get(user, ()):
        here = {
            "ALL_PROJECTS": True,
            "SYSTEM": True,
            "PROJECT": ban.get("project_id") == pool.doc["project_id"],
            "POOL": ban.get("pool_id") == pool.id,
        }
        if here[ban["scope"]] and not ban.get("over"):
            return str(ban.get("private_comment") or "restricted")
    return None


def look_again(world: PlatformState, user: str) -> None:
    """Update in the crowd whether an annotator may work."""
    home = world.people.get(user)
    if home is None:
        return
    pool, person = world.pools[home[0]], home[1]
    staff = staff_at(pool)
    if staff is not None:
        staff.catch_up(world.now)
        staff.crowd.restrict(person, banned(world, pool, user) is not None)
        staff.crowd.admit(person, admitted(world, pool, user))


def _sets_skill(pool: PlatformPool, skill: str) -> bool:
    """Whether a pool's own rules set a skill."""
    for config in (pool.doc.get("quality_control") or {}).get("configs", ()):
        for rule in config.get("rules", ()):
            action = rule["action"]
            named = (action.get("parameters") or {}).get("skill_id")
            if action["type"].startswith("SET_SKILL") and str(named) == skill:
                return True
    return False

"""The official example bodies: toloka-kit's classes read them, and the server takes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .wire import Wire, pool, project

RESPONSES = 47
# File name prefix: toloka-kit's class for one, and for a list.
_KINDS = {
    "aggregated-solution": ("aggregation.AggregatedSolution", "AggregatedSolutionSearchResult"),
    "assignment": ("Assignment", "AssignmentSearchResult"),
    "attachment": ("Attachment", "AttachmentSearchResult"),
    "message-thread": ("MessageThread", "MessageThreadSearchResult"),
    "operation": ("operations.Operation", "OperationSearchResult"),
    "pool": ("Pool", "PoolSearchResult"),
    "project": ("Project", "ProjectSearchResult"),
    "requester": ("Requester", ""),
    "skill": ("Skill", "SkillSearchResult"),
    "task": ("Task", "TaskSearchResult"),
    "task-suite": ("TaskSuite", "TaskSuiteSearchResult"),
    "training": ("Training", "TrainingSearchResult"),
    "user-bonus": ("UserBonus", "UserBonusSearchResult"),
    "user-metadata": ("user.User", ""),
    "user-restriction": ("UserRestriction", "UserRestrictionSearchResult"),
    "user-skill": ("UserSkill", "UserSkillSearchResult"),
    "webhook": ("WebhookSubscription", "WebhookSubscriptionSearchResult"),
}
# Examples of one answer that are something else than their file's name says.
_SPECIAL = {
    ("operation-log", "success"): "operation_log.OperationLogItem",
    ("operation-log", "fail"): "operation_log.OperationLogItem",
    ("task-post", "multiple_tasks"): "batch_create_results.TaskBatchCreateResult",
    ("task-suite-post", "multiple_task_suites"): (
        "batch_create_results.TaskSuiteBatchCreateResult"
    ),
    ("user-bonus-post", "sync_bonus"): "batch_create_results.UserBonusBatchCreateResult",
    ("webhook-test", "success"): "",  # toloka-kit has no class for it
}


def _kit() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # toloka-kit's own: pkg_resources
        import toloka.client
        import toloka.client.batch_create_results
        import toloka.client.operation_log
        import toloka.client.operations
        import toloka.client.user
    return toloka.client


def _class_for(kit: Any, file: str, example: str, value: Any) -> Any:
    special = _SPECIAL.get((file, example))
    if special == "":
        return None
    prefix = max((kind for kind in _KINDS if file.startswith(kind)), key=len)
    one, many = _KINDS[prefix]
    if special is not None:
        name = special
    elif file.endswith("-list"):
        name = f"search_results.{many}"
    elif isinstance(value, dict) and {"type", "submitted"} <= set(value) and "status" in value:
        name = "operations.Operation"
    else:
        name = one
    found = kit
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _examples(folder: Path) -> Iterator[tuple[str, str, Any]]:
    for path in sorted((folder / "toloka-api" / "responses" / "api").glob("*.yaml")):
        for name, example in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            yield path.stem, name, example["value"]


def _plain(value: Any) -> Any:
    """Numbered items have text for keys in JSON; toloka-kit wants the kind of an interface named.

    The examples leave it out where it is the classic one; our server always names it.
    """
    if isinstance(value, dict):
        if "view_spec" in value:
            value["view_spec"].setdefault("type", "classic")
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


@pytest.mark.filterwarnings("ignore")
def test_the_official_answers_are_read_by_toloka_kit(data_folder: Path) -> None:
    kit = _kit()
    examples = list(_examples(data_folder))
    assert len({file for file, _, _ in examples}) == RESPONSES
    read = 0
    for file, name, value in examples:
        cls = _class_for(kit, file, name, value)
        if cls is None:
            continue
        made = cls.structure(_plain(value))
        assert type(made).__name__, (file, name)
        if isinstance(value, dict) and "id" in value:
            assert str(made.id) == str(value["id"]), (file, name)
        read += 1
    assert read >= RESPONSES


_REQUESTS = {
    "project-body": "/v1/projects",
    "skill-body": "/v1/skills",
    "pool-body": "/v1/pools",
    "training-body": "/v1/trainings",
    "task-body": "/v1/tasks",
    "task-suite-body": "/v1/task-suites",
}


def test_the_official_requests_are_taken(data_folder: Path, wire: Wire) -> None:
    """With ids of our own in the places of theirs."""
    spec = wire.post("/v1/projects", project())["task_spec"]
    spec["input_spec"] = {"image": {"type": "url"}, "image_url": {"type": "url", "required": False}}
    spec["input_spec"]["image"]["required"] = False
    where = wire.post("/v1/projects", project(task_spec=spec))["id"]
    ours = wire.post("/v1/pools", pool(where))["id"]
    skill = wire.post("/v1/skills", {"name": "ours"})["id"]
    lessons = {"project_id": where, "private_name": "t", "training_tasks_in_task_suite_count": 1}
    training = wire.post("/v1/trainings", lessons)["id"]
    ids = {"project_id": where, "pool_id": ours, "skill_id": skill, "training_pool_id": training}
    taken = 0
    for file, path in _REQUESTS.items():
        text = (data_folder / "toloka-api" / "requests" / "api" / f"{file}.yaml").read_text()
        for example in yaml.safe_load(text).values():
            wire.post(path, _ours(example["value"], ids), allow_defaults="true")
            assert wire.status in (201, 202), (file, wire.status)
            taken += 1
    assert taken >= 8


def _ours(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: ids.get(name, _ours(one, ids)) for name, one in value.items()}
    return [_ours(one, ids) for one in value] if isinstance(value, list) else value

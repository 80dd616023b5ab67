"""What the platform tells of a project or a pool is held against every field of its description."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import MarketContradiction
from budget.money import Money
from labeling.campaign.campaign import QualityRules
from labeling.toloka.api.client import kit
from labeling.toloka.describe import spec
from labeling.toloka.describe.plain import POOL, PROJECT
from labeling.toloka.describe.read_back import check_pool, check_project, differences
from labeling.toloka.describe.spec import Access, Marker
from labeling.types import Condition
from tests.drawn import examples
from tests.labeling.toloka.ground import CAMPAIGN, TWO, ground

WHEN = datetime(2030, 1, 1, 12, 30, tzinfo=UTC)
Path = tuple[str | int, ...]
CONFIG: Path = ("task_spec", "view_spec", "config")
# Absent, these mean what the description says: the platform need not repeat them.
IMPLIED = {
    "assignments_automerge_enabled",
    "assignments_issuing_type",
    "mixer_config.force_last_assignment",
    "mixer_config.min_golden_tasks_count",
    "mixer_config.shuffle_tasks_in_task_suite",
    "mixer_config.training_tasks_count",
}
IMPLIED_IN_AN_EXAM = {"mixer_config.real_tasks_count", "mixer_config.training_tasks_count"}


@dataclass(frozen=True)
class Case:
    """A described object, with the local platform's answer.

    Attributes:
        schema: toloka-kit's class of the object.
        check: the check before an opening.
    """

    described: Any
    told: dict[str, Any]
    schema: Any
    check: Callable[[str, Any, Any], None]

    def refused(self, told: Any) -> bool:
        """Whether the check refuses an answer, in one line that names the object."""
        try:
            self.check("Toloka", self.described, told)
        except MarketContradiction as error:
            text = str(error)
            assert "\n" not in text
            assert f" {self.told['id']}: " in text
            assert "nothing was opened" in text
            return True
        return False


def described(project_id: str = "1") -> dict[str, tuple[Any, Any, Callable[[str, Any, Any], None]]]:
    """Every kind of object that is read back: projects, paid pools, exams."""
    tc = kit()
    rules = {
        "one": QualityRules(1, 13.0, 1),
        "several": QualityRules(198, 13.0, 2),  # three conditions of a rate
        "none": QualityRules(0, 13.0, 0),
    }

    def paid(name: str, exam: bool = True, auto_accept: bool = True) -> Any:
        campaign = replace(CAMPAIGN, rules=rules[name])
        made = Condition("d", "m", campaign.key, Money.parse("0.002"), 1, 10, exam)
        access = Access("77", 3, "55" if exam else None)
        marker = Marker("study", "run")
        facts = {"order": "o1", "prepared": "2030-01-01T00:00:00"}
        return spec.main_pool(
            campaign, made, project_id, access, marker, WHEN, auto_accept, **facts
        )

    tested = replace(CAMPAIGN, language_test=True)
    return {
        "project": (spec.project(TWO), tc.Project, check_project),
        "pool": (paid("one"), tc.Pool, check_pool),
        "pool with several wrong answers": (paid("several"), tc.Pool, check_pool),
        "pool under review": (paid("none", exam=False, auto_accept=False), tc.Pool, check_pool),
        "exam": (spec.exam_pool(tested, project_id, "55", "abc", WHEN), tc.Pool, check_pool),
    }


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Each described object, and the local platform's answer when it is read again."""
    with ground(tmp_path_factory.mktemp("server"), tasks=30, controls=20) as on:
        api = on.api()
        project = api.read(lambda client: client.create_project(spec.project(TWO))).id
        found = {}
        for name, (thing, schema, check) in described(project).items():
            if schema is kit().Project:
                path = f"/v1/projects/{project}"
            else:
                pool = api.read(lambda client, thing=thing: client.create_pool(thing)).id
                path = f"/v1/pools/{pool}"
            found[name] = Case(thing, api.get(path), schema, check)
    return found


NAMES = list(described())


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, cases: dict[str, Case]) -> Case:
    """One described object after the other."""
    return cases[request.param]


# --- every leaf ---


def leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of an object that holds no further values; JSON text is opened."""
    if path == CONFIG and isinstance(node, str):
        node = json.loads(node)
    if isinstance(node, dict) and node:
        for name, inner in node.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(node, list) and node:
        for at, inner in enumerate(node):
            yield from leaves(inner, (*path, at))
    else:
        yield path, node


def changed(told: dict[str, Any], path: Path, change: Callable[[Any, Any], None]) -> Any:
    """The answer after a change to the value at a path; `change` gets its parent and its place."""
    made = copy.deepcopy(told)
    if path[: len(CONFIG)] == CONFIG and len(path) > len(CONFIG):
        view = made["task_spec"]["view_spec"]
        inner = json.loads(view["config"])
        _reach(inner, path[len(CONFIG) :], change)
        view["config"] = json.dumps(inner)
    else:
        _reach(made, path, change)
    return made


def _reach(node: Any, path: Path, change: Callable[[Any, Any], None]) -> None:
    for step in path[:-1]:
        node = node[step]
    change(node, path[-1])


def set_to(value: Any) -> Callable[[Any, Any], None]:
    return lambda parent, at: parent.__setitem__(at, value)


def remove(parent: Any, at: Any) -> None:
    del parent[at]


OTHERS = {
    "POOL": ["PROJECT", "ALL_PROJECTS"],
    "PERMANENT": ["DAYS", "MINUTES"],
    "GTE": ["GT", "EQ", "LTE"],
}


def others(value: Any, path: Path) -> list[Any]:
    """Other values of the same type."""
    if isinstance(value, bool):
        return [not value]
    if value is None:
        return [5]
    if isinstance(value, str):
        if path[-1] == "will_expire":
            time = datetime.fromisoformat(value)
            return [(time + timedelta(seconds=s)).isoformat() for s in (-3600, 2, 999 * 86400)]
        return OTHERS.get(value, [f"{value}x"])
    return [value + 1, value * 1000 + 9999, type(value)(0) if value else 2, -value or 3]


def test_another_value_of_any_leaf_is_refused(case: Case) -> None:
    """The leaves come from the description, so a newly described field is among them."""
    count = 0
    for path, value in leaves(case.described.unstructure()):
        for other in others(value, path):
            told = changed(case.told, path, set_to(other))
            assert case.refused(told), (path, other)
            assert case.refused(case.schema.structure(told)), (path, other)
            count += 1
    assert count > 40


def test_a_missing_leaf_is_refused_unless_its_absence_means_the_same(case: Case) -> None:
    plain = case.described.unstructure()
    implied = {
        ".".join(map(str, path))
        for path, value in leaves(plain)
        if value is not None and not case.refused(changed(case.told, path, remove))
    }
    assert implied == (IMPLIED_IN_AN_EXAM if is_exam(case) else IMPLIED) & named(plain)


def is_exam(case: Case) -> bool:
    return "labelworth_exam" in case.told.get("metadata", {})


def named(plain: dict[str, Any]) -> set[str]:
    """The leaves' paths as text."""
    return {".".join(map(str, path)) for path, _ in leaves(plain)}


def test_a_missing_branch_is_refused(case: Case) -> None:
    plain = case.described.unstructure()
    branches = {path[:depth] for path, _ in leaves(plain) for depth in range(1, len(path))}
    for path in sorted(branches, key=str):
        assert case.refused(changed(case.told, path, remove)), path


def test_an_item_more_in_any_list_is_refused(case: Case) -> None:
    plain = case.described.unstructure()
    lists = {path[: at + 1] for path, _ in leaves(plain) for at in range(len(path) - 1)}
    lists = {path for path in lists if isinstance(_value(plain, path), list)}
    assert lists
    for path in lists:

        def twice(parent: Any, at: Any) -> None:
            parent[at] = [*parent[at], copy.deepcopy(parent[at][-1])]

        assert case.refused(changed(case.told, path, twice)), path


def _value(node: Any, path: Path) -> Any:
    for at, step in enumerate(path):
        node = json.loads(node) if path[:at] == CONFIG else node
        node = node[step]
    return node


@settings(deadline=None, max_examples=examples(300), derandomize=True)
@given(data=st.data())
def test_any_change_of_any_leaf_is_refused(data: st.DataObject, cases: dict[str, Case]) -> None:
    case = cases[data.draw(st.sampled_from(NAMES))]
    path, value = data.draw(st.sampled_from(list(leaves(case.described.unstructure()))))
    kinds = {
        bool: st.booleans(),
        int: st.integers(-(10**9), 10**9),
        float: st.floats(-1e6, 1e6, allow_nan=False),
    }
    other = data.draw(kinds.get(type(value), st.text(min_size=1)))
    same = other == value and isinstance(other, bool) == isinstance(value, bool)
    told = changed(case.told, path, set_to(other))
    if same:
        assert not case.refused(told)
    elif path[-1] != "public_instructions" or "".join(str(other).split()):
        assert case.refused(told), (path, other)


# --- what is not described ---


def test_what_the_platform_answers_unchanged_is_accepted(case: Case) -> None:
    assert not case.refused(case.told)
    assert not case.refused(case.schema.structure(case.told))
    assert not case.refused({**case.described.unstructure(), "id": case.told["id"]})


ADDED_TO_A_POOL = {
    "owner": {"id": "6c6e", "myself": True},
    "status": "OPEN",
    "created": "2022-03-10T07:41:53.626",
    "last_started": "2022-03-10T07:41:53.626",
    "last_close_reason": "MANUAL",
    "type": "REGULAR",
    "training": False,
    "priority": 0,
    "assignments_issuing_config": {"issue_task_suites_in_creation_order": False},
    "speed_quality_balance": {"percent": 100, "type": "TOP_PERCENTAGE_BY_QUALITY"},
    "dynamic_overlap_config": None,
    "public_instructions": "",
}
ADDED_TO_A_PROJECT = {
    "owner": {"id": "6c6e", "myself": True},
    "status": "ACTIVE",
    "created": "2022-01-22T07:50:14.210",
    "max_active_assignments_count": 15,
    "localization_config": {"default_language": "EN"},
    "quality_control": {"configs": []},
    "metadata": {},
    "sensitive": False,
}


def test_what_the_platform_adds_by_itself_is_accepted(case: Case) -> None:
    is_pool = case.schema is kit().Pool
    told = copy.deepcopy(case.told) | (ADDED_TO_A_POOL if is_pool else ADDED_TO_A_PROJECT)
    if is_pool:
        told.setdefault("auto_accept_period_day", 21)
        told["mixer_config"]["force_last_assignment_delay_seconds"] = 10
        for at, config in enumerate(told["quality_control"]["configs"]):
            config["collector_config"]["uuid"] = f"38830d4b-930b-43ab-a98f-{at:012}"
    else:
        told["task_spec"]["view_spec"]["settings"] = {"showSkip": True}
    assert not case.refused(told)
    assert not case.refused(case.schema.structure(told))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "TRAINING"),
        ("priority", 5),
        ("dynamic_overlap_config", {"type": "BASIC", "max_overlap": 5, "min_confidence": 0.9}),
        ("dynamic_pricing_config", {"type": "SKILL", "skill_id": "1", "intervals": []}),
        ("training_config", {"training_skill_ttl_days": 5}),
        ("speed_quality_balance", {"percent": 20, "type": "TOP_PERCENTAGE_BY_QUALITY"}),
        ("speed_quality_balance", {"count": 3, "type": "BEST_CONCURRENT_USERS_BY_QUALITY"}),
        ("assignments_issuing_config", {"issue_task_suites_in_creation_order": True}),
        ("public_instructions", "Answer at random"),
        ("a_field_of_tomorrow", 3),
    ],
)
def test_what_nobody_described_is_refused(field: str, value: Any, cases: dict[str, Case]) -> None:
    for name in set(NAMES) - {"project"}:
        assert cases[name].refused({**cases[name].told, field: value}), name


RULE: Path = ("quality_control", "configs", 0, "rules", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*RULE, "action", "parameters", "duration"), 999),
        ((*RULE[:3], "collector_config", "parameters"), {"history_size": 5}),
        (("quality_control", "training_requirement"), {"training_pool_id": "9"}),
        (("quality_control", "captcha_frequency"), "HIGH"),
        (("mixer_config", "golden_task_distribution_function"), {"scope": "POOL"}),
        (("defaults", "default_overlap_for_new_training_tasks"), 9),
    ],
)
def test_an_addition_to_a_rule_or_a_mixer_is_refused(
    path: Path, value: Any, cases: dict[str, Case]
) -> None:
    case = cases["pool"]
    assert case.refused(changed(case.told, path, set_to(value)))


# --- the same in another form ---


def test_the_same_in_another_form_is_accepted(cases: dict[str, Case]) -> None:
    """Order of rules, nesting of filters, defaults written out, times and amounts spelled anew."""
    case, chance = cases["pool"], random.Random(3)
    told = copy.deepcopy(case.told)
    control = told["quality_control"]
    for config in control["configs"]:
        for rule in config["rules"]:
            chance.shuffle(rule["conditions"])
    control["configs"].reverse()
    told["filter"] = {"or": [{"and": list(reversed(told["filter"]["and"]))}]}
    for group in told["filter"]["or"][0]["and"]:
        group["or"].reverse()
    told["will_expire"] = "2030-01-01T12:30:00.000Z"
    told["reward_per_assignment"] = "0.020"
    assert case.refused(told), "an amount is a number"
    told["reward_per_assignment"] = 2e-2
    told["mixer_config"]["min_training_tasks_count"] = 0
    assert not case.refused(told)
    project = cases["project"]
    again = copy.deepcopy(project.told)
    view = again["task_spec"]["view_spec"]
    view["config"] = json.dumps(json.loads(view["config"]), sort_keys=True)
    again["public_instructions"] = again["public_instructions"].replace("\n", " \r\n") + "\n"
    assert not project.refused(again)


def example(folder: FilePath, name: str, which: str) -> Any:
    """A value of the platform's own documentation."""
    told = yaml.safe_load((folder / "toloka-api" / f"{name}.yaml").read_text())[which]["value"]
    return json.loads(told) if isinstance(told, str) else told


def test_the_platforms_own_examples_are_answers_to_what_was_sent(data_folder: FilePath) -> None:
    sent = example(data_folder, "requests/api/project-body", "html_css_js_editor")
    told = example(data_folder, "responses/api/project-id", "success")
    found = differences(sent, told, PROJECT)
    assert [str(one) for one in found] == [
        "task_spec.view_spec.type is nothing instead of 'classic'"
    ]
    # Of the pool only the answer is published: beside the platform's fields it holds the form.
    told = example(data_folder, "responses/api/pool-id", "success")
    required = ("project_id", "private_name", "may_contain_adult_content", "will_expire")
    required += ("reward_per_assignment", "assignment_max_duration_seconds", "defaults", "filter")
    required += ("auto_accept_solutions", "auto_close_after_complete_delay_seconds")
    form = {name: told[name] for name in required}
    form["quality_control"] = copy.deepcopy(told["quality_control"])
    del form["quality_control"]["configs"][0]["collector_config"]["uuid"]
    assert differences(form, told, POOL) == []
    assert differences(kit().Pool.structure(form), kit().Pool.structure(told), POOL) == []


def test_an_id_is_the_same_as_text_and_as_a_number(cases: dict[str, Case]) -> None:
    case = cases["pool"]
    path: Path = ("quality_control", "configs", 2, "rules", 0, "action", "parameters", "skill_id")
    assert not case.refused(changed(case.told, path, set_to(77)))
    assert case.refused(changed(case.told, path, set_to(770)))
    path = ("filter", "and", 2, "or", 0, "key")
    assert not case.refused(changed(case.told, path, set_to(55)))
    assert case.refused(changed(case.told, path, set_to(56)))


def test_the_message_names_field_wanted_and_found(cases: dict[str, Case]) -> None:
    case = cases["pool"]
    name = "fast_submit_threshold_seconds"
    path: Path = ("quality_control", "configs", 1, "collector_config", "parameters", name)
    found = differences(case.described, changed(case.told, path, set_to(9999)), POOL)
    assert [str(one) for one in found] == [
        "quality_control.configs[ASSIGNMENT_SUBMIT_TIME].collector_config.parameters."
        "fast_submit_threshold_seconds is 9999 instead of 13"
    ]
    path = (*RULE, "action", "parameters", "scope")
    with pytest.raises(MarketContradiction) as caught:
        check_pool("Toloka", case.described, changed(case.told, path, set_to("ALL_PROJECTS")))
    assert str(caught.value) == (
        f"Toloka: pool {case.told['id']}: quality_control.configs[GOLDEN_SET].action.parameters."
        "scope is 'ALL_PROJECTS' instead of 'POOL'; nothing was opened"
    )
    two = {**case.told, "reward_per_assignment": 2, "filter": None}
    with pytest.raises(
        MarketContradiction, match=r"is 2 instead of 0.02 and 1 further fields differ"
    ):
        check_pool("Toloka", case.described, two)
    project = cases["project"]
    with pytest.raises(MarketContradiction, match="public_name is 'x' instead of 'two'; nothing"):
        check_project("Toloka", project.described, {**project.told, "public_name": "x"})
    assert not differences(project.described, project.told, PROJECT)

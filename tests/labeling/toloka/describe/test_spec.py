"""What annotators are shown, and what the platform is asked to watch over."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from budget.errors import InputError
from budget.money import Money
from labeling.campaign.campaign import Campaign, Exam, QualityRules, Question
from labeling.toloka.describe import spec
from labeling.toloka.describe.askable import check_campaign
from labeling.toloka.describe.spec import Access, Marker
from labeling.types import Condition
from tests.labeling.toloka.ground import CAMPAIGN, TWO

WHEN = datetime(2030, 1, 1, tzinfo=UTC)
MARKER = Marker("study", "run")


def condition(campaign: Campaign = CAMPAIGN, controls: int = 1, exam: bool = True) -> Condition:
    return Condition(
        "d", "m", campaign.key, Money.parse("0.002"), controls, campaign.suite_size, exam
    )


def pool(campaign: Campaign = CAMPAIGN, **options: Any) -> Any:
    made = condition(campaign, **options)
    access = Access("77", 3, "55" if made.exam else None)
    return spec.main_pool(campaign, made, "1", access, MARKER, WHEN)


def rules(made: Any) -> list[tuple[str, list[tuple[str, str, Any]], dict[str, Any]]]:
    plain = made.unstructure()
    return [
        (
            config["collector_config"]["type"],
            [(c["key"], c["operator"], c["value"]) for c in rule["conditions"]],
            rule["action"]["parameters"],
        )
        for config in plain["quality_control"]["configs"]
        for rule in config["rules"]
    ]


def test_a_project_asks_every_question_on_one_picture() -> None:
    made = spec.project(TWO).unstructure()
    assert made["private_comment"] == f"labelworth campaign={TWO.key}"
    assert made["assignments_automerge_enabled"] is False
    fields = made["task_spec"]["output_spec"]
    assert {name: field["allowed_values"] for name, field in fields.items()} == {
        "kind": ["a", "b", "c"],
        "nice": ["no", "yes"],
    }
    view = json.loads(made["task_spec"]["view_spec"]["config"])
    picture, *questions = view["view"]["items"]
    assert picture["url"] == {"path": "image", "type": "data.input"}
    assert [q["data"]["path"] for q in questions] == ["kind", "nice"]
    assert all(q["validation"]["type"] == "condition.required" for q in questions)
    assert [o["value"] for o in questions[1]["options"]] == ["no", "yes"]
    keys = next(p for p in view["plugins"] if p["type"] == "plugin.hotkeys")
    assert keys["2"]["payload"] == "b"


def test_instructions_become_html_and_nothing_in_them_is_run() -> None:
    text = "First\nline.\n\n- one\n- two <b>\n\nSee <script>alert(1)</script> & co."
    assert spec.instructions_html(text) == (
        "<p>First line.</p>\n<ul><li>one</li><li>two &lt;b&gt;</li></ul>\n"
        "<p>See &lt;script&gt;alert(1)&lt;/script&gt; &amp; co.</p>"
    )


def test_a_control_task_takes_any_answer_to_what_it_does_not_check() -> None:
    assert spec.known_solutions(CAMPAIGN, 1) == [{"kind": "b"}]
    assert spec.known_solutions(TWO, 2) == [
        {"kind": "c", "nice": "no"},
        {"kind": "c", "nice": "yes"},
    ]


def test_a_pool_pays_mixes_bans_and_expires_as_the_condition_says() -> None:
    made = pool()
    plain = made.unstructure()
    assert plain["reward_per_assignment"] == 0.02
    mixer = plain["mixer_config"]
    assert (mixer["real_tasks_count"], mixer["golden_tasks_count"]) == (9, 1)
    assert plain["will_expire"] == "2030-01-01T00:00:00"
    assert plain["auto_accept_solutions"] is True
    assert plain["auto_close_after_complete_delay_seconds"] > 0
    assert plain["private_name"] == f"labelworth study {condition().key}"
    assert plain["metadata"]["labelworth_condition"] == [condition().key]
    wrong, fast, mark = rules(made)
    assert wrong[0] == "GOLDEN_SET"
    assert ("golden_set_incorrect_answers_rate", "GT", 0) in wrong[1]
    assert wrong[2]["private_comment"] == "wrong answers to control tasks"
    assert (wrong[2]["scope"], wrong[2]["duration_unit"]) == ("POOL", "PERMANENT")
    assert fast[1] == [("fast_submitted_count", "GTE", 1)]
    assert mark[2] == {"skill_id": "77", "skill_value": 3}
    assert "CHANGE_OVERLAP" not in json.dumps(plain)


def test_several_wrong_answers_are_a_rate_after_each_number_of_answers() -> None:
    campaign = replace(CAMPAIGN, rules=QualityRules(3, 13.0, 0))
    ladder = [
        conditions
        for collector, conditions, _ in rules(pool(campaign))
        if collector == "GOLDEN_SET"
    ]

    def banned(answers: int, wrong: int) -> bool:
        rate = 100 * wrong / answers
        return any(answers == c[0][2] and rate >= c[1][2] for c in ladder)

    for answers in range(1, 150):
        for wrong in range(min(answers, 6) + 1):
            assert banned(answers, wrong) == (wrong >= 3), (answers, wrong)


def test_the_filter_wants_language_exam_and_nobody_of_another_condition() -> None:
    leaves = set(spec_leaves(pool().unstructure()["filter"]))
    assert leaves == {
        ("languages", "IN", "EN"),
        ("77", "EQ", None),
        ("77", "EQ", 3),
        ("55", "GTE", 90),
    }
    assert ("55", "GTE", 90) not in set(spec_leaves(pool(exam=False).unstructure()["filter"]))
    tested = pool(replace(CAMPAIGN, language_test=True)).unstructure()["filter"]
    assert ("26366", "EQ", 100) in set(spec_leaves(tested))


def spec_leaves(node: dict[str, Any]) -> list[tuple[str, str, Any]]:
    inner = [
        leaf for name in ("and", "or") for part in node.get(name, ()) for leaf in spec_leaves(part)
    ]
    return [*inner, (node["key"], node["operator"], node["value"])] if "key" in node else inner


@pytest.mark.parametrize(("tasks", "right", "percent"), [(10, 9, 90), (10, 10, 100), (7, 6, 85)])
def test_the_exam_admits_from_the_share_that_must_be_right(
    tasks: int, right: int, percent: int
) -> None:
    campaign = replace(CAMPAIGN, exam=Exam(tasks, right))
    assert spec.exam_percent(campaign) == percent
    assert 100 * right / tasks >= percent > 100 * (right - 1) / tasks


def test_the_exam_is_unpaid_and_one_suite() -> None:
    plain = spec.exam_pool(CAMPAIGN, "1", "55", "abc", WHEN).unstructure()
    assert plain["reward_per_assignment"] == 0
    assert plain["mixer_config"]["golden_tasks_count"] == 10
    assert plain["mixer_config"]["real_tasks_count"] == 0
    action = plain["quality_control"]["configs"][0]["rules"][0]["action"]
    assert action["parameters"] == {"skill_id": "55", "from_field": "correct_answers_rate"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"questions": (Question("what is it", "?", ("a", "b")),)}, "no name for a Toloka field"),
        ({"questions": (Question("q", "?", ("a", "a")),)}, "an empty class or one twice"),
        ({"rules": QualityRules(1, 12.5, 1)}, "whole seconds"),
        (
            {
                "questions": (
                    Question("q", "?", ("a", "b")),
                    *(Question(f"q{n}", "?", ("a", "b", "c", "d"), "subjective") for n in range(4)),
                )
            },
            "more than 200 answers together",
        ),
        ({"language": "english"}, "language = 'english'; give a code such as EN"),
        ({"language": "FI", "language_test": True}, "Toloka has no test of FI; it has AR, DE, EN"),
        ({"assignment_seconds": 4}, "assignment_seconds = 4; Toloka takes 5 at least"),
    ],
)
def test_what_toloka_cannot_ask_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_campaign(replace(CAMPAIGN, **change))

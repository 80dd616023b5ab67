"""A campaign and a condition as Toloka's objects: project, skills, exam pool, main pool."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labeling.campaign.campaign import FAST_RESPONSES, WRONG_CONTROLS, Campaign, Question
from labeling.toloka.api.client import kit
from labeling.types import Condition

IMAGE = "image"
"""Name of the input field that holds an image's address."""

COMPLETE_DELAY_S = 3600
"""Seconds for which a complete pool stays open, so that the next round can raise overlap."""

_MOST_HOTKEYS = 9
_MOST_SUITES = 200  # largest number of control answers with a rule for several wrong answers


@dataclass(frozen=True, slots=True)
class Marker:
    """The marker by which a study finds its own objects on the market.

    Attributes:
        study: the study's name.
        run: distinguishes studies of the same name.
    """

    study: str
    run: str

    def pool_name(self, condition: Condition) -> str:
        """The private name of a condition's pool."""
        return f"labelworth {self.study} {condition.key}"

    def metadata(self, condition: Condition, **further: str) -> dict[str, list[str]]:
        """Metadata of a condition's pool."""
        facts = {"study": self.study, "run": self.run, "condition": condition.key, **further}
        return {f"labelworth_{name}": [value] for name, value in facts.items() if value}

    def owns(self, pool: Any) -> bool:
        """Whether a pool belongs to this study."""
        return fact(pool, "study") == self.study and fact(pool, "run") == self.run


def fact(pool: Any, name: str) -> str | None:
    """A fact from a pool's metadata, or None."""
    values = (pool.metadata or {}).get(f"labelworth_{name}")
    return values[0] if values else None


def project_marker(campaign: Campaign) -> str:
    """The private comment of a campaign's project."""
    return f"labelworth campaign={campaign.key}"


# --- the project ---


def project(campaign: Campaign) -> Any:
    """The project of a campaign: instructions, interface, fields."""
    tc = kit()
    fields = tc.project.field_spec
    return tc.Project(
        public_name=campaign.name,
        public_description=" ".join(question.text for question in campaign.questions),
        public_instructions=instructions_html(campaign.instructions),
        private_comment=project_marker(campaign),
        task_spec=tc.project.task_spec.TaskSpec(
            input_spec={IMAGE: fields.UrlSpec()},
            output_spec={
                question.name: fields.StringSpec(allowed_values=list(question.classes))
                for question in campaign.questions
            },
            view_spec=_view(campaign),
        ),
        assignments_issuing_type="AUTOMATED",
        assignments_automerge_enabled=False,  # answers are not copied between pools
    )


def instructions_html(text: str) -> str:
    """Instructions as HTML: blank lines part paragraphs, lines that start with "-" are lists."""
    blocks = [block.strip().splitlines() for block in re.split(r"\n\s*\n", text) if block.strip()]
    return "\n".join(_block_html(lines) for lines in blocks)


def _block_html(lines: Sequence[str]) -> str:
    parts: list[str] = []
    for is_item, group in itertools.groupby(lines, lambda line: line.lstrip().startswith("- ")):
        if is_item:
            items = "".join(f"<li>{html.escape(line.strip()[2:])}</li>" for line in group)
            parts.append(f"<ul>{items}</ul>")
        else:
            parts.append(f"<p>{html.escape(' '.join(line.strip() for line in group))}</p>")
    return "\n".join(parts)


def _view(campaign: Campaign) -> Any:
    """The page of one task: the image and a button for each answer to each question."""
    tc = kit()
    tb = tc.project.template_builder
    items = [tb.view.ImageViewV1(url=tb.data.InputData(IMAGE), full_height=False, max_width=500)]
    items += [_buttons(question) for question in campaign.questions]
    first = campaign.questions[0]
    keys = {
        f"key_{at + 1}": tb.actions.SetActionV1(
            data=tb.data.OutputData(first.name), payload=first.classes[at]
        )
        for at in range(min(len(first.classes), _MOST_HOTKEYS))
    }
    plugins = [
        tb.plugins.TolokaPluginV1("scroll", task_width=520),
        tb.plugins.HotkeysPluginV1(**keys),
    ]
    return tc.project.view_spec.TemplateBuilderViewSpec(
        view=tb.view.ListViewV1(items=items), plugins=plugins
    )


def _buttons(question: Question) -> Any:
    tb = kit().project.template_builder
    return tb.fields.ButtonRadioGroupFieldV1(
        data=tb.data.OutputData(question.name),
        label=question.text,
        options=[tb.fields.GroupFieldOption(value=name, label=name) for name in question.classes],
        validation=tb.conditions.RequiredConditionV1(hint="Choose an answer"),
    )


# --- tasks ---


def known_solutions(campaign: Campaign, truth: int) -> list[dict[str, str]]:
    """The right answers to a control task; a question that it does not check takes any answer.

    Args:
        campaign: the campaign.
        truth: the true class of the checked question.
    """
    choices = [
        (question.classes[truth],) if at == campaign.judged else question.classes
        for at, question in enumerate(campaign.questions)
    ]
    names = [question.name for question in campaign.questions]
    return [dict(zip(names, answers, strict=True)) for answers in itertools.product(*choices)]


def control_task(pool_id: str, address: str, solutions: Sequence[Mapping[str, str]]) -> Any:
    """A control task: every annotator may get it, and the platform checks it."""
    tc = kit()
    return tc.Task(
        pool_id=pool_id,
        input_values={IMAGE: address},
        known_solutions=[
            tc.task.BaseTask.KnownSolution(output_values=dict(values), correctness_weight=1)
            for values in solutions
        ],
        infinite_overlap=True,
    )


def real_task(pool_id: str, address: str, overlap: int) -> Any:
    """A real task with a number of answers wanted."""
    return kit().Task(pool_id=pool_id, input_values={IMAGE: address}, overlap=overlap)


# --- pools ---


def exam_skill(campaign: Campaign, digest: str) -> Any:
    """The skill that the exam sets: the share of right answers, in percent."""
    return kit().Skill(
        name=f"labelworth exam {campaign.key} {digest}",
        private_comment=project_marker(campaign),
        hidden=True,
        public_requester_description={"EN": f"Share of right answers in the exam: {campaign.name}"},
    )


def study_skill(marker: Marker) -> Any:
    """The skill that holds the number of the condition in which an annotator works."""
    return kit().Skill(
        name=f"labelworth {marker.study} {marker.run}",
        private_comment="labelworth: the number of the condition that an annotator works in",
        hidden=True,
        public_requester_description={"EN": "The pool of a study you work in"},
    )


def exam_pool(
    campaign: Campaign, project_id: str, skill_id: str, digest: str, will_expire: datetime
) -> Any:
    """The unpaid exam: one suite of control tasks that sets the exam skill."""
    tc = kit()
    exam, suites = campaign.exam, -(-campaign.exam.tasks // campaign.suite_size)
    pool = tc.Pool(
        project_id=project_id,
        private_name=f"labelworth exam {campaign.key}",
        metadata={"labelworth_exam": [campaign.key], "labelworth_tasks": [digest]},
        public_description="An unpaid exam; whoever passes it gets paid tasks",
        may_contain_adult_content=False,
        will_expire=will_expire,
        reward_per_assignment=0,
        assignment_max_duration_seconds=campaign.assignment_seconds * suites,
        auto_accept_solutions=True,
        auto_close_after_complete_delay_seconds=COMPLETE_DELAY_S,
        defaults=tc.Pool.Defaults(
            default_overlap_for_new_task_suites=1, default_overlap_for_new_tasks=1
        ),
        filter=language_filter(campaign),
    )
    pool.set_mixer_config(real_tasks_count=0, golden_tasks_count=exam.tasks, training_tasks_count=0)
    pool.quality_control.add_action(
        collector=tc.collectors.GoldenSet(),
        conditions=[tc.conditions.GoldenSetAnswersCount >= exam.tasks],
        action=tc.actions.SetSkillFromOutputField(
            skill_id=skill_id, from_field="correct_answers_rate"
        ),
    )
    return pool


def language_filter(campaign: Campaign) -> Any:
    """A filter by the campaign's language; by a passed test of it, if the campaign asks for one."""
    tc = kit()
    if campaign.language_test:
        return tc.filter.Languages.in_(campaign.language, verified=True)
    return tc.filter.Languages.in_(campaign.language)


@dataclass(frozen=True, slots=True)
class Access:
    """The skills that decide which annotators see a condition's pool.

    Attributes:
        study_skill: id of the study's skill.
        number: the condition's value of this skill, from 1.
        exam_skill: id of the exam's skill; None without an exam.
    """

    study_skill: str
    number: int
    exam_skill: str | None


def main_pool(
    campaign: Campaign,
    condition: Condition,
    project_id: str,
    access: Access,
    marker: Marker,
    will_expire: datetime,
    auto_accept: bool = True,
    **facts: str,
) -> Any:
    """The paid pool of a condition: reward, mixer, quality rules, filters, expiry."""
    tc = kit()
    pool = tc.Pool(
        project_id=project_id,
        private_name=marker.pool_name(condition),
        private_comment=f"labelworth condition={condition.key}",
        metadata=marker.metadata(condition, number=str(access.number), **facts),
        may_contain_adult_content=False,
        will_expire=will_expire,
        reward_per_assignment=float(condition.reward.exact()),
        assignment_max_duration_seconds=campaign.assignment_seconds,
        auto_accept_solutions=auto_accept,
        auto_accept_period_day=None if auto_accept else 7,
        auto_close_after_complete_delay_seconds=COMPLETE_DELAY_S,
        defaults=tc.Pool.Defaults(
            default_overlap_for_new_task_suites=1, default_overlap_for_new_tasks=1
        ),
        filter=_main_filter(campaign, access),
    )
    pool.set_mixer_config(
        real_tasks_count=condition.real_per_suite,
        golden_tasks_count=condition.controls,
        training_tasks_count=0,
        min_real_tasks_count=1,
        min_golden_tasks_count=condition.controls,
        force_last_assignment=True,
        mix_tasks_in_creation_order=True,
        shuffle_tasks_in_task_suite=True,
    )
    _add_rules(pool, campaign, condition, access)
    return pool


def exam_percent(campaign: Campaign) -> int:
    """The smallest passing value of the exam's skill."""
    return 100 * campaign.exam.pass_correct // campaign.exam.tasks


def _main_filter(campaign: Campaign, access: Access) -> Any:
    """Filter by language, by exam, and against annotators of the study's other conditions."""
    tc = kit()
    here = tc.filter.Skill(access.study_skill)
    wanted = language_filter(campaign) & ((here == None) | (here == access.number))  # noqa: E711
    if access.exam_skill is not None:
        wanted = wanted & (tc.filter.Skill(access.exam_skill) >= exam_percent(campaign))
    return wanted


def _add_rules(pool: Any, campaign: Campaign, condition: Condition, access: Access) -> None:
    """Add the campaign's bans and the skill of the condition; no rule changes overlap."""
    tc, rules = kit(), campaign.rules
    control = pool.quality_control
    if condition.controls and rules.wrong_controls:
        for conditions in _wrong_controls(rules.wrong_controls):
            control.add_action(
                collector=tc.collectors.GoldenSet(),
                conditions=conditions,
                action=_ban(WRONG_CONTROLS),
            )
    if rules.fast_responses:
        control.add_action(
            collector=tc.collectors.AssignmentSubmitTime(
                fast_submit_threshold_seconds=int(rules.fast_seconds)
            ),
            conditions=[tc.conditions.FastSubmittedCount >= rules.fast_responses],
            action=_ban(FAST_RESPONSES),
        )
    control.add_action(
        collector=tc.collectors.AnswerCount(),
        conditions=[tc.conditions.AssignmentsAcceptedCount >= 1],
        action=tc.actions.SetSkill(skill_id=access.study_skill, skill_value=access.number),
    )


def _wrong_controls(wrong: int) -> list[list[Any]]:
    """Alternative conditions, each of which means that a number of control answers were wrong.

    Toloka's rules see rates, not counts. One wrong answer is a rate above 0. Several wrong answers
    are a different rate after each number of answers, so each number needs its own condition.
    """
    cond = kit().conditions
    if wrong == 1:
        return [[cond.GoldenSetAnswersCount >= 1, cond.GoldenSetIncorrectAnswersRate > 0]]
    return [
        [
            cond.GoldenSetAnswersCount == answers,
            cond.GoldenSetIncorrectAnswersRate >= round(100 * (wrong - 0.5) / answers, 2),
        ]
        for answers in range(wrong, _MOST_SUITES + 1)
    ]


def _ban(reason: str) -> Any:
    """A permanent ban from this pool; other pools of the account are not affected."""
    return kit().actions.RestrictionV2(
        scope="POOL", duration_unit="PERMANENT", private_comment=reason
    )

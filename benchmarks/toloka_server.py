"""A campaign of 980 tasks through toloka-kit and the local platform, beside the engine alone.

Baseline "in process": the same scenario, tasks and rules on the engine itself, without HTTP,
toloka-kit or the platform in front of it. The difference is what the rehearsal of the real code
path costs. Unmodified toloka-kit 1.2.3 creates project, exam, pool and 1,040 tasks, opens the
pool, collects every assignment by a cursor until it is closed, and downloads the table.

    python benchmarks/toloka_server.py
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from decimal import Decimal
from typing import Any

from labeling.crowd.fitting.published import FOOD, run_published
from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Settings, serve

TASKS, CONTROLS, EXAM = 980, 50, 10
REWARD = Decimal("0.02")
CLASSES = list(FOOD.questions[0].classes)


def main() -> None:
    """Run both, print times and what was bought."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import toloka.client as kit

        start = time.perf_counter()
        run_published(0)
        alone = time.perf_counter() - start
        with serve(Settings(load_scenario("food-campaign"), seed=0)) as server:
            start, cpu = time.perf_counter(), time.process_time()
            client = kit.TolokaClient("token", url=server.url)
            done, polls, table = _campaign(kit, client)
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            account = server.platform.world.account
            balance = client.get_requester().balance
    paid = REWARD * len(done)
    print(f"assignments {len(done)}, reward ${paid}, with fee ${account.charged.exact()}")
    print(f"polls {polls}, rows of the table {table}, balance ${balance}")
    print(f"toloka-kit and local platform {wall:.2f} s wall, {cpu:.2f} s CPU of both sides")
    print(f"in process {alone:.3f} s; ratio {wall / alone:.0f}")


def _campaign(kit: Any, client: Any) -> tuple[dict[str, Any], int, int]:
    """Project to table. Returns the assignments, the number of polls and the table's rows."""
    spec = kit.project.task_spec.TaskSpec(
        input_spec={"image": kit.project.UrlSpec()},
        output_spec={"class": kit.project.StringSpec(allowed_values=CLASSES)},
        view_spec=kit.project.ClassicViewSpec(markup="m", script="s", styles="c"),
    )
    project = client.create_project(
        kit.Project(
            public_name="Food",
            public_description="What does this picture show?",
            public_instructions=FOOD.instructions,
            task_spec=spec,
        )
    )
    skill = client.create_skill(name="exam", hidden=True)
    exam = _pool(kit, project.id, 0, EXAM, Decimal(0))
    exam.quality_control.add_action(
        collector=kit.collectors.GoldenSet(),
        conditions=[kit.conditions.GoldenSetAnswersCount >= EXAM],
        action=kit.actions.SetSkillFromOutputField(
            skill_id=skill.id, from_field="correct_answers_rate"
        ),
    )
    exam = client.create_pool(exam)
    main_pool = _pool(kit, project.id, 9, 1, REWARD)
    main_pool.filter = kit.filter.Skill(skill.id) >= 100
    main_pool.quality_control.add_action(
        collector=kit.collectors.GoldenSet(),
        conditions=[kit.conditions.GoldenSetIncorrectAnswersRate > 0],
        action=kit.actions.RestrictionV2(
            scope="POOL", duration_unit="PERMANENT", private_comment="wrong control answer"
        ),
    )
    main_pool = client.create_pool(main_pool)
    client.create_tasks(_golden(kit, exam.id, EXAM, 2000), allow_defaults=True)
    client.create_tasks(_golden(kit, main_pool.id, CONTROLS, 1000), allow_defaults=True)
    tasks = [
        kit.Task(pool_id=main_pool.id, input_values={"image": f"https://images.example/{at}.jpg"})
        for at in range(TASKS)
    ]
    client.create_tasks(tasks, allow_defaults=True)
    client.open_pool(exam.id)
    client.open_pool(main_pool.id)
    done, polls = _collect(client, main_pool.id)
    table = client.get_assignments_df(main_pool.id)
    client.close_pool(exam.id)
    for pool in (main_pool, exam):
        client.archive_pool(pool.id)
    client.archive_project(project.id)
    return done, polls, len(table)


def _collect(client: Any, pool_id: str) -> tuple[dict[str, Any], int]:
    """Every accepted assignment, one look after the other, until the pool is closed."""
    done: dict[str, Any] = {}
    cursor: dict[str, Any] = {}
    polls = 0
    while True:
        polls += 1
        found = client.find_assignments(
            pool_id=pool_id, status="ACCEPTED", sort="submitted", limit=1000, **cursor
        )
        fresh = [a for a in found.items if a.id not in done]
        done |= {a.id: a for a in fresh}
        if fresh:
            cursor = {"submitted_gte": max(a.submitted for a in fresh)}
        elif client.get_pool(pool_id).is_closed():
            answers = Counter(t.id for a in done.values() for t in a.tasks if not t.known_solutions)
            assert set(answers.values()) == {3}
            return done, polls


def _pool(kit: Any, project_id: str, real: int, golden: int, reward: Decimal) -> Any:
    pool = kit.Pool(
        project_id=project_id,
        private_name="food",
        may_contain_adult_content=False,
        will_expire="2023-01-01",
        reward_per_assignment=reward,
        assignment_max_duration_seconds=FOOD.assignment_seconds,
        auto_accept_solutions=True,
        defaults=kit.Pool.Defaults(
            default_overlap_for_new_tasks=3, default_overlap_for_new_task_suites=3
        ),
    )
    pool.set_mixer_config(real_tasks_count=real, golden_tasks_count=golden, training_tasks_count=0)
    return pool


def _golden(kit: Any, pool_id: str, count: int, start: int) -> list[Any]:
    return [
        kit.Task(
            pool_id=pool_id,
            input_values={"image": f"https://images.example/{start + at}.jpg"},
            known_solutions=[
                kit.Task.KnownSolution(output_values={"class": CLASSES[at % len(CLASSES)]})
            ],
            infinite_overlap=True,
        )
        for at in range(count)
    ]


if __name__ == "__main__":
    main()

"""toloka-kit, unmodified, on the local platform."""

from __future__ import annotations

import asyncio
import datetime
import warnings
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Server, Settings, serve

from ..contract import Contract

pytestmark = pytest.mark.filterwarnings("ignore")  # toloka-kit's own, dozens of them
CLASSES = ["solid", "liquid", "other"]
REWARD = Decimal("0.02")


@pytest.fixture(scope="module")
def kit() -> Any:
    """toloka-kit; it takes seconds to import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import toloka.client
    return toloka.client


@pytest.fixture
def food_server(contract: Contract) -> Iterator[Server]:
    with serve(Settings(load_scenario("food-campaign"), seed=3), watch=contract.record) as running:
        yield running


class Ground:
    """A requester with toloka-kit, and what campaigns are made of."""

    def __init__(self, kit: Any, url: str) -> None:
        self.kit = kit
        self.client = kit.TolokaClient("token", url=url, retries=0)
        spec = kit.project.task_spec.TaskSpec(
            input_spec={"image": kit.project.UrlSpec()},
            output_spec={"label": kit.project.StringSpec(allowed_values=CLASSES)},
            view_spec=kit.project.ClassicViewSpec(markup="m", script="s", styles="c"),
        )
        self.project = self.client.create_project(
            kit.Project(
                public_name="Food",
                public_description="What is it?",
                public_instructions="Look.",
                task_spec=spec,
            )
        )

    def pool(self, real: int = 9, golden: int = 1, reward: Decimal = REWARD, **more: Any) -> Any:
        """A pool, not yet created."""
        made = self.kit.Pool(
            project_id=self.project.id,
            private_name="pool",
            may_contain_adult_content=False,
            will_expire=datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC),
            reward_per_assignment=reward,
            assignment_max_duration_seconds=300,
            auto_accept_solutions=True,
            defaults=self.kit.Pool.Defaults(
                default_overlap_for_new_task_suites=3, default_overlap_for_new_tasks=3
            ),
            **more,
        )
        made.set_mixer_config(
            real_tasks_count=real, golden_tasks_count=golden, training_tasks_count=0
        )
        return made

    def golden(self, pool_id: str, count: int, start: int = 1000) -> list[Any]:
        """Control tasks."""
        return [
            self.kit.Task(
                pool_id=pool_id,
                input_values={"image": f"https://images.example/{start + at}.jpg"},
                known_solutions=[
                    self.kit.Task.KnownSolution(output_values={"label": CLASSES[at % 3]})
                ],
                infinite_overlap=True,
            )
            for at in range(count)
        ]

    def real(self, pool_id: str, count: int) -> list[Any]:
        """Tasks to be answered."""
        return [
            self.kit.Task(
                pool_id=pool_id, input_values={"image": f"https://images.example/{at}.jpg"}
            )
            for at in range(count)
        ]

    def filled(self, tasks: int, **more: Any) -> Any:
        """A closed pool with tasks and control tasks."""
        made = self.client.create_pool(self.pool(**more))
        self.client.create_tasks(self.golden(made.id, 30), allow_defaults=True)
        self.client.create_tasks(self.real(made.id, tasks), allow_defaults=True)
        return made

    def run(self, pool_id: str) -> Any:
        """Open a pool, wait until it is closed."""
        self.client.open_pool(pool_id)
        while (pool := self.client.get_pool(pool_id)).is_open():
            pass
        return pool


@pytest.fixture
def ground(kit: Any, food_server: Server) -> Ground:
    return Ground(kit, food_server.url)


def test_tasks_are_created_as_an_operation_and_read_again(ground: Ground) -> None:
    pool = ground.client.create_pool(ground.pool())
    made = ground.client.create_tasks(ground.real(pool.id, 130), allow_defaults=True)
    assert len(made.items) == 130
    found = list(ground.client.get_tasks(pool_id=pool.id))
    assert [task.input_values["image"] for task in found] == [
        f"https://images.example/{at}.jpg" for at in range(130)
    ]
    key = "11111111-2222-3333-4444-555555555555"
    tasks = ground.real(pool.id, 10)
    for _ in range(2):  # the same operation again: no second copy
        ground.client.create_tasks(tasks, allow_defaults=True, operation_id=key)
    assert len(list(ground.client.get_tasks(pool_id=pool.id))) == 140


def test_bad_tasks_are_told_one_by_one(ground: Ground, kit: Any) -> None:
    pool = ground.client.create_pool(ground.pool())
    bad = kit.Task(pool_id=pool.id, input_values={"image": None}, overlap=3)
    with pytest.raises(kit.exceptions.ValidationApiError):
        ground.client.create_tasks([bad], allow_defaults=True)
    made = ground.client.create_tasks(
        [*ground.real(pool.id, 2), bad], allow_defaults=True, skip_invalid_items=True
    )
    assert (list(made.items), list(made.validation_errors)) == (["0", "1"], ["2"])


def test_refusals_are_the_errors_that_toloka_kit_knows(ground: Ground, kit: Any) -> None:
    pool = ground.client.create_pool(ground.pool())
    with pytest.raises(kit.exceptions.IncorrectActionsApiError) as empty:
        ground.client.open_pool(pool.id)
    assert empty.value.code == "EMPTY_POOL"
    with pytest.raises(kit.exceptions.DoesNotExistApiError):
        ground.client.get_pool("1")
    assert ground.client.close_pool(pool.id).is_closed()


def test_a_campaign_with_an_exam_from_project_to_table(ground: Ground, kit: Any) -> None:
    client = ground.client
    skill = client.create_skill(name="exam", hidden=True)
    exam = ground.pool(real=0, golden=10, reward=Decimal(0))
    exam.quality_control.add_action(
        collector=kit.collectors.GoldenSet(),
        conditions=[kit.conditions.GoldenSetAnswersCount >= 10],
        action=kit.actions.SetSkillFromOutputField(
            skill_id=skill.id, from_field="correct_answers_rate"
        ),
    )
    exam = client.create_pool(exam)
    client.create_tasks(ground.golden(exam.id, 10, 2000), allow_defaults=True)
    main = ground.pool(filter=kit.filter.Skill(skill.id) >= 90)
    main.quality_control.add_action(
        collector=kit.collectors.GoldenSet(),
        conditions=[kit.conditions.GoldenSetIncorrectAnswersRate > 0],
        action=kit.actions.RestrictionV2(
            scope="POOL", duration_unit="PERMANENT", private_comment="wrong"
        ),
    )
    main = client.create_pool(main)
    client.create_tasks(ground.golden(main.id, 40), allow_defaults=True)
    client.create_tasks(ground.real(main.id, 98), allow_defaults=True)
    client.open_pool(exam.id)
    closed = ground.run(main.id)
    assert closed.last_close_reason.value == "COMPLETED"
    done = list(client.get_assignments(pool_id=main.id, status="ACCEPTED", batch_size=1000))
    sat = list(client.get_assignments(pool_id=exam.id, batch_size=1000))
    skills = {s.user_id: s.exact_value for s in client.get_user_skills(skill_id=skill.id)}
    assert 33 <= len(done) <= 35
    assert {a.user_id for a in done} <= {user for user, value in skills.items() if value >= 90}
    assert len(skills) == len(sat) > len({a.user_id for a in done})
    real = Counter(t.id for a in done for t in a.tasks if not t.known_solutions)
    assert set(real.values()) == {3}
    banned = {r.user_id for r in client.get_user_restrictions(pool_id=main.id)}
    wrong = {
        a.user_id
        for a in done
        for task, solution in zip(a.tasks, a.solutions, strict=True)
        if task.known_solutions and solution.output_values != task.known_solutions[0].output_values
    }
    assert banned == wrong
    price = REWARD * Decimal("1.3")
    assert client.get_requester().balance == Decimal(1000) - price * len(done)
    table = client.get_assignments_df(main.id)
    assert len(table) == sum(len(a.tasks) for a in done)
    assert set(table["OUTPUT:label"]) == set(CLASSES)
    without = client.get_assignments_df(main.id, exclude_banned=True)
    assert set(without["ASSIGNMENT:worker_id"]) == {a.user_id for a in done} - banned
    client.archive_pool(main.id)
    client.close_pool(exam.id)
    client.archive_pool(exam.id)
    assert client.archive_project(ground.project.id).status.value == "ARCHIVED"


def test_an_empty_table_has_a_header(ground: Ground) -> None:
    pool = ground.filled(9)
    assert list(ground.client.get_assignments_df(pool.id).columns)[:2] == [
        "INPUT:image",
        "OUTPUT:label",
    ]


def test_answers_are_streamed_while_the_pool_is_open(
    ground: Ground, kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toloka.streaming import AssignmentsObserver, Pipeline, PoolStatusObserver

    monkeypatch.setattr(Pipeline, "MIN_SLEEP_SECONDS", 0.0)  # no test waits for a second
    pool = ground.filled(45)
    client = kit.TolokaClient("token", url=ground.client.url, retries=0)
    seen: list[str] = []
    states: list[str] = []
    answers = AssignmentsObserver(client, pool.id)
    answers.on_accepted(lambda events: seen.extend(e.assignment.id for e in events))
    status = PoolStatusObserver(client, pool.id)
    status.on_open(lambda pool: states.append("open"))
    status.on_closed(lambda pool: states.append("closed"))
    pipeline = Pipeline(period=datetime.timedelta(milliseconds=1))
    pipeline.register(answers)
    pipeline.register(status)
    ground.client.open_pool(pool.id)
    asyncio.run(pipeline.run())
    done = list(ground.client.get_assignments(pool_id=pool.id, status="ACCEPTED"))
    assert sorted(seen) == sorted(a.id for a in done)
    assert len(seen) >= 15
    assert states == ["open", "closed"]


def test_metrics_of_a_pool(ground: Ground, kit: Any) -> None:
    from toloka import metrics

    pool = ground.filled(18)
    closed = ground.run(pool.id)
    assert closed.is_closed()
    done = len(list(ground.client.get_assignments(pool_id=pool.id, status="ACCEPTED")))

    async def ask() -> dict[str, list[Any]]:
        client = ground.client
        wanted = [
            metrics.Balance(toloka_client=client),
            metrics.SpentBudgetOnPool(pool.id, toloka_client=client),
            metrics.PoolCompletedPercentage(pool.id, toloka_client=client),
            metrics.AssignmentsInPool(pool.id, toloka_client=client),
            metrics.AssignmentEventsInPool(
                pool.id, toloka_client=client, accepted_name="accepted", join_events=True
            ),
        ]
        found = [(type(metric).__name__, await metric.get_lines()) for metric in wanted]
        return {
            name: [value for line in lines.values() for _, value in line] for name, lines in found
        }

    lines = asyncio.run(ask())
    assert lines["SpentBudgetOnPool"] == [REWARD * done]
    assert lines["PoolCompletedPercentage"] == [100]
    assert done in lines["AssignmentsInPool"]


@pytest.mark.slow
def test_autoquality_runs_from_pools_to_the_best_parameters(
    ground: Ground, kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toloka.autoquality import optimizer

    naps: list[float] = []
    monkeypatch.setattr(optimizer.time, "sleep", naps.append)
    client = ground.client
    training = client.create_training(
        kit.Training(
            project_id=ground.project.id,
            private_name="training",
            may_contain_adult_content=False,
            assignment_max_duration_seconds=300,
            mix_tasks_in_creation_order=True,
            shuffle_tasks_in_task_suite=True,
            training_tasks_in_task_suite_count=3,
            task_suites_required_to_pass=1,
            inherited_instructions=True,
        )
    )
    lessons = ground.golden(training.id, 3, 3000)
    for lesson in lessons:
        lesson.message_on_unknown_solution = "Look again."
    client.create_tasks(lessons, allow_defaults=True)
    base = ground.pool()
    base.quality_control.training_requirement = (
        kit.quality_control.QualityControl.TrainingRequirement(
            training_pool_id=training.id, training_passing_skill_value=60
        )
    )
    base.filter = kit.filter.FilterAnd([kit.filter.Languages.in_("EN")])
    base = client.create_pool(base)
    search = optimizer.AutoQuality(
        toloka_client=client,
        project_id=ground.project.id,
        base_pool_id=base.id,
        training_pool_id=training.id,
        n_iter=3,
        label_field="label",
        parameter_distributions={
            "overlap": [2, 3],
            "GoldenSet": {"history_size": [5], "incorrect_answers_rate": [50.0, 60.0]},
            "MajorityVote": {"history_size": [5], "incorrect_answers_rate": [60.0]},
            "TrainingRequirement": {"training_passing_skill_value": [40, 60]},
        },
    )
    search.setup_pools()
    assert len(search.autoquality_pools) == 3
    search.create_tasks([*ground.golden("", 20), *ground.real("", 54)])
    search.run()
    assert len(naps) <= 8
    for pool in search.autoquality_pools:
        assert client.get_pool(pool.id).last_close_reason.value == "COMPLETED"
        skill = search.autoquality_pool_skills[pool.id]
        members = {s.user_id for s in client.get_user_skills(skill_id=skill.id)}
        done = list(client.get_assignments(pool_id=pool.id, status="ACCEPTED"))
        assert members >= {a.user_id for a in done} != set()
    assert all(score["score"] is not None for score in search.scores.values())
    ranks = search.ranks
    assert set(ranks.pool_id) == {pool.id for pool in search.autoquality_pools}
    assert ranks.main_rank.notna().all()
    search.archive_autoquality_pools()

"""Groups of own annotators: a knob where it is asked for, refused where it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError
from budget.money import Money
from hpo.answer.terminal import words
from hpo.settings.config import make_config
from labeling.crowd.office.staff import Worked, staff_names
from labeling.store.tables import condition_from_text, condition_to_text
from labeling.types import LabelPlan

PEOPLE = 6
OFFICE = {
    "pay": "hourly",
    "price": "18",
    "budget": "12",
    "controls": "1",
    "people": str(PEOPLE),
    "group": "seniors,juniors",
}
ALONE = {**OFFICE, "group": "all"}
MIXED = "office_people = 6\ncareless = 0\nspammers = 0\nskill_mean = 0.6\nskill_sd = 2.0\n"
Make = Callable[..., Any]
Write = Callable[..., str]


@pytest.fixture
def wages(tmp_path: Path) -> Write:
    """Writes a file of wages: three seniors, the others juniors."""

    def write(seniors: tuple[str, ...], senior: str = "18", junior: str = "18") -> str:
        juniors = [name for name in staff_names(PEOPLE) if name not in seniors]
        rows = [f'"{name}" = {senior}' for name in seniors]
        rows += [f'"{name}" = {junior}' for name in juniors]
        groups = f"seniors = {list(seniors)}\njuniors = {juniors}"
        path = tmp_path / "wages.toml"
        path.write_text("\n".join(["[wages]", *rows, "[groups]", groups, ""]))
        return str(path)

    return write


def best_of(world: Any) -> tuple[str, ...]:
    """The three people of the office who are right the most often."""
    source, truth = world.source, world.data.answered
    staff = source.staff(world.condition(world.space.plans[0]))
    rows = [int(row) for row in world.data.rows["pool"]]

    def right(name: str) -> int:
        return sum(staff.answer(name, row, Worked()).labels[0] == truth[row] for row in rows)

    return tuple(sorted(sorted(staff.names, key=right)[-3:]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "2"])
def test_the_study_finds_the_group_that_gives_more_for_the_money(
    small_study: Make, wages: Write, tmp_path: Path, more_data: str, seed: str
) -> None:
    """With 74 validation images, and the whole pool within both groups' limits.

    18 images, and limits that bear one answer more of juniors, told the groups apart by luck.
    """
    scenario = tmp_path / "mixed.toml"
    scenario.write_text('name = "mixed"\nabout = "able and less able people"\n' + MIXED)
    ground = {"data": more_data, "seed": seed, "scenario": str(scenario)}
    able = best_of(small_study(**ALONE, **ground, study="alone").world)
    file = wages(able, senior="20", junior="16")
    money = {"budget": "40", "max_plan_share": "1"}
    report = small_study(**{**OFFICE, **ground, **money}, wages=file).run()
    assert report["recommended"]["plan"]["group"] == "seniors"
    assert {row["plan"]["group"] for row in report["purchases"]} == {"seniors", "juniors"}
    assert [told["group"] for told in report["groups"]] == ["juniors", "seniors"]
    matters = {row["knob"]: row for row in report["advice"]["matters"]}
    assert matters["group"]["best"] == "seniors"
    said = words(report)
    assert any("at the group's wages, answered by seniors" in line for line in said)
    assert any(line.startswith("The group juniors gave") for line in said)


@pytest.mark.slow
def test_equal_people_at_half_the_wage_are_preferred(small_study: Make, wages: Write) -> None:
    dear = staff_names(PEOPLE)[:3]
    study = small_study(**OFFICE, wages=wages(dear, senior="36", junior="18"))
    report = study.run()
    best = report["recommended"]["plan"]
    assert best["key"].endswith("-by-juniors")
    costs = {
        one["group"]: Money.from_json(one["paid"]).micros / one["answers"]
        for one in report["groups"]
    }
    paid = sum(one["paid"]["micros"] for one in report["groups"])
    assert paid == report["money"]["spent"]["micros"]
    assert 1.6 < costs["seniors"] / costs["juniors"] < 2.5
    for order in (record.order for record in study.world.store.all_orders()):
        assert order.condition.group is not None
        answered = set(study.world.store.annotators(order.condition))
        assert answered <= set(order.condition.group.members)


def test_a_group_is_a_condition_of_its_own_and_everybody_keeps_theirs(
    small_study: Make, wages: Write
) -> None:
    file = wages(staff_names(PEOPLE)[:3])
    plain = small_study(**ALONE, study="plain").world
    world = small_study(**{**OFFICE, "group": "all,seniors"}, wages=file, study="groups").world
    plan = plain.space.plans[0]
    assert plan in world.space.plans
    assert plain.condition(plan) == world.condition(plan)
    assert plain.condition(plan).key == world.condition(plan).key
    assert ("group" in plain.space.searched, "group" in world.space.searched) == (False, True)
    seniors = LabelPlan.parse(f"{plan.key}-by-seniors")
    assert seniors.key == f"{plan.key}-by-seniors"
    assert world.space.plan_of(world.space.params_of(seniors)) == seniors
    condition = world.condition(seniors)
    assert condition.key != world.condition(plan).key
    assert condition.group is not None
    assert condition_from_text(condition_to_text(condition)) == condition
    minutes = [world.source.expected_minutes(one, 90) for one in (world.condition(plan), condition)]
    assert minutes[1] == pytest.approx(2 * minutes[0])


@pytest.mark.slow
def test_a_group_of_other_people_than_before_is_refused(small_study: Make, wages: Write) -> None:
    names, on = staff_names(PEOPLE), {**OFFICE, "trials": 1}
    small_study(**on, wages=wages(names[:3])).run()
    with pytest.raises(InputError, match=r"the group \w+ has other people than when this study"):
        small_study(**on, wages=wages(names[1:4]))


def test_a_stranger_in_the_simulated_office_is_named(small_study: Make, tmp_path: Path) -> None:
    path = tmp_path / "wages.toml"
    path.write_text('[groups]\nseniors = ["ann", "bob", "eve"]\n')
    with pytest.raises(InputError, match="group seniors: ann is not in the simulated office"):
        small_study(**{**OFFICE, "group": "seniors"}, wages=str(path)).run()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"group": "elders"}, "elders: no such group; .* has duo, trio"),
        ({"group": "elders", "wages": None}, "elders: no such group; .* has none"),
        ({"group": "all,duo"}, "3 answers per task are more than the group duo has people"),
        ({"group": "trio", "pay": "platform"}, "the market simulated has no own annotators"),
        ({"group": "trio", "market": "toloka"}, "the market toloka has no own annotators"),
    ],
)
def test_where_groups_cannot_be_asked_is_one_line(
    settings: dict[str, str | None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "wages.toml"
    path.write_text('[groups]\nduo = ["ann", "bob"]\ntrio = ["ann", "bob", "eve"]\n')
    given = {"budget": "20", "pay": "hourly", "wages": str(path), **settings}
    with pytest.raises(InputError, match=said) as raised:
        make_config({name: value for name, value in given.items() if value is not None})
    assert "\n" not in str(raised.value)


def test_a_piece_rate_is_a_knob_beside_groups(tmp_path: Path) -> None:
    path = tmp_path / "wages.toml"
    path.write_text('[groups]\ntrio = ["ann", "bob", "eve"]\n')
    words = {"budget": "20", "pay": "per-answer", "wages": str(path), "group": "all,trio"}
    config = make_config(words)
    assert [group.name for group in config.staff_groups] == ["trio"]
    assert len(config.price) > 1

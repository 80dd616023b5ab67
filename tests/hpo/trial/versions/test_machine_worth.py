"""What a machine's labels are worth in people's answers, by what is known before."""

from __future__ import annotations

import pytest

from hpo.settings.rows.machine import ALL, BELOW, VOTE
from hpo.trial.versions.machine.worth import MachineWorth

POOL = 4080
EVERY = (VOTE, BELOW, ALL)


def best_part(worth: MachineWorth, money: float, person: float, machine: float = 0.0003) -> float:
    """The part of the pool that gives the best model for the money, in sixteenths."""

    def value(step: int) -> float:
        labels = POOL * step // 16
        return worth.value((money - machine * labels) / person, labels, step == 16)

    return max(range(17), key=value) / 16


@pytest.mark.parametrize(
    ("each", "ceiling", "person", "money", "low", "high"),
    [
        (0.7, 2000, 0.001, 2.0, 0.1, 0.5),  # measured: best at 500 to 1,000 of 4,080
        (0.7, 2000, 0.001, 3.0, 0.1, 0.5),
        (0.7, 2000, 0.01, 10.0, 0.7, 1.0),  # measured: best at 3,000 and more
        (1.1, 20000, 0.001, 2.0, 1.0, 1.0),
        (0.0, 2000, 0.001, 2.0, 0.0, 0.0),
        (0.2, 2000, 0.001, 2.0, 0.0, 0.0),  # a label tells less than its price buys of people
    ],
)
def test_the_part_that_is_bought_follows_surety_bias_and_price(
    each: float, ceiling: float, person: float, money: float, low: float, high: float
) -> None:
    assert low <= best_part(MachineWorth(each, ceiling, EVERY), money, person) <= high


def test_labels_of_an_unbiased_machine_add_up_with_peoples() -> None:
    worth = MachineWorth(0.5, 1e9, EVERY)
    assert worth.value(1000, 400, is_whole=False) == pytest.approx(1200, rel=1e-3)


def test_a_bias_bounds_what_the_machine_alone_is_worth() -> None:
    worth = MachineWorth(1.0, 300, EVERY)
    assert worth.value(0, 10**7, is_whole=True) == pytest.approx(300, rel=1e-3)


@pytest.mark.parametrize("uses", [(), (ALL,), (VOTE,)])
def test_labels_that_no_way_can_use_are_worth_nothing(uses: tuple[str, ...]) -> None:
    worth = MachineWorth(1.0, 1e9, uses)
    assert worth.value(1000, 400, is_whole=False) == 1000
    assert not worth.bears_part


def test_where_only_the_machine_alone_can_be_used_people_do_not_add_to_it() -> None:
    worth = MachineWorth(1.0, 1e9, (ALL,))
    assert worth.value(1000, 400, is_whole=True) == 1000
    assert worth.value(300, 400, is_whole=True) == pytest.approx(400, rel=1e-3)

"""Whole answers are read for contradictions, over studies of all kinds of settings."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budget.errors import InputError
from hpo.study.study import Study
from hpo.trial.plan_costs import PlanCosts
from labeling.seeds import generator
from tests.hpo.answer.reader import violations

RUNS = int(os.environ.get("ANSWER_RUNS", "300"))
FEW = 5  # of them in `make slow`
FILLED = 51  # a plan that fills the last page up costs as much as the recommended one
DENIED = 123  # its confirmation denies that the target is reached, and no money is left to go on
CAPS = ("0.01", "0.05", "0.1", "0.3", "1", "5", "20", "1000")
SCENARIOS = ("default", "spam-heavy", "slow-supply", "price-selection", "hard-items")
SAMPLERS = ("money", "money", "rule", "tpe", "random", "nsga2")


def settings_of(number: int, recorded: str) -> dict[str, Any]:
    """The settings of one study of the campaign: some are left as they are."""
    rng = generator(number, "whole answers")

    def some(chance: float, **values: Any) -> dict[str, Any]:
        if rng.random() >= chance:
            return {}
        return {name: pick(options) for name, options in values.items()}

    def pick(options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    made: dict[str, Any] = {
        "seed": number,
        "budget": pick(CAPS),
        "sampler": pick(SAMPLERS),
        "goal": pick(("model", "plan")),
        **some(0.35, max_minutes=("1", "2", "4", "12")),
        **some(0.25, pool_size=(60, 500, 50_000)),
        **some(0.2, target=("0.5", "70%", "0.9", "0.99")),
        **some(0.15, worth=("1 point = $50", "0.01", "1")),
        **some(0.15, min_gain=("0.5", "20", "500")),
        **some(0.2, confirm=("0", "0.01")),
        **some(0.15, trials=(1, 3, 12)),
        **some(0.1, no_reuse=(True,)),
    }
    if made["budget"] == "1000":
        made |= {"tasks": "20%,100%", "overlap": "1,3"}
    if rng.random() < 0.1:
        return {**made, "market": f"replay:{recorded}", **REPLAYED}
    if rng.random() < 0.1:
        made["market"] = "rehearsal"
    made |= {"scenario": pick(SCENARIOS)}
    if rng.random() < 0.2:  # an exam needs more control images than the small pool has
        made |= {"exam": pick(("on", "off,on")), "data": "digits3", "tasks": "10%,40%"}
    made |= some(0.2, overlap=("1,dynamic(2,3,0.9)", "2", "3")) | some(0.2, difficulty=("images",))
    return made | some(0.1, price=("0.001", "0.004,0.008"))


REPLAYED = {"price": "0.001", "controls": "0", "exam": "off", "overlap": "1,2,3"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, small_data: str) -> str:
    """Three answers to each image of the small pool, most of them right."""
    with np.load(small_data.removeprefix("npz:")) as arrays:
        truth = arrays["y"]
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("recorded") / "answers.csv"
    lines = ["task,annotator,label"]
    for row, annotator in itertools.product(range(len(truth)), range(3)):
        label = truth[row] if rng.random() < 0.8 else rng.choice(np.unique(truth))
        lines.append(f"{row},{annotator},{label}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def read(study: Study) -> list[tuple[str, str]]:
    """What is wrong with a study's answer."""
    report, world = study.run(), study.world
    costs = PlanCosts(world.own())
    inside = [plan for plan in world.space.plans if costs.outside(plan) is None]
    return violations(report, study.config, inside, len(world.pool))


def campaign(
    numbers: Sequence[int], make: Callable[..., Study], recorded: str, folder: Path
) -> tuple[Counter[str], list[str], int]:
    """Violations by kind, each in words, and the number of reports read."""
    kinds: Counter[str] = Counter()
    lines, reports = [], 0
    for number in numbers:
        settings = settings_of(number, recorded)
        try:
            study = make(runs=folder / str(number), study="s", **settings)
            found = read(study)
        except InputError:  # such as a confirmation of the whole budget
            continue
        study.close()
        reports += 1
        kinds.update(kind for kind, _ in found)
        lines += [f"{number} {settings}: {kind}: {text}" for kind, text in found]
    return kinds, lines, reports


@pytest.mark.slow
def test_few_answers_hold_no_contradiction(
    small_study: Callable[..., Study], recorded: str, tmp_path: Path
) -> None:
    _, lines, reports = campaign([*range(FEW), FILLED, DENIED], small_study, recorded, tmp_path)
    assert reports >= FEW / 2
    assert lines == []


@pytest.mark.statistics
@pytest.mark.parametrize("block", range(10))
def test_no_answer_holds_a_contradiction(
    block: int, small_study: Callable[..., Study], recorded: str, tmp_path: Path
) -> None:
    numbers = range(RUNS * block // 10, RUNS * (block + 1) // 10)
    kinds, lines, reports = campaign(numbers, small_study, recorded, tmp_path)
    assert reports >= 0.8 * len(numbers)
    assert kinds == Counter(), "\n".join(lines)

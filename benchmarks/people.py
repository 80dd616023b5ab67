"""The default crowd beside recorded people: agreement of wrong answers, and the gain of overlap.

Recorded: CIFAR-10N, 10 classes, 3 answers to an image by people who had passed their requester's
rules. Simulated: `--scenario` answers as many classes, three usable answers a task, under each set
of rules that a study searches: control tasks per suite, exam. Baseline: the crowd without rules.

- right: share of right single answers; majority: of majorities of three, ties by chance.
- gain: majority - right, in points.
- agree: share of pairs of wrong answers to the same image that agree.
- beyond chance: agree, scaled so that 0 is what equal chances of all wrong classes give. With three
  classes wrong answers agree half the time by chance; this column compares numbers of classes.

    LABELWORTH_DATA=DATA python -m benchmarks.people --seeds 8
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from budget.money import Money
from budget.tariff import expected_assignments
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, QualityRules, Question
from labeling.crowd.engine.rounds import answers_of
from labeling.crowd.fitting import agreement as agree
from labeling.crowd.fitting.imitate import blank
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.crowd.source import CrowdSource
from labeling.recorded.reading import read_recording
from labeling.recorded.recording import Recording
from labeling.seeds import stream
from labeling.types import Condition, Order

FILES = ("cifar10n_6k.npz", "cifar10n_labels.npz")
TASKS, CONTROLS, OVERLAP, SUITE = 6000, 50, 3, 10
PRICE = Money.parse("0.001")


@dataclass(frozen=True)
class Rules:
    """The rules of a campaign: bans for fast responses or none, control tasks, exam."""

    controls: int = 0
    exam: bool = False
    fast: bool = True

    @property
    def words(self) -> str:
        """The rules in a few words."""
        if not self.fast:
            return "none (baseline)"
        exam = ", exam" if self.exam else ""
        return f"fast responses, {self.controls} controls a suite{exam}"


SEARCHED = tuple(Rules(controls, exam) for exam in (False, True) for controls in (0, 1, 2, 3))


def bought(scenario: Scenario, classes: int, rules: Rules, seed: int) -> Recording:
    """Usable answers of one order on the simulated platform."""
    names = tuple(f"class {at}" for at in range(classes))
    bans = QualityRules() if rules.fast else QualityRules(wrong_controls=0, fast_responses=0)
    campaign = Campaign("people", (Question("class", "Which class?", names),), "", rules=bans)
    truth = stream(seed, "truth").integers(classes, size=TASKS + CONTROLS)
    items = make_items(scenario, truth, classes, seed)
    controls = range(TASKS, TASKS + CONTROLS)
    source = CrowdSource(scenario, campaign, items, controls, SuiteTariff(), seed, lambda _: [])
    condition = Condition("d", "m", campaign.key, PRICE, rules.controls, SUITE, rules.exam)
    limit = 20 * expected_assignments(TASKS, OVERLAP, condition.real_per_suite)
    wanted = tuple((row, OVERLAP) for row in range(TASKS))
    answers = answers_of(*source.simulate(Order(condition, 0, wanted, limit, None)))
    kept = answers.usable & ~answers.control
    return replace(
        blank(truth[:TASKS], 1, classes),
        task=answers.task[kept],
        label=answers.label[kept],
        annotator=answers.annotator[kept],
    )


def figures(recording: Recording) -> tuple[float, float, float, float, float]:
    """Right, majority, gain in points, agree, beyond chance."""
    curve = agree.majority_curve(recording, OVERLAP, stream(0, "people"))
    same, chance = agree.wrong_answers_agree(recording), 1 / (len(recording.classes) - 1)
    gain = 100 * float(curve[-1] - curve[0])
    return float(curve[0]), float(curve[-1]), gain, same, (same - chance) / (1 - chance)


def mean_figures(scenario: Scenario, classes: int, rules: Rules, seeds: int) -> list[float]:
    """Mean figures of the crowd over several orders."""
    made = [figures(bought(scenario, classes, rules, seed)) for seed in range(seeds)]
    return [float(value) for value in np.mean(made, axis=0)]


def show(name: str, values: tuple[float, ...] | list[float]) -> None:
    right, majority, gain, same, beyond = values
    print(
        f"{name:58s} {right:6.3f} {majority:8.3f} {gain:5.1f} {same:6.3f} {beyond:6.3f}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="the default crowd beside recorded people")
    parser.add_argument("--scenario", default="default")
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    print(f"{'':58s} {'right':>6s} {'majority':>8s} {'gain':>5s} {'agree':>6s} beyond chance")
    folder = Path(os.environ.get("LABELWORTH_DATA", "data")) / "crowd"
    for name in FILES:
        if (folder / name).exists():
            show(f"recorded: {name}, 10 classes", figures(read_recording(folder / name)))
    scenario = load_scenario(arguments.scenario)
    for classes in (10, 3):
        for rules in (Rules(fast=False), *SEARCHED):
            name = f"{scenario.name}, {classes} classes: {rules.words}"
            show(name, mean_figures(scenario, classes, rules, arguments.seeds))


if __name__ == "__main__":
    main()

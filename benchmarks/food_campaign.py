"""The published campaign beside the scenario `food-campaign`: 30 seeds, a table and a picture.

The published figures are the baseline: $6.54, 105 participants, 30 minutes, one exam task that
49 % got right and others above 90 %.

    python benchmarks/food_campaign.py                      # the table
    python benchmarks/food_campaign.py docs/food-campaign.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from budget.money import Money
from labeling.crowd.fitting.published import PublishedRun, exam_pass_rates, run_published

SEEDS = 30
PARTICIPANTS, MINUTES, REWARD = 105, 30, Money(6_540_000)
EDGE, OTHERS = 0.49, 0.90
INK, MUTED, BAND, DOT = "#1f2933", "#52606d", "#dbe4ee", "#2f6db5"


def report(runs: list[PublishedRun]) -> bool:
    """Print measured beside published; whether all of it is within tolerance."""
    participants = np.array([run.participants for run in runs])
    minutes = np.array([run.minutes for run in runs])
    rates = exam_pass_rates(runs)
    near = np.abs(participants - PARTICIPANTS) <= 0.15 * PARTICIPANTS
    timely = np.abs(minutes - MINUTES) <= 10
    exact = all(run.reward == REWARD for run in runs)
    print(f"{len(runs)} seeds                published   simulated: mean (sd; range)")
    print(
        f"reward                       $6.54       {'$6.54 in every run' if exact else 'differs'}"
    )
    for name, wanted, values, inside in (
        ("participants", PARTICIPANTS, participants, near),
        ("minutes", MINUTES, minutes, timely),
    ):
        print(
            f"{name:<28} {wanted:<11} {values.mean():.1f} ({values.std(ddof=1):.1f}; "
            f"{values.min():.0f}-{values.max():.0f}); {inside.mean():.0%} of runs in tolerance"
        )
    print(f"edge exam task               {EDGE:<11} {rates[0]:.3f}")
    print(f"other exam tasks             > {OTHERS:<9} {rates[1:].min():.3f}-{rates[1:].max():.3f}")
    for name in ("looked", "exam_sat", "banned", "accuracy"):
        values = np.array([getattr(run, name) for run in runs])
        print(f"{name:<28} unknown     {values.mean():.3f} ({values.std(ddof=1):.3f})")
    together = float((near & timely).mean())
    print(f"both in tolerance            >= 90 %     {together:.0%}")
    edge = abs(rates[0] - EDGE) <= 0.02 and bool(np.all(rates[1:] > OTHERS))
    return exact and together >= 0.9 and edge


def draw(runs: list[PublishedRun], path: Path) -> None:
    """Participants and minutes of every run, and the exam tasks, beside the published figures."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8.4, 3.5), dpi=110, width_ratios=(1.35, 1), layout="constrained"
    )
    left.fill_between([PARTICIPANTS * 0.85, PARTICIPANTS * 1.15], 20, 40, color=BAND, lw=0)
    left.scatter(
        [r.participants for r in runs], [r.minutes for r in runs], s=30, color=DOT, edgecolor="w"
    )
    left.plot(PARTICIPANTS, MINUTES, marker="+", ms=15, mew=2, color=INK, ls="none")
    left.text(86, 43, "+ published, its tolerance shaded", color=MUTED, fontsize=9)
    left.set(xlim=(85, 125), ylim=(15, 45), xlabel="participants", ylabel="minutes")
    left.set_title(f"{len(runs)} simulated campaigns of $6.54", loc="left", fontsize=11, color=INK)
    rates = exam_pass_rates(runs)
    tasks = np.arange(1, len(rates) + 1)
    right.axhline(OTHERS, color=MUTED, lw=1, ls="--")
    right.text(
        10.4, OTHERS - 0.02, "published: above .90", color=MUTED, fontsize=9, va="top", ha="right"
    )
    right.vlines(tasks, 0, rates, color=BAND, lw=5)
    right.scatter(tasks, rates, s=30, color=DOT, zorder=3)
    right.plot(1, EDGE, marker="+", ms=15, mew=2, color=INK, zorder=4)
    right.text(1.6, EDGE, "published: .49", color=MUTED, fontsize=9, va="center")
    right.set(ylim=(0, 1), xticks=tasks, xlabel="exam task", ylabel="right, of those who sat it")
    right.set_title("Exam tasks, pooled", loc="left", fontsize=11, color=INK)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=MUTED, labelsize=9)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    runs = [run_published(seed) for seed in range(SEEDS)]
    fine = report(runs)
    if len(sys.argv) > 1:
        draw(runs, Path(sys.argv[1]))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()

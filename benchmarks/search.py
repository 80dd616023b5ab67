"""Searches compared at equal money: label-level simulation, real training, true surfaces.

Metric, fixed before any run. A method spends the cap on a surface and names, for each of 24 budget
levels (log-spaced from the surface's cheapest plan to 40 % of the cap), the plan that it recommends
among those it evaluated with a price tag of at most that level. Its **gap** is the mean over levels
of (best true accuracy at that level - true accuracy of the plan named), in points: the normalised
hypervolume missing on a log-cost axis. True is the mean on the final images over redraws that no
study meets (30). A level below the cheapest evaluated plan scores guessing (`raw`), or the cheapest
plan of the space (`fallback`: everyone has it for free). Recommendations are by measured validation
accuracy (`raw`, `fallback`) or by this project's shrunk estimate (`shrunk`, with the fallback).
Ratios are of mean gaps over seeds, the baseline's over ours, where ours is not nothing; intervals
are 95 % bootstraps over seeds. Ours is always scored by its shrunk estimate. (The answer of a study
recommends by its learning curve, which `benchmarks.honesty` judges.)

Every purchase is one of 20 redraws of its condition, drawn by (seed, condition), the same for all
methods. A study buys within limits, caps and holds as the product does; 15 % of the cap is kept
for the confirmation by ours and by the rule (0 by the stock samplers). The regret against the
rule of thumb counts levels from $0.50 on. A deadline acts by what is expected: a plan expected to
take longer is outside the limits.

Tuning: default, spam-heavy, digits. Scoring: price-selection, slow-supply (its 15 minutes bind),
exam, digits-noise (pixel noise of sd .25), cifar10n (recorded answers, overlap and tasks; needs
LABELWORTH_DATA). The ten-class surfaces have no exam in their space: a table of theirs costs three
times as much.

    python -m benchmarks.search --surfaces default,spam-heavy --seeds 40 --methods tpe,money
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._surface import Surface, TablePrices
from budget.money import ZERO, Money
from hpo.search.money_aware import distributions
from hpo.search.samplers import make_sampler
from hpo.search.searcher import Searcher
from hpo.settings.config import make_config
from hpo.trial.outcome import Outcome
from labeling.seeds import derive
from labeling.types import LabelPlan

Floats = NDArray[np.float64]

NOTHING = 0.005  # points: a gap below it is none, and nothing is a ratio to it
SPACE = {"price": "0.001,0.002,0.004", "overlap": "1,2,3,5", "controls": "0,1,2", "study": "b"}
SURFACES: dict[str, dict[str, object]] = {
    "default": {},
    "spam-heavy": {"scenario": "spam-heavy"},
    "price-selection": {"scenario": "price-selection"},
    "slow-supply": {"scenario": "slow-supply"},
    "exam": {"exam": "on"},
    "digits": {"data": "digits", "exam": "off"},
    "digits-noise": {"data": "noise:0.25", "exam": "off"},
    "cifar10n": {
        "data": "cifar10n",
        "price": "0.001",
        "controls": "0",
        "overlap": "1,2,3",
        "exam": "off",
    },
}
STOCK = ("random", "tpe", "tpe-mv5", "nsga2", "gp")
METHODS = (*STOCK, *(f"{name}+reuse" for name in STOCK), "autoquality", "rule", "money")


class Lab:
    """One study of one method on a table."""

    def __init__(self, surface: Surface, seed: int, kept: Money) -> None:
        self.surface, self.seed, self.kept = surface, seed, kept
        self.holdings = TablePrices(surface, seed)
        self.searcher = Searcher(surface.world)
        self.searcher.prices = self.holdings  # type: ignore[assignment]
        self.outcomes: list[Outcome] = []
        self.spent = ZERO
        self.purchases = 0

    @property
    def left(self) -> Money:
        """What the search may still spend."""
        return max(ZERO, self.surface.config.budget - self.kept - self.spent)

    @property
    def seen(self) -> set[str]:
        """Plans evaluated."""
        return {outcome.plan.key for outcome in self.outcomes}

    def buy(self, plan: LabelPlan) -> None:
        """Buy and evaluate a plan."""
        self.spent += self.holdings.buy(plan)
        self.purchases += 1
        self.evaluate(plan)

    def evaluate(self, plan: LabelPlan) -> None:
        """Evaluate an owned plan."""
        i, draw = self.surface.at[plan.key], self.holdings.draw(plan)
        accuracy = float(self.surface.tables[0][i, draw])
        share = 1 + float(self.surface.tables[2][i, draw])
        tag = Money(round(self.surface.world.prices.list_price(plan).cost.micros * share))
        blank = Outcome(plan, 0, 0, 1, 0, 0, 0, ZERO, 0, 0, 0, "", 0)
        self.outcomes.append(replace(blank, accuracy=accuracy, price_tag=tag))

    def reuse(self, plan: LabelPlan) -> None:
        """Evaluate what the last purchase contains, as the product does."""
        done = 0
        while (found := self.searcher.free(self.outcomes, plan, done)) is not None:
            self.evaluate(found)
            done += 1

    def polish(self) -> None:
        """Evaluate owned plans expected on the front."""
        for _ in range(40):
            plan = self.searcher.missing_from_front(self.outcomes)
            if plan is None:
                return
            self.evaluate(plan)

    def can_buy(self, plan: LabelPlan) -> bool:
        """Inside the limits, lacks something, and its reservation is within what is left."""
        quote = self.holdings.to_buy(plan)
        inside = self.surface.world.prices.outside(plan) is None
        return (
            inside and plan.key not in self.seen and quote.answers > 0 and quote.hold <= self.left
        )


def run_ours(surface: Surface, seed: int, rule: bool) -> Lab:
    """Our search, or the rule of thumb."""
    lab = Lab(surface, seed, surface.config.confirm_reserve)
    decide = lab.searcher.decide_by_rule if rule else lab.searcher.decide
    while (plan := decide(lab.outcomes, lab.left).plan) is not None:
        lab.buy(plan)
        lab.reuse(plan)
    lab.polish()
    return lab


def run_stock(surface: Surface, seed: int, name: str, reuse: bool) -> Lab:
    """A stock sampler, with a stand-in for what cannot be bought, as in the product."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    lab, space = Lab(surface, seed, ZERO), surface.world.space
    sampler = (
        optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=5)
        if name == "tpe-mv5"
        else make_sampler(name, derive(seed, name), space, _no_choice)
    )
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    told = 0

    def tell() -> None:
        nonlocal told
        for outcome in lab.outcomes[told:]:
            study.add_trial(
                optuna.trial.create_trial(
                    params=space.params_of(outcome.plan),
                    distributions=distributions(space),
                    values=[outcome.accuracy, outcome.price_tag.dollars],
                )
            )
        told = len(lab.outcomes)

    while any(lab.can_buy(plan) for plan in surface.plans):
        trial = study.ask(distributions(space))
        plan = space.plan_of(trial.params)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)  # told below, as what was bought
        if not lab.can_buy(plan):
            plan = space.nearest(plan, [p for p in surface.plans if lab.can_buy(p)]) or plan
        lab.buy(plan)
        if reuse:
            lab.reuse(plan)
        tell()
    if reuse:
        lab.polish()
    return lab


def _no_choice() -> LabelPlan:
    raise AssertionError("a stock sampler chooses by itself")


def run_autoquality(surface: Surface, seed: int) -> Lab:
    """Ten random pools, as many as the money bears, ranked by the quality of their labels.

    Stands for Toloka's AutoQuality, which trains no model and reuses no answer. Quality here is the
    measured accuracy, in its favour.
    """
    lab, rng = Lab(surface, seed, ZERO), np.random.default_rng(derive(seed, "autoquality"))
    for _ in range(10):
        able = [plan for plan in surface.plans if lab.can_buy(plan)]
        if able:
            lab.buy(able[int(rng.integers(len(able)))])
    return lab


def run(method: str, surface: Surface, seed: int) -> Lab:
    """One study of a method."""
    if method in ("money", "rule"):
        return run_ours(surface, seed, method == "rule")
    if method == "autoquality":
        return run_autoquality(surface, seed)
    name, _, reuse = method.partition("+")
    return run_stock(surface, seed, name, bool(reuse))


def gaps(lab: Lab, method: str, levels: Floats | None = None) -> dict[str, Floats]:
    """The gap at every budget level, by kind of score, in points.

    Args:
        lab: a finished study.
        method: its method.
        levels: budget levels in dollars; None for the surface's own.
    """
    surface = lab.surface
    levels = surface.levels if levels is None else levels
    accuracy, tags = surface.truth
    places = np.array([surface.at[o.plan.key] for o in lab.outcomes])
    measured = np.array([o.accuracy for o in lab.outcomes])
    own_tags = np.array([o.price_tag.dollars for o in lab.outcomes])
    mean, _, _ = lab.searcher.surrogate(lab.outcomes).predict(lab.searcher.inputs.at(places))
    chance = 1 - lab.searcher.chance_error
    within = surface.inside
    cheapest = int(np.argmin(np.where(within, tags, np.inf)))
    found: dict[str, list[float]] = {"raw": [], "fallback": [], "shrunk": []}
    for level in levels:
        best = float(accuracy[within & (tags <= level)].max())
        able = own_tags <= level
        for kind, estimate in (("raw", measured), ("fallback", measured), ("shrunk", -mean)):
            if able.any():
                got = float(accuracy[places[np.argmax(np.where(able, estimate, -np.inf))]])
            else:
                got = chance if kind == "raw" else float(accuracy[cheapest])
            found[kind].append(100 * (best - got))
    if method == "rule":
        found["shrunk"] = _rule_gaps(lab, levels)
    return {kind: np.array(values) for kind, values in found.items()}


def _rule_gaps(lab: Lab, levels: Floats) -> list[float]:
    """The rule's own recommendation needs no measurement: its largest plan within the level."""
    surface = lab.surface
    accuracy, tags = surface.truth
    curve = [surface.at[plan.key] for plan in lab.searcher.rule]
    cheapest = int(np.argmin(np.where(surface.inside, tags, np.inf)))
    found = []
    for level in levels:
        best = float(accuracy[surface.inside & (tags <= level)].max())
        able = [i for i in curve if tags[i] <= level]
        found.append(100 * (best - float(accuracy[able[-1] if able else cheapest])))
    return found


def ratio(theirs: Floats, ours: Floats, rng: np.random.Generator) -> tuple[float, float, float]:
    """Ratio of mean gaps and its 95 % bootstrap interval over seeds."""
    n = len(ours)
    picks = rng.integers(0, n, (2000, n))
    ratios = theirs[picks].mean(axis=1) / np.maximum(ours[picks].mean(axis=1), 1e-9)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(theirs.mean() / max(ours.mean(), 1e-9)), float(low), float(high)


def compare(surface: Surface, methods: list[str], seeds: int) -> dict[str, object]:
    """All methods on one surface; prints a line each and returns the numbers."""
    scores: dict[str, dict[str, Floats]] = {}
    late: dict[str, float] = {}
    for method in methods:
        start = time.perf_counter()
        labs = [run(method, surface, seed) for seed in range(seeds)]
        found = [gaps(lab, method) for lab in labs]
        scores[method] = {kind: np.array([f[kind].mean() for f in found]) for kind in found[0]}
        from_half = surface.levels >= 0.5
        late[method] = float(np.mean([f["shrunk"][from_half].mean() for f in found]))
        means = "  ".join(
            f"{kind} {values.mean():5.2f}+-{values.std(ddof=1) / len(values) ** 0.5:.2f}"
            for kind, values in scores[method].items()
        )
        print(
            f"{surface.name:16} {method:14} {means}  from $.5 {late[method]:5.2f}  purchases "
            f"{np.mean([lab.purchases for lab in labs]):5.1f}  plans "
            f"{np.mean([len(lab.seen) for lab in labs]):5.1f}  spent "
            f"{np.mean([lab.spent.dollars for lab in labs]):6.2f}  "
            f"{(time.perf_counter() - start) / seeds:.2f} s",
            flush=True,
        )
    out: dict[str, object] = {
        method: {kind: round(float(v.mean()), 3) for kind, v in scores[method].items()}
        for method in methods
    }
    out["regret_from_half_dollar"] = {method: round(v, 3) for method, v in late.items()}
    if "money" in methods and scores["money"]["shrunk"].mean() >= NOTHING:
        rng = np.random.default_rng(0)
        ours = scores["money"]["shrunk"]
        for method in methods:
            if method == "money":
                continue
            rows = {kind: ratio(scores[method][kind], ours, rng) for kind in scores[method]}
            words = "  ".join(f"{k} {r:.1f} [{lo:.1f},{hi:.1f}]" for k, (r, lo, hi) in rows.items())
            print(f"{surface.name:16} ratio to {method:14} {words}", flush=True)
            out[f"ratio {method}"] = {k: [round(x, 3) for x in row] for k, row in rows.items()}
    return out


def make_surface(name: str, cap: str, draws: int, cache: Path, judged: int = 0) -> Surface:
    """A named surface."""
    settings = {**SPACE, "budget": cap, "goal": "plan", **SURFACES[name]}
    if settings.get("data") == "cifar10n":
        root = Path(os.environ.get("LABELWORTH_DATA", "../shared/data"))
        recorded = root / "crowd" / "cifar10n_6k.npz"
        settings.update(data=f"npz:{recorded}", market=f"replay:{recorded}")
    elif str(settings.get("data", "")).startswith("noise:"):
        settings["data"] = f"npz:{_noisy_digits(float(str(settings['data'])[6:]), cache)}"
    return Surface(name, make_config(settings), draws, cache, judged)


def _noisy_digits(sd: float, cache: Path) -> Path:
    """The digits with noise on every pixel (0 to 1), as a file that a study reads."""
    from sklearn.datasets import load_digits

    path = cache / f"digits-noise-{sd:g}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        images, truth = load_digits(return_X_y=True)
        rng = np.random.default_rng(derive(0, "pixel noise"))
        noisy = np.clip(images / 16 + rng.normal(0, sd, images.shape), 0, 1)
        draft = path.with_suffix(".part.npz")
        x = np.round(255 * noisy).astype(np.uint8).reshape(-1, 8, 8)
        np.savez(draft, x=x, y=truth.astype(np.int64))
        draft.replace(path)
    return path


def _settings(given: argparse.Namespace) -> dict[str, str]:
    """The command's settings without paths."""
    return {k: str(v) for k, v in vars(given).items() if k not in ("cache", "out")}


def main(words: list[str] | None = None) -> dict[str, object]:
    """Compare and print; returns the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surfaces", default="default,spam-heavy")
    parser.add_argument("--methods", default="random,random+reuse,tpe,tpe+reuse,rule,money")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=20, help="redraws that studies meet")
    parser.add_argument("--judged", type=int, default=30, help="further redraws, for the truth")
    parser.add_argument("--cap", default="20")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "surfaces")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(words)
    results: dict[str, object] = {"settings": _settings(given)}
    for name in given.surfaces.split(","):
        surface = make_surface(name, given.cap, given.draws, given.cache, given.judged)
        with closing(surface):
            results[name] = compare(surface, given.methods.split(","), given.seeds)
        if given.out:
            given.out.write_text(json.dumps(results, indent=1) + "\n")
    return results


if __name__ == "__main__":
    main()

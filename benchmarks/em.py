"""What the kind of target "em" regains of what spammers cost, without control tasks.

    python -m benchmarks.em [--seeds 6] [--images 3000] [--overlap 1] [--spam 0.3]

Photos of CIFAR-10N with patch features and their true classes. 60 simulated annotators are right
in 85 % of answers; a share of them answers at random instead. Heads are trained on the answers by
the kinds soft, posterior and hard ("usual", the baseline); by em alone; by em where the answers say
so ("chosen"); and by the usual kinds without any spammer's answer ("dropped"), which nobody can
know. Scored on 1,500 further photos. Regained: (em - usual) / (dropped - usual), of the means.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from benchmarks.ground import CIFAR10N
from budget.money import Money
from hpo.settings.rows.labels import EM, TARGETS
from hpo.trial.evaluate import train_head
from hpo.trial.model.joint import with_people
from hpo.trial.model.trained import Trained
from hpo.trial.trainer import CrossValidated
from hpo.trial.world import World
from labeling.aggregation.methods import aggregate
from labeling.campaign.campaign import OBJECTIVE
from labeling.types import Answers, Bools, Floats, Ints, LabelPlan, LabelSet
from training.fit import hard
from training.patches import patch_features

CLASSES, PEOPLE, SKILL, FINAL = 10, 60, 0.85, 1500
LEAST_LOSS = 0.5  # points that spammers cost, from which a share of them is said
_PLAN = LabelPlan(Money(1_000), 1, 0, 1, exam=False)


def crowd(
    truth: Ints, overlap: int, spam: float, rng: np.random.Generator
) -> tuple[Answers, Bools]:
    """Answers to every image, and which of them a spammer gave."""
    spammer = np.zeros(PEOPLE, dtype=np.bool_)
    spammer[rng.permutation(PEOPLE)[: round(spam * PEOPLE)]] = True
    task = np.repeat(np.arange(len(truth)), overlap)
    people = np.concatenate([rng.permutation(PEOPLE)[:overlap] for _ in truth])
    other = (truth[task] + rng.integers(1, CLASSES, len(task))) % CLASSES
    label = np.where(rng.random(len(task)) < SKILL, truth[task], other)
    label = np.where(spammer[people], rng.integers(0, CLASSES, len(task)), label)
    yes = np.ones(len(task), dtype=np.bool_)
    return Answers(task, people, label, ~yes, yes), spammer[people]


def world_of(features: Floats, rows: Ints, kinds: tuple[str, ...]) -> World:
    """As much of a world as training needs: the images are the pool, and none is known."""
    return cast(
        World,
        SimpleNamespace(
            config=SimpleNamespace(train_on=kinds),
            control_truth={},
            features=SimpleNamespace(values=features),
            data=SimpleNamespace(rows={"pool": rows}),
            market=SimpleNamespace(asked=SimpleNamespace(kind=OBJECTIVE)),
            trainer=CrossValidated(),
        ),
    )


def usual(labels: LabelSet, answers: Answers, features: Floats, seed: int) -> Trained:
    """A head by the kinds soft, posterior and hard."""
    rng = np.random.default_rng(seed)
    targets: Mapping[str, Floats] = {
        "soft": labels.shares,
        "posterior": labels.posterior,
        "hard": hard(labels.posterior, rng),
    }
    world = world_of(features, np.arange(len(features)), TARGETS[:3])
    weight = labels.answers.astype(np.float64)
    model = train_head(labels, targets, labels.shares, weight, rng, world)
    return Trained(_PLAN, labels, answers, targets[model.target], model)


def measure(
    features: Floats, truth: Ints, images: int, overlap: int, spam: float, seed: int
) -> dict[str, float]:
    """Accuracies of the heads of one crowd; whether em was chosen; shares of right labels."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(truth))
    pool, final = order[:images], order[images:][-FINAL:]
    answers, by_spammer = crowd(truth[pool], overlap, spam, rng)
    own = features[pool]

    def accuracy(trained: Trained) -> float:
        said = trained.model.predict(features[final]).argmax(axis=1)
        return 100 * float((said == truth[final]).mean())

    def labelled(given: Answers) -> LabelSet:
        return aggregate(given, np.arange(images), CLASSES, "weighted", {})

    base = usual(labelled(answers), answers, own, seed)
    honest = answers.where(~by_spammer)
    made: dict[str, Trained] = {
        "usual": base,
        "dropped": usual(labelled(honest), honest, own, seed),
    }
    for name, kinds in (("em", (EM,)), ("chosen", TARGETS)):
        world = world_of(own, np.arange(images), kinds)
        made[name] = with_people(replace(base), world, np.random.default_rng(seed))
    row: dict[str, float] = {name: accuracy(each) for name, each in made.items()}
    row["took em"] = float(made["chosen"].model.target == EM)
    right = truth[pool][base.labels.task]
    for name in ("usual", "em"):
        labels = base.labels.posterior if name == "usual" else made["em"].target
        row[f"{name} labels"] = 100 * float((labels.argmax(axis=1) == right).mean())
    return row


def main(words: Sequence[str] | None = None) -> None:
    """Measure crowds and print means with standard errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--overlap", type=int, default=1)
    parser.add_argument("--spam", type=float, default=0.3)
    given = parser.parse_args(words)
    with np.load(CIFAR10N) as held:
        pixels, truth = held["x"], held["clean"].astype(np.int64)
    features: Any = patch_features(lambda rows: pixels[rows], len(pixels))
    rows = [
        measure(features, truth, given.images, given.overlap, given.spam, seed)
        for seed in range(given.seeds)
    ]
    print(
        f"{given.images} images, overlap {given.overlap}, {given.spam:.0%} spammers, "
        f"{given.seeds} seeds"
    )
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    for name in rows[0]:
        spread = np.std([row[name] for row in rows], ddof=1) / np.sqrt(len(rows))
        print(f"  {name:14} {mean[name]:6.2f} +- {spread:.2f}")
    for name in ("em", "chosen"):
        gain, whole = mean[name] - mean["usual"], mean["dropped"] - mean["usual"]
        regained = f"{100 * gain / whole:.0f} %" if whole >= LEAST_LOSS else "nothing to regain"
        print(f"  {name} - usual {gain:+.2f}; regained: {regained}", flush=True)


if __name__ == "__main__":
    main()

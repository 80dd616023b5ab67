"""Views of 100,000 answers: how long a filter by confidence and class takes, and what it needs.

A label version of 100,000 answers to 33,334 images in three classes is saved, entered in the
catalogue of a study, and asked. Baselines, same machine and run: pandas reading the version's CSV
files and filtering them, which is what one does without a catalogue; and pandas filtering frames
that are in memory already, the least that any program could take. Both find the same rows. Times
are medians of the calls named, in milliseconds.

    python benchmarks/views.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from budget.database import open_database
from hpo.settings.config import make_config
from hpo.settings.run_folder import claim
from hpo.study.views.version_catalogue import enter, find_view
from labeling import versions
from labeling.aggregation.facts import answer_facts
from labeling.aggregation.methods import aggregate
from labeling.store.catalogue import Catalogue
from labeling.types import Answers
from labeling.versions import ANSWERS, LABELS, Version

CLASSES = ("loop", "straight", "open")
IMAGES, CONTROLS, OVERLAP, PEOPLE, CALLS = 30_000, 100, 3, 1500, 15
VIEWS = {
    "labels by confidence and class": "confidence >= 0.9 and label == 'loop'",
    "answers by confidence and class": "confidence >= 0.9 and label == 'loop' and not control",
    "answers by skill and class": "skill >= 0.8 and answer == 'loop'",
}


def make_version(root: Path) -> Version:
    """30,000 images with three answers each, and 10,000 control answers."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(CLASSES), IMAGES + CONTROLS)
    task = np.r_[np.repeat(np.arange(IMAGES), OVERLAP), IMAGES + rng.integers(0, CONTROLS, 10_000)]
    annotator = rng.integers(0, PEOPLE, len(task))
    skill = rng.beta(8, 2, PEOPLE)
    right = rng.random(len(task)) < skill[annotator]
    label = np.where(right, truth[task], rng.integers(0, len(CLASSES), len(task)))
    control = task >= IMAGES
    answers = Answers(task, annotator, label, control, np.ones(len(task), dtype=np.bool_))
    known = {row: int(truth[row]) for row in range(IMAGES, IMAGES + CONTROLS)}
    labels = aggregate(answers, range(IMAGES), len(CLASSES), "weighted", known)
    seconds, submitted = rng.gamma(4, 1, len(task)), rng.uniform(0, 3600, len(task))
    facts = answer_facts(answers, known, len(CLASSES), seconds, submitted)
    condition = {
        "key": "0" * 32,
        "market": "simulated:default",
        "price": {"micros": 2000},
        "controls_per_suite": 1,
        "exam": False,
    }
    manifest = {"plan": {"overlap": OVERLAP}, "condition": condition, "classes": list(CLASSES)}
    names = [f"photos/{row:06d}.jpg" for row in range(IMAGES + CONTROLS)]
    return versions.save(root, manifest, labels, answers, names=names, classes=CLASSES, facts=facts)


def of_frames(labels: pd.DataFrame, answers: pd.DataFrame) -> dict[str, Callable[[], int]]:
    """The same views in pandas."""

    def joined() -> int:
        real = answers[answers["control"] == 0]
        both = real.merge(labels, on="image", suffixes=("_answer", ""))
        return len(both[(both["confidence"] >= 0.9) & (both["label"] == "loop")])

    return {
        "labels by confidence and class": lambda: len(
            labels[(labels["confidence"] >= 0.9) & (labels["label"] == "loop")]
        ),
        "answers by confidence and class": joined,
        "answers by skill and class": lambda: len(
            answers[(answers["skill"] >= 0.8) & (answers["label"] == "loop")]
        ),
    }


def median_ms(call: Callable[[], Any], calls: int) -> float:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def command_s(root: Path, text: str) -> float:
    """Seconds of the whole command `labelworth view`, start of Python included."""
    return seconds([sys.executable, "-m", "hpo.run", "view", str(root), text, "--count"])


def seconds(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "views"
        claim(root, make_config({"budget": "20", "study": "views"}))
        version = make_version(root / "versions")
        engine = open_database(root / "labelworth.sqlite")
        catalogue = Catalogue(engine, "trial")
        start = time.perf_counter()
        enter(catalogue, version)
        entering = time.perf_counter() - start
        files = [version.path / LABELS, version.path / ANSWERS]
        frames = [pd.read_csv(file) for file in files]
        print(
            f"{len(frames[1])} answers, {len(frames[0])} labels; entered once in {entering:.2f} s"
        )
        print("view: rows, ms | pandas from CSV: ms, ratio | pandas in memory: ms, ratio")
        for name, text in VIEWS.items():
            view = find_view(catalogue, text)
            found = len(catalogue.places(view))
            assert found == of_frames(*frames)[name]()
            ours = median_ms(lambda v=view: catalogue.places(v), CALLS)
            fresh = median_ms(lambda n=name: of_frames(*map(pd.read_csv, files))[n](), CALLS // 3)
            least = median_ms(of_frames(*frames)[name], CALLS)
            print(
                f"  {name:<32} {found:>6} {ours:7.1f} | {fresh:7.1f} {ours / fresh:6.2f}"
                f" | {least:6.1f} {ours / least:6.1f}"
            )
            count = median_ms(lambda v=view: catalogue.count(v), CALLS)
            print(f"    counted only: {count:.1f}")
        text = VIEWS["answers by confidence and class"]
        first, again = (
            command_s(root, text),
            statistics.median(command_s(root, text) for _ in "123"),
        )
        bare = statistics.median(
            seconds([sys.executable, "-c", "import sqlalchemy"]) for _ in "123"
        )
        print(
            f"whole command: first {first:.2f} s, then {again:.2f} s; "
            f"importing sqlalchemy alone {bare:.2f} s"
        )
        engine.dispose()


if __name__ == "__main__":
    main()

"""Trials on disk: what any process writes is seen by all, at once."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from hpo.settings.stored_answer import SEARCH
from hpo.study.study import Study, open_study
from tests.heads import FixedHeads


def test_what_others_write_is_seen_at_once(small_study: Callable[..., Study]) -> None:
    mine = small_study(study="s", sampler="random", no_reuse=True, confirm="0")
    other = open_study(mine.folder, FixedHeads())
    assert mine.trials.all() == other.trials.all() == []
    asked = other.ask()
    assert asked is not None
    assert mine.trials.at(asked.trial.number).state.name == "RUNNING"
    other.finish(asked.trial.number)
    assert mine.trials.at(asked.trial.number).state.name == "COMPLETE"
    assert len(mine.trials.purchases()) == len(other.trials.purchases()) == 1
    before = len(mine.trials.all())
    mine.trials.enqueue(asked.plan)
    assert len(other.trials.all()) == len(mine.trials.all()) == before + 1
    other.close()


@pytest.mark.slow
def test_trials_are_not_read_again_while_nothing_was_written(
    small_study: Callable[..., Study],
) -> None:
    study = small_study(study="s", sampler="random", no_reuse=True, confirm="0", trials=1)
    study.run()
    first = study.trials.all()
    assert all(a is b for a, b in zip(first, study.trials.all(), strict=True))
    study.trials.fail(study.trials.study.ask().number)
    assert len(study.trials.all()) == len(first) + 1


def test_a_closed_study_leaves_whole_files(small_study: Callable[..., Study]) -> None:
    """Whoever copies a database by itself, without its log, copies all of it."""
    gc.disable()  # nothing may wait for the garbage collection
    try:
        study = small_study(study="s", trials=2)
        study.run()
        told = len(study.trials.all())
        study.close()
    finally:
        gc.enable()
    assert [path.name for path in study.folder.glob("*.sqlite-[ws]*")] == []
    with closing(sqlite3.connect(f"file:{study.folder / SEARCH}?immutable=1", uri=True)) as trials:
        assert trials.execute("SELECT count(*) FROM trials").fetchone() == (told,)

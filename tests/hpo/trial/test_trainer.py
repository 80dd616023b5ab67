"""One seam for all training: a study trains with the trainer it is given, and with no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo import Study
from hpo.study.next_purchase import Wish, carry_out, prepare
from hpo.trial.trainer import CrossValidated
from tests.conftest import SMALL
from tests.heads import FixedHeads
from training import fit


def test_every_head_of_a_study_comes_from_its_trainer(
    small_study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Search, front, confirmation, merged labels, both difficulties and the next purchase."""

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("trained by another than the study's trainer")

    for name in ("train", "refit"):
        monkeypatch.setattr(fit, name, never)
    trainer = FixedHeads()
    study = small_study(study="s", trials=2, trainer=trainer)
    report = study.run()
    assert report["confirmation"] is not None
    assert report["all_labels_merged"] is not None
    before = trainer.trained
    assert before > report["evaluated_plans"]
    purchase = prepare(Path(study.folder), Wish(tasks=20), trainer)
    carry_out(purchase, lambda doing: None)
    purchase.world.close()
    assert trainer.trained > before


@pytest.mark.slow
def test_without_one_the_heads_are_cross_validated(small_data: str, tmp_path: Path) -> None:
    study = Study(runs=tmp_path, **{**SMALL, "data": small_data, "study": "s", "trials": 1})
    assert isinstance(study.world.trainer, CrossValidated)
    study.run()
    (bought,) = study.trials.purchases()
    study.close()
    assert bought.outcome.penalty > 0

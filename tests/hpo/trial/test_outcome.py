"""An outcome's plain form: what was not measured is absent, never 0."""

from __future__ import annotations

from budget.money import Money
from hpo.trial.outcome import Outcome, outcome_from_plain, outcome_to_plain
from labeling.campaign.campaign import score_name
from labeling.types import LabelPlan

OUTCOME = Outcome(
    LabelPlan(Money(1000), 1, 0, 98, False),
    0.9,
    0.85,
    0.94,
    macro_f1=None,
    ece=None,
    log_loss=0.4,
    price_tag=Money(127_400),
    minutes=3.5,
    labels=98,
    answers=98,
    target="soft",
    penalty=0.1,
)


def test_scores_that_were_not_measured_stay_so_on_disk() -> None:
    assert outcome_from_plain(outcome_to_plain(OUTCOME)) == OUTCOME


def test_a_stored_outcome_without_these_scores_is_read() -> None:
    raw = outcome_to_plain(OUTCOME)
    for name in ("macro_f1", "ece", "log_loss"):
        del raw[name]
    read = outcome_from_plain(raw)
    assert (read.macro_f1, read.ece, read.log_loss) == (None, None, None)
    assert read.accuracy == OUTCOME.accuracy


def test_a_question_of_taste_has_no_accuracy() -> None:
    assert score_name("objective") == "accuracy"
    assert score_name("subjective") == "agreement with the panel"

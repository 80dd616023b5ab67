"""A study does its work once: orders are read once, and heads are trained once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from hpo.study.evaluations import REPEATS
from hpo.trial.evaluate import evaluate
from tests.heads import FixedHeads

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(module_study):
    """A finished study, its heads, and the statements that read orders' tasks."""
    heads, sent = FixedHeads(), []
    study = module_study(study="once", trainer=heads)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM order_tasks" in statement:
            sent.append(statement)

    event.listen(study.world.database, "before_cursor_execute", note)
    study.run()
    return study, heads, sent


def test_the_tasks_of_an_order_are_read_while_it_is_bought_and_once_after(done) -> None:
    study, _, sent = done
    orders = len(study.world.store.all_orders())
    assert orders >= 5
    assert len(sent) <= 10 * orders  # each some times while it is written down, held and bought
    bought = len(sent)
    for _ in range(3):
        study.report()
        study.world.prices.refresh()
        study._searcher.offers(study.outcomes(), study.world.ledger.balance().left)
    assert len(sent) == bought


def test_a_plan_that_is_measured_again_is_not_trained_again(done) -> None:
    study, heads, _ = done
    front = [outcome for outcome in study.front() if outcome.draws == REPEATS]
    trained = heads.trained
    assert front
    measured = {outcome.plan: outcome.accuracy for outcome in study.outcomes()}
    for outcome in front:
        again = evaluate(outcome.plan, study.world, REPEATS)
        assert again.accuracy == measured[outcome.plan]
    assert heads.trained == trained

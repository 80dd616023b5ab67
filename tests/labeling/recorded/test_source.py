"""Replay and own labels: recorded answers as a market, at a price, and as a gift.

What every market owes is in tests/contract/test_label_source.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from budget.database import open_database
from budget.errors import InputError
from budget.ledger import Ledger
from budget.money import ZERO, Money
from budget.tariff import expected_assignments
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, Exam, QualityRules, Question
from labeling.recorded.own_labels import bring_in, own_label_page
from labeling.recorded.recording import Recording
from labeling.recorded.source import ReplaySource
from labeling.store import Store
from labeling.types import Assignment, Condition, DynamicOverlap, Order, OrderEnd

TASKS, CONTROLS = 60, 20
CAMPAIGN = Campaign("r", (Question("q", "Which?", ("a", "b", "c")),), "")
TRUTH = np.random.default_rng(0).integers(0, 3, TASKS + CONTROLS)


def recorded(
    people: int = 12, named: bool = True, timed: bool = True, accuracy: float = 0.9
) -> Recording:
    """Everybody's answer to every task."""
    rows = TASKS + CONTROLS
    rng = np.random.default_rng(2)
    task, annotator = (grid.ravel() for grid in np.meshgrid(np.arange(rows), np.arange(people)))
    right = rng.random(len(task)) < accuracy
    label = np.where(right, TRUTH[task], (TRUTH[task] + 1) % 3)
    seconds = np.full(len(task), 3.0) if timed else None
    names = tuple(f"img{row}" for row in range(rows))
    ids = annotator if named else None
    return Recording("r.csv", ("a", "b", "c"), names, task, label, ids, seconds, TRUTH)


def market(
    recording: Recording, campaign: Campaign = CAMPAIGN, controls: int = CONTROLS, seed: int = 0
) -> ReplaySource:
    truth = {row: int(TRUTH[row]) for row in range(TASKS, TASKS + controls)}
    rows = {row: row for row in range(len(recording.tasks))}
    return ReplaySource(recording, rows, campaign, truth, SuiteTariff(), seed, lambda _: [])


def order(
    overlap: int = 2,
    rows: range = range(TASKS),
    controls: int = 0,
    exam: bool = False,
    campaign: Campaign = CAMPAIGN,
    limit: int = 1000,
    price: str = "0.002",
) -> Order:
    condition = Condition("d", "replay:x", campaign.key, Money.parse(price), controls, 10, exam)
    return Order(condition, 0, tuple((row, overlap) for row in rows), limit, None)


def bought(source: ReplaySource, wanted: Order) -> tuple[list[Assignment], OrderEnd]:
    pages = list(source.collect(source.place(wanted)))
    assert pages[-1].end is not None
    return [a for page in pages for a in page.assignments], pages[-1].end


# --- refusals ------------------------------------------------------------------------------------


def test_more_overlap_than_recorded_names_the_limit() -> None:
    recording = recorded(people=3)
    fewer = recording.where((recording.task != 7) | (recording.annotator == 0))
    with pytest.raises(InputError, match=r"4 answers are wanted on image 0, but r.csv has 3"):
        market(recording).place(order(4))
    with pytest.raises(InputError, match=r"image 7, but r.csv has 1; .* at most overlap 1"):
        market(fewer).place(order(2))
    assert market(recording).most_overlap(range(TASKS)) == 3
    assert market(fewer).most_overlap(range(TASKS)) == 1


def test_images_without_answers_and_control_tasks_cannot_be_bought() -> None:
    with pytest.raises(InputError, match=r"image 80, but r.csv has 0"):
        market(recorded(), controls=0).place(order(1, range(70, 81)))
    with pytest.raises(ValueError, match="control task cannot be bought"):
        market(recorded()).place(order(1, range(50, 62)))


@pytest.mark.parametrize(("controls", "exam"), [(1, False), (0, True)])
def test_without_ids_nobody_can_be_checked(controls: int, exam: bool) -> None:
    with pytest.raises(InputError, match=r"r.csv does not say who answered.*controls to 0"):
        market(recorded(named=False)).place(order(controls=controls, exam=exam))


def test_control_tasks_that_nobody_answered_are_refused() -> None:
    recording = recorded()
    real = recording.where(recording.task < TASKS)
    with pytest.raises(InputError, match=r"nobody who may work has 1 recorded answers to control"):
        market(real).place(order(controls=1))
    with pytest.raises(InputError, match=r"nobody in r\.csv answered all 10 exam tasks"):
        market(real).place(order(exam=True))


def test_what_a_recording_cannot_be() -> None:
    with pytest.raises(ValueError, match="another campaign"):
        market(recorded()).place(order(campaign=replace(CAMPAIGN, name="other")))
    dynamic = order()
    condition = replace(dynamic.condition, dynamic=DynamicOverlap(1, 3, 0.9))
    with pytest.raises(InputError, match="cannot be replayed"):
        market(recorded()).place(replace(dynamic, condition=condition))
    two = Campaign("two", (CAMPAIGN.questions[0], Question("r", "?", ("a", "b"))), "")
    with pytest.raises(InputError, match="holds answers to one question, not 2"):
        market(recorded(), two)
    other = Campaign("other", (Question("q", "?", ("a", "c", "b")),), "")
    with pytest.raises(InputError, match=r"its classes .a, b, c. are not the study's .a, c, b."):
        market(recorded(), other)


# --- what is served ------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_recorded_answers_are_served_once_and_as_recorded(named: bool) -> None:
    recording = recorded(people=5, named=named)
    assignments, end = bought(market(recording), order(5))
    assert end.reason == "complete"
    served = Counter(
        (task, label) for a in assignments for task, label in zip(a.tasks, a.labels, strict=True)
    )
    mine = recording.task < TASKS
    pairs = zip(recording.task[mine].tolist(), recording.label[mine].tolist(), strict=True)
    assert served == Counter(pairs)


def test_without_ids_suites_are_full_and_paid_as_quoted() -> None:
    assignments, _ = bought(market(recorded(named=False)), order(3))
    assert len(assignments) == expected_assignments(TASKS, 3, 10)
    assert {a.reward for a in assignments} == {Money.parse("0.02")}
    assert all(len(set(a.tasks)) == len(a.tasks) for a in assignments)
    assert len({a.annotator for a in assignments}) == len(assignments)


@pytest.mark.parametrize("named", [True, False])
def test_later_orders_get_what_is_left_and_nothing_twice(named: bool) -> None:
    recording = recorded(people=3, named=named)
    first = order(2)
    later = replace(first, tranche=1)
    rows = {row: row for row in range(TASKS + CONTROLS)}
    source = ReplaySource(recording, rows, CAMPAIGN, {}, SuiteTariff(), 0, lambda _: [first])
    _, end = bought(source, first)
    assert end.reason == "complete"
    assignments, end = bought(source, later)  # two more of three recorded: one is left
    assert (end.reason, end.missing) == ("supply", TASKS)
    served = [
        (task, label)
        for a in bought(source, first)[0] + assignments
        for task, label in zip(a.tasks, a.labels, strict=True)
    ]
    mine = recording.task < TASKS
    pairs = zip(recording.task[mine].tolist(), recording.label[mine].tolist(), strict=True)
    assert Counter(served) == Counter(pairs)


def test_draws_differ_by_condition_and_seed_and_nothing_else() -> None:
    first = bought(market(recorded()), order())
    assert bought(market(recorded()), order()) == first
    labels = [a.labels for a in first[0]]
    assert [a.labels for a in bought(market(recorded()), order(price="0.004"))[0]] != labels
    assert [a.labels for a in bought(market(recorded(), seed=1), order())[0]] != labels


def test_every_recorded_answer_is_about_as_likely_to_be_served() -> None:
    """Two of twelve people answered half the tasks: their share is half of the others'."""
    recording = recorded()
    half = recording.where(
        (recording.annotator < 10) | (recording.task % 2 == recording.annotator % 2)
    )
    served: Counter[int] = Counter()
    for seed in range(100):
        for assignment in bought(market(half, seed=seed), order(1))[0]:
            served[int(assignment.annotator[-7:])] += len(assignment.tasks)
    whole = np.mean([served[person] for person in range(10)])
    # Standard error .07 over draws; measured .45: who can fill a suite comes first.
    assert np.mean([served[10], served[11]]) / whole == pytest.approx(0.5, abs=0.2)


def test_control_answers_are_the_persons_own_and_ban_them() -> None:
    recording = recorded(people=60, accuracy=0.8)
    assignments, end = bought(market(recording), order(3, controls=1))
    assert end.reason == "complete"
    assert recording.annotator is not None
    columns = (recording.annotator, recording.task, recording.label)
    said = {(who, task): label for who, task, label in np.stack(columns, axis=1).tolist()}
    wrong: Counter[str] = Counter()
    for a in assignments:
        assert wrong[a.annotator] == 0  # banned at the first wrong control answer
        for task, label, control in zip(a.tasks, a.labels, a.control, strict=True):
            assert said[int(a.annotator[-7:]), task] == label
            wrong[a.annotator] += control and label != TRUTH[task]
    assert sum(wrong.values()) > 0


def test_when_everybody_is_banned_the_order_runs_out_of_supply() -> None:
    assignments, end = bought(market(recorded(accuracy=0.0)), order(2, controls=1))
    assert end.reason == "supply"
    assert end.missing == 2 * TASKS
    assert len(assignments) == 12


def test_the_exam_is_sat_by_recorded_answers() -> None:
    recording = recorded(accuracy=0.9)
    campaign = replace(CAMPAIGN, exam=Exam(10, 10))
    _, end = bought(market(recording, campaign), order(1, exam=True, campaign=campaign))
    assert end.exam_failed > 0
    assert end.exam_failed + 1 <= end.looked <= 12


def test_fast_people_are_banned_where_times_are_known() -> None:
    hasty = replace(CAMPAIGN, rules=QualityRules(fast_seconds=31.0))
    _, end = bought(market(recorded(), hasty), order(campaign=hasty))
    assert end.reason == "supply"
    _, end = bought(market(recorded(timed=False), hasty), order(campaign=hasty))
    assert end.reason == "complete"


def test_a_replay_says_what_it_does_not_know() -> None:
    timed, untimed = market(recorded()), market(recorded(timed=False))
    assert not timed.knows_price
    assert timed.knows_time
    assert not untimed.knows_time
    condition = order().condition
    assert untimed.expected_minutes(condition, 100) == 0
    assignments, end = bought(timed, order(4))
    # 3 s a task, eight people at a time: the only thing unknown is how the last suites fall.
    expected = timed.expected_minutes(condition, len(assignments))
    assert end.minutes == pytest.approx(expected, rel=0.2)
    assert bought(untimed, order(4))[1].minutes == 0


# --- own labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_own_labels_are_kept_for_nothing(tmp_path: Path, named: bool) -> None:
    recording = recorded(people=4, named=named)
    recording = recording.where((recording.task != 3) | (np.arange(len(recording)) < 200))
    rows = {row: row for row in range(TASKS + CONTROLS)}
    own = own_label_page(recording, rows, CAMPAIGN, "d", range(TASKS, TASKS + CONTROLS))
    assert own.condition.price == ZERO
    assert own.condition.market.startswith("own:")
    engine = open_database(tmp_path / "s.sqlite")
    ledger = Ledger.open(engine, "s", Money.parse("1"))
    store = Store(engine, "s")
    bring_in(store, own)
    bring_in(store, own)
    answers = store.answers(own.condition)
    real = ~answers.control
    counts = np.bincount(answers.task[real], minlength=TASKS)
    np.testing.assert_array_equal(counts, recording.answers_per_task[:TASKS])
    assert (~real).sum() == (4 * CONTROLS if named else 0)
    assert store.quote(own.condition, own.tasks, 4) == 0
    assert store.order_for(own.condition, own.tasks[:9], 2, Fraction(0), None) is None
    record = store.orders(own.condition)[0]
    assert record.reward == ZERO
    assert (record.end and record.end.missing) == 4 - counts[3]
    assert ledger.balance().spent == ZERO
    engine.dispose()


def test_own_labels_of_other_images_or_classes_are_refused() -> None:
    with pytest.raises(InputError, match="no answer is to an image of the study's pool"):
        own_label_page(recorded(), {}, CAMPAIGN, "d")
    other = Campaign("other", (Question("q", "?", ("x", "y", "z")),), "")
    with pytest.raises(InputError, match="are not the study's"):
        own_label_page(recorded(), {0: 0}, other, "d")

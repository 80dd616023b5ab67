"""What is known of labels and answers: agreement, confidence, skill and times."""

from __future__ import annotations

import numpy as np

from labeling.aggregation.facts import answer_facts, label_facts
from labeling.aggregation.methods import aggregate
from labeling.aggregation.skills import annotator_skills, people_skills
from labeling.types import Answers, LabelSet

ANSWERS = Answers(
    task=np.array([7, 7, 7, 3, 3, 9, 9]),
    annotator=np.array([0, 1, 2, 0, 2, 0, 1]),
    label=np.array([1, 1, 0, 2, 2, 0, 1]),
    control=np.array([False, False, False, False, False, True, True]),
    usable=np.array([True, True, True, True, False, True, True]),
)


def test_agreement_is_the_share_of_usable_answers_that_say_the_label() -> None:
    labels = aggregate(ANSWERS, [7, 3], 3, "majority", {9: 0})
    facts = label_facts(labels, ANSWERS)
    assert facts.label.tolist() == [1, 2]
    assert facts.agreement.tolist() == [0.666667, 1.0]
    assert facts.confidence.tolist() == [round(p, 6) for p in labels.posterior.max(axis=1)]


def test_skill_is_the_share_of_right_control_answers_shrunk_to_the_crowds() -> None:
    crowd = (1 + 4 * 0.8) / (2 + 4)
    facts = answer_facts(ANSWERS, {9: 0}, 3, np.full(7, 2.0), np.full(7, 90.0))
    expected = [(1 + 4 * crowd) / 5, (0 + 4 * crowd) / 5, crowd]
    assert facts.skill.tolist() == [round(expected[who], 6) for who in ANSWERS.annotator]
    assert facts.submitted.tolist() == [1.5] * 7
    assert np.isnan(answer_facts(ANSWERS, None, 3, np.zeros(7), np.zeros(7)).skill).all()


def test_people_are_judged_by_all_control_answers_not_by_those_that_bans_left() -> None:
    """400 people of skill .8 answer up to 5 control tasks; the first wrong answer bans."""
    rng = np.random.default_rng(0)
    right = rng.random((400, 5)) < 0.8
    seen = np.cumprod(np.c_[np.ones(400, dtype=int), right[:, :-1]], axis=1).astype(bool)
    who = np.nonzero(seen)[0]
    stays = right.all(axis=1)
    controls = Answers(
        np.full(seen.sum(), 9), who, (~right[seen]).astype(np.int64), seen[seen], stays[who]
    )
    task = Answers(
        *(
            np.r_[getattr(controls, name), made]
            for name, made in (
                ("task", np.full(400, 7)),
                ("annotator", np.arange(400)),
                ("label", np.zeros(400, int)),
                ("control", np.zeros(400, bool)),
                ("usable", stays),
            )
        )
    )
    told = people_skills(task, {9: 0}, 3)
    by_answer = told[controls.annotator].mean()
    error = np.sqrt(0.8 * 0.2 / seen.sum())
    assert abs(by_answer - 0.8) < 3 * error
    assert annotator_skills(task, {9: 0}, 3)[stays].mean() > 0.95
    alone = ANSWERS.where(~ANSWERS.control)
    assert people_skills(alone, {}, 3).tolist() == annotator_skills(alone, {}, 3).tolist()


def test_nothing_has_facts_too() -> None:
    none = ANSWERS.where(np.zeros(7, dtype=np.bool_))
    empty = LabelSet(
        np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3)), np.empty(0, np.int64)
    )
    assert len(label_facts(empty, none).agreement) == 0
    assert len(answer_facts(none, {9: 0}, 3, np.empty(0), np.empty(0)).skill) == 0


def test_two_classes_as_probable_are_a_tie() -> None:
    rows = np.array([[0.4, 0.4, 0.2], [0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]])
    labels = LabelSet(np.arange(3), rows, rows, np.array([2, 2, 1]))
    assert label_facts(labels, ANSWERS).tied.tolist() == [True, False, True]

"""Campaigns: keys that outlive new options, and questions that can be told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from budget.errors import InputError
from labeling.campaign.campaign import SUBJECTIVE, Campaign, Question

SHAPE = Question("shape", "Which?", ("loop", "open"))
TASTE = Question("taste", "Nice?", ("no", "yes"), SUBJECTIVE)


def test_a_question_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="kind is 'opinion'; it must be objective or subjective"):
        Question("taste", "Nice?", ("no", "yes"), "opinion")


@pytest.mark.parametrize("questions", [(), (SHAPE, SHAPE)])
def test_questions_need_names_of_their_own(questions: tuple[Question, ...]) -> None:
    with pytest.raises(InputError, match="give at least one, each under a name of its own"):
        Campaign("c", questions, "")


def test_an_unknown_question_names_those_there_are() -> None:
    with pytest.raises(InputError, match="'smell': the campaign 'c' asks shape, taste"):
        Campaign("c", (SHAPE, TASTE), "").question("smell")


def test_questions_are_found_and_the_first_objective_one_is_checked() -> None:
    both = Campaign("c", (TASTE, SHAPE), "")
    assert [both.question(name) for name in ("taste", "shape")] == [0, 1]
    assert both.judged == 1
    assert Campaign("c", (TASTE,), "").judged is None


def test_the_key_changes_with_what_is_asked_and_not_with_options_left_alone() -> None:
    campaign = Campaign("contract", (Question("q", "Which?", ("a", "b", "c")),), "")
    assert campaign.key == "897cca8f47d81689"  # before there were subjective questions and tests
    keys = {
        campaign.key,
        replace(campaign, language_test=True).key,
        replace(campaign, language="DE").key,
        replace(campaign, questions=(replace(campaign.questions[0], kind=SUBJECTIVE),)).key,
    }
    assert len(keys) == 4

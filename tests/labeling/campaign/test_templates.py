"""Campaign files: templates load, mistakes are named with their file, key and remedy."""

from dataclasses import replace
from pathlib import Path

import pytest

from budget.errors import InputError
from budget.money import Money
from labeling.campaign.campaign import AdvisedPlan, Exam, QualityRules
from labeling.campaign.templates import load_campaign, stands_for, template_names

CLASSES = ("cat", "dog")
FOOD = ("solid", "liquid", "other")
Q = 'name = "x"\n[[questions]]\nname="q"\ntext="?"\n'


def test_every_template_loads_and_asks_for_the_data_s_classes() -> None:
    assert template_names() == ("classification", "food", "two-questions")
    for name in ("classification", "two-questions"):
        campaign = load_campaign(name, CLASSES)
        assert campaign.name == name
        assert campaign.instructions.strip()
        assert campaign.questions[0].classes == CLASSES


def test_the_food_campaign_is_the_published_one() -> None:
    campaign = load_campaign("food", ("liquid", "other", "solid"))
    kind, taste = campaign.questions
    assert kind.classes == ("liquid", "other", "solid")  # the data's order: codes are the data's
    assert (taste.kind, taste.classes) == ("subjective", ("no", "yes"))
    assert (campaign.exam.tasks, campaign.exam.pass_correct) == (10, 10)
    assert dict(campaign.exam.composition) == {"solid": 5, "liquid": 4, "other": 1}
    assert campaign.language_test
    assert campaign.rules == QualityRules(1, 13.0, 1)
    assert campaign.advised == AdvisedPlan(Money(2000), 3, 1, True)
    for word in ("Examples", "Edge cases", "SOLID", "LIQUID", "OTHER"):
        assert word in campaign.instructions


def test_classes_of_which_none_is_the_data_s_stand_for_them_in_order() -> None:
    campaign = load_campaign("food", ("loop", "straight", "open"))
    assert campaign.questions[0].classes == ("solid", "liquid", "other")
    note = stands_for(campaign, ("loop", "straight", "open"))
    assert note is not None
    assert "solid, liquid, other stand for the data's classes loop, straight, open" in note
    assert stands_for(load_campaign("food", ("solid", "liquid", "other")), FOOD) is None


def test_options_and_advice_leave_older_keys_alone() -> None:
    plain = load_campaign("classification", CLASSES)
    assert replace(plain, advised=AdvisedPlan(Money(1), 1, 0, False)).key == plain.key
    exam = Exam(10, 10, (("cat", 5), ("dog", 5)))
    assert replace(plain, exam=exam).key != replace(plain, exam=Exam(10, 10)).key


def test_a_file_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\nlanguage = "DE"\nlanguage_test = true\n[exam]\ntasks = 5\npass_correct = 4\n'
        '[rules]\nwrong_controls = 2\n[[questions]]\nname = "q"\ntext = "?"\n'
        '[[questions]]\nname = "taste"\nkind = "subjective"\ntext = "?"\nclasses = ["no", "yes"]\n'
    )
    campaign = load_campaign(str(path), CLASSES)
    assert (campaign.exam.tasks, campaign.rules.wrong_controls) == (5, 2)
    assert campaign.question("taste") == 1
    assert campaign.language_test


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "not valid TOML"),
        ('name = "x"', r"questions: give at least one table \[\[questions\]\]"),
        (
            'nam = "x"\n[[questions]]\nname="q"\ntext="?"',
            "nam: no such setting; did you mean 'name'",
        ),
        (
            'name = "x"\n[[questions]]\nname="q"\ntxt="?"',
            "txt: no such setting; did you mean 'text'",
        ),
        ('name = "x"\n[exam]\ntasks="5"\n[[questions]]\nname="q"\ntext="?"', "'5' is not of type"),
        ('name = "x"\n[exam]\ntasks=-5\n[[questions]]\nname="q"\ntext="?"', "-5 is negative"),
        (
            'name = "x"\n[[questions]]\nname="q"\ntext="?"\nclasses=["a"]',
            "has 1 classes, the data 2",
        ),
        ('name = "x"\n[[questions]]\nname="q"\ntext="?"\nkind="odd"', "must be objective or subj"),
        ('[[questions]]\nname="q"\ntext="?"', "name"),
        (Q + 'classes=["cat","fish"]', "the data's cat, dog; name them alike"),
        (Q + 'classes=["cat","cat"]', "its classes are cat, cat, the data's cat, dog"),
        (Q + 'kind="subjective"\nclasses=["yes"]', "give at least two, all different"),
        (Q + "[exam]\ntasks = 3\npass_correct = 4", "nobody could pass; give at most 3"),
        (Q + "[exam]\ncomposition = {cat = 5, dog = 4}", "names 9 tasks, but it has 10"),
        (Q + "[exam]\ncomposition = {cat = 5, fish = 5}", "no class 'fish' .* valid are cat, dog"),
        (Q + "[exam]\ncomposition = {cat = 10, dog = 0}", "a table of numbers above 0"),
        (Q + '[exam]\ncomposition = "cat"', "a table of numbers above 0"),
        (Q + "[plan]\nprice = 0.002\noverlap = 3", "plan: controls is missing"),
        (Q + "[plan]\nprice=0\noverlap=3\ncontrols=1\nexam=true", "price: 0 is not a positive"),
        (Q + "[plan]\nprice=0.1\noverlap=3\ncontrols=10\nexam=true", "leave no room in a suite"),
        ("advised = 3\n" + Q, "did you mean the table"),
        ("suite_size = 0\n" + Q, "cannot be empty or 0"),
        ("assignment_seconds = inf\n" + Q, "inf is not of type int"),
        (Q + "[rules]\nfast_seconds = inf", "fast_seconds: inf"),
    ],
)
def test_mistakes_are_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        load_campaign(str(path), CLASSES)
    assert "\n" not in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="did you mean 'classification'"):
        load_campaign("clasification", CLASSES)
    with pytest.raises(InputError, match="no such campaign file"):
        load_campaign("none.toml", CLASSES)

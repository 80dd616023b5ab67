"""Campaign files: templates load, mistakes are named with their file, key and remedy."""

from pathlib import Path

import pytest

from budget.errors import InputError
from labeling.templates import load_campaign, template_names

CLASSES = ("cat", "dog")


def test_every_template_loads_and_asks_for_the_data_s_classes() -> None:
    for name in template_names():
        campaign = load_campaign(name, CLASSES)
        assert campaign.name == name
        assert campaign.instructions.strip()
        assert campaign.questions[0].classes == CLASSES


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

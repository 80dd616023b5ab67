"""Views as text: what is read, what it means, and one clear line for everything else."""

from __future__ import annotations

import pytest

from budget.errors import InputError
from labeling.views import check_classes, parse_view, resolve
from labeling.views.columns import COLUMNS, TEST_COLUMNS, TRIAL_COLUMNS
from labeling.views.tree import AllOf, AnyOf, Compare, OneOf

INJECTIONS = [
    "label == 'x'; DROP TABLE catalogue_labels",
    "label == 'x' OR 1=1 --",
    "1 == 1",
    "confidence >= 0.8 UNION SELECT * FROM ledger",
    "confidence >= (SELECT max(confidence) FROM catalogue_labels)",
    "label == x' OR 'a' == 'a",
    "label LIKE '%'",
    "__import__('os').system('true')",
    "label == 'x' /* */",
    "confidence >= 0.8\\x00",
    "catalogue_labels.label == 'x'",
    "label == \x1b[31m'x'",
    "label == char(39)",
    "lambda: 0",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_an_injection_is_one_clear_line(text: str) -> None:
    with pytest.raises(InputError, match=r"^--view: ") as caught:
        parse_view(text, "--view")
    assert str(caught.value).isprintable()
    assert "position" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty; write a condition such as confidence >= 0.8"),
        ("confidance >= 0.8", "column 'confidance' at position 1 is not known; did you mean 'conf"),
        ("usable and lable == 'a'", "column 'lable' at position 12 is not known; did you mean 'la"),
        (
            "confidence >= 80",
            "'80' at position 15 is not a value for confidence: it is a share fro",
        ),
        ("confidence = 0.8", "'=' at position 12 cannot be read: write == to compare"),
        ("confidence >= 0.8 && usable", "'&' at position 19 cannot be read: write and"),
        ("label == loop", "put texts in quotes: 'loop'"),
        ("label == 'loop", "the text has no closing quote"),
        ("label < 'a'", "'<' at position 7 has no meaning for label; use ==, != or in"),
        ("confidence", "the end at position 11 follows confidence; expected one of"),
        ("usable and", "the end at position 11 is not a column"),
        ("(usable", "the end at position 8 found where ')' is expected"),
        ("usable)", "')' at position 7 does not belong here"),
        (
            "usable label == 'a'",
            "'label' at position 8 does not belong here; join conditions by an",
        ),
        ("label in ()", "')' at position 11 is not a value for label"),
        ("usable in (true)", "which is true or false"),
        ("usable == 1", "write true or false"),
        ("price >= 'cheap'", "is not an amount of dollars"),
        ("price >= 0.0000001", "more than six decimals"),
        ("date >= 'yesterday'", "write a day as '2030-12-31'"),
        ("version == 'zz'", "an id is 4 to 32 hexadecimal digits"),
        ("confidence >= 1e999", "too large"),
        ("answers == true", "write a number"),
        ("image == true", "write it in quotes"),
        ("not " * 60 + "usable", "is nested more than 40 deep"),
        ("(" * 60 + "usable" + ")" * 60, "is nested more than 40 deep"),
        (f"answers in ({','.join('1' * 501)})", "is one value too many; the most is 500"),
        ("usable or " * 500, "5000 characters; the most is 4000"),
    ],
)
def test_what_cannot_be_read_names_column_position_and_remedy(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_view(text, "--view")
    assert said in str(caught.value)
    assert str(caught.value).startswith("--view: ")
    assert "\n" not in str(caught.value)


def test_columns_that_a_place_does_not_have_are_named() -> None:
    with pytest.raises(InputError, match="column 'price' at position 1 cannot be asked here; val"):
        parse_view("price <= 0.002", "--view", TRIAL_COLUMNS)
    for name in ("best_label == 'a'", "best_confidence > 0.9", "changed"):
        with pytest.raises(InputError, match="position 1 cannot be asked here; valid are image, l"):
            parse_view(name, "--view", TRIAL_COLUMNS)
    with pytest.raises(InputError, match="column 'label' at position 1 cannot be asked here; val"):
        parse_view("label == 'a'", "--test-view", TEST_COLUMNS)
    with pytest.raises(InputError, match="it uses columns of answers"):
        parse_view("skill > 0.5", "--view", COLUMNS, over="labels")


def test_and_binds_closer_than_or_and_not_closest() -> None:
    view = parse_view("usable or control and not exam")
    assert view.node == AnyOf(
        (
            Compare("usable", "==", True),
            AllOf((Compare("control", "==", True), Compare("exam", "==", False))),
        )
    )
    assert parse_view("(usable or control) AND NOT exam").node == AllOf(
        (
            AnyOf((Compare("usable", "==", True), Compare("control", "==", True))),
            Compare("exam", "==", False),
        )
    )


def test_not_is_carried_to_the_comparisons() -> None:
    view = parse_view("not (confidence >= 0.8 and label in ('a', 'b'))")
    assert view.node == AnyOf(
        (Compare("confidence", "<", 0.8), OneOf("label", ("a", "b"), negated=True))
    )
    assert view == parse_view("not not not (not confidence < .8 and label in ('b','a','a'))")


@pytest.mark.parametrize(
    ("text", "plainest", "over"),
    [
        ("confidence>=.80 AND label!='other'", "confidence >= 0.8 and label != 'other'", "labels"),
        ('label == "it\'s"', "label == 'it''s'", "labels"),
        ("label == 7", "label == '7'", "labels"),
        ("price <= $.002", None, ""),
        ("price <= '$0.002'", "price <= 0.002", "labels"),
        ("date == '2030-01-31'", "date == '2030-01-31'", "labels"),
        ("annotator in (12, 4)", "annotator in ('12', '4')", "answers"),
        ("confidence < 1 and not usable", "confidence < 1 and not usable", "answers"),
        ("usable == false", "not usable", "answers"),
        ("usable != false", "usable", "answers"),
        ("(usable)", "usable", "answers"),
        ("NOT changed or agreement<.50", "not changed or agreement < 0.5", "labels"),
        ("best_label == 'a' and usable", "best_label == 'a' and usable", "answers"),
    ],
)
def test_equal_views_have_one_text_and_one_version(text: str, plainest: str, over: str) -> None:
    if plainest is None:
        with pytest.raises(InputError, match="cannot be read"):
            parse_view(text)
        return
    view = parse_view(text)
    assert (view.text, view.over) == (plainest, over)
    assert parse_view(plainest).version == view.version
    assert parse_view("agreement > 0.5").version != view.version


def test_a_view_over_answers_is_another_version_than_the_same_over_labels() -> None:
    both = [parse_view("label == 'a'", over=over) for over in ("labels", "answers")]
    assert both[0].text == both[1].text
    assert both[0].version != both[1].version


def test_test_images_have_columns_of_their_own() -> None:
    view = parse_view("class != 'other' and image in ('a.png')", "--test-view", TEST_COLUMNS)
    assert (view.over, view.used) == ("images", ("image", "class"))


def test_a_class_that_nobody_is_asked_about_is_named() -> None:
    view = parse_view("confidence > 0.5 and label in ('loop', 'opn')")
    with pytest.raises(InputError, match=r"--view: label: no class 'opn'; did you mean 'open'\?"):
        check_classes(view, ("loop", "open"), "--view")
    with pytest.raises(InputError, match="best_label: no class 'opn'; did you mean 'open'"):
        check_classes(parse_view("best_label == 'opn'"), ("loop", "open"))
    check_classes(parse_view("answer == 'loop' or best_label == 'open'"), ("loop", "open"))


def test_ids_may_be_given_by_their_beginning() -> None:
    ids = {"version": ["abcd" * 8, "abce" * 8], "condition": ["1234" * 8]}
    found = resolve(parse_view("version in ('ABCD', 'abce') and condition != '1234'"), ids)
    assert found.text == (
        f"version in ('{'abcd' * 8}', '{'abce' * 8}') and condition != '{'1234' * 8}'"
    )
    with pytest.raises(InputError, match="version: no version here begins with 'abc0'"):
        resolve(parse_view("version == 'abc0'"), ids)
    twins = {"version": ["abcd" * 8, "abcd" + "0" * 28], "condition": []}
    with pytest.raises(InputError, match="2 versions begin with 'abcd'; give more of its id"):
        resolve(parse_view("version == 'abcd'"), twins)

"""Classes: which labels are one class, and which are refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.errors import InputError
from labeling.tables.classes import NO_LABEL, label_codes, match_classes, read_classes
from labeling.tables.spelling import guarded, lost_digits, plain_name, unguarded, whole_number


def test_spaces_and_unicode_forms_are_one_class() -> None:
    read = read_classes("f", ["carr\u00e9 ", "carre\u0301", " band"])
    assert read.names == ("band", "carr\u00e9")
    assert [read.code(cell) for cell in ("carre\u0301", "band  ", "", "emu")] == [
        1,
        0,
        NO_LABEL,
        None,
    ]
    assert read.notes == ()


def test_numbers_are_one_class_in_all_forms_and_gaps_stay() -> None:
    read = read_classes("f", ["0", "0.0", "2", "10.0"])
    assert read.names == ("0", "2", "10")
    assert [read.code(cell) for cell in ("0", "0.0", "10.0")] == [0, 0, 2]
    assert read.notes == ("f: '0.0' is read as '0', '10.0' is read as '10'",)
    assert read_classes("f", ["10", "20", "30"]).names == ("10", "20", "30")
    assert read_classes("f", ["1.0", "1.5", "2.0"]).names == ("1.0", "1.5", "2.0")
    assert read_classes("f", ["1", "1.0", "1.5"]).names == ("1", "1.5")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["Cat", "cat", "cat"], r"'Cat' \(1 x\) and 'cat' \(2 x\) differ by case, spaces"),
        (["ice cream", "icecream"], "differ by case, spaces or Unicode form only"),
        (["\ufb01n", "fin"], "differ by case, spaces or Unicode form only"),
        (["01", "1"], "are the same number"),
        (["a", "NA", "None", "nan"], "'NA' .1 x., 'None' .1 x. and 'nan' .1 x. look like missing"),
    ],
)
def test_slips_are_refused_or_kept_by_choice(cells: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_classes("f", cells)
    assert "--keep-classes" in str(error.value)
    kept = read_classes("f", cells, keep=True)
    assert kept.names == tuple(sorted(set(cells)))
    assert len(kept.notes) == 1


def test_an_index_is_no_alias_where_classes_are_numbers() -> None:
    read = match_classes("f", ["0", "1"], ["1", "2"])
    assert read.code("0") is None
    assert read.code("1") == 0
    with pytest.raises(InputError, match=r"row 2, column label: '0' is not one of the 2 classes"):
        label_codes("f", "label", ["0"], [2], read)
    assert match_classes("f", ["2.0"], ["1", "2"]).code("2.0") == 1


def test_a_position_of_a_named_class_is_said() -> None:
    read = match_classes("f", ["1", "cat", "0.0"], ["cat", "dog"])
    assert [read.code(cell) for cell in ("1", "cat", "0.0")] == [1, 0, 0]
    assert read.notes == (
        "f: numbers are read as positions from 0: '0.0' is read as 'cat', '1' is read as 'dog'",
    )


def test_an_unknown_label_is_named_with_its_likeliest_class() -> None:
    read = match_classes("f", ["Cat"], ["cat", "dog"])
    with pytest.raises(InputError, match=r"row 7, column gold: 'Cat' .*; write 'cat'"):
        label_codes("f", "gold", ["Cat"], [7], read)
    assert label_codes("f", "gold", ["", "nan", "dog"], [2, 3, 4], read) == [-1, -1, 1]
    assert match_classes("f", ["none"], ["none", "one"]).code("none") == 0


def test_scientific_notation_is_recognised() -> None:
    assert all(map(lost_digits, ("1.234568E+13", "1e+05", "1,23E+13")))
    assert not any(map(lost_digits, ("1234568", "12.5", "e5", "1e5", "im1e+5")))


names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=10)


@given(names)
def test_a_guarded_text_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(st.integers(-1000, 1000), st.integers(0, 3), st.integers(0, 3))
def test_all_forms_of_a_whole_number_are_one(value: int, zeros: int, places: int) -> None:
    sign = "-" if value < 0 else ""
    text = f"{sign}{'0' * zeros}{abs(value)}{'.' * bool(places)}{'0' * places}"
    assert whole_number(text) == str(value)


@given(st.lists(names.filter(lambda name: bool(name.strip())), min_size=1, max_size=6))
def test_a_spelling_changes_no_class(cells: list[str]) -> None:
    """Spaces and Unicode form: whatever the spelling, the same class; and no name is invented."""
    read = read_classes("f", cells, keep=True)
    for cell in cells:
        code = read.code(cell)
        assert code is not None
        assert 0 <= code < len(read.names)
        assert read.code(f"  {unicodedata.normalize('NFD', cell)} ") == code
    known = {plain_name(unguarded(cell.strip())) for cell in cells}
    known |= {whole for name in known if (whole := whole_number(name))}
    assert set(read.names) <= known
    given_names = match_classes("f", cells, read.names)
    assert [given_names.code(cell) for cell in cells] == [read.code(cell) for cell in cells]

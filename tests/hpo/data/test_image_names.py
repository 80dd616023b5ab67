"""Names of images: one rule finds all, or none is applied."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.data.image_names import is_absolute, match_names, tidy

THERE = ["a/Carré 1.png", "a/two.jpg", "b/three.PNG"]
# Names from here are distinct under every rule: none of them is another's stem or other case.
_PART = st.text("abcdé_ 01", min_size=1, max_size=6).filter(lambda text: text.strip() == text)
_FILES = st.lists(_PART, min_size=1, max_size=8, unique=True).map(
    lambda stems: [f"{'ab'[i % 2]}/{stem}-{i}.png" for i, stem in enumerate(stems)]
)
_SPELLINGS = {
    "prefix": lambda name: f"data/photos/{name}",
    "address": lambda name: f"https://example.org/{name}",
    "case": str.upper,
    "backslashes": lambda name: name.replace("/", "\\"),
    "backslashes and prefix": lambda name: f"C:\\photos\\{name}".replace("/", "\\"),
    "unicode": lambda name: unicodedata.normalize("NFD", name),
    "extension": lambda name: name.removesuffix(".png"),
    "last part": lambda name: name.rpartition("/")[2],
    "case and extension": lambda name: name.removesuffix(".png").upper(),
}


@pytest.mark.parametrize("spelling", _SPELLINGS)
@given(files=_FILES)
def test_one_rule_leads_each_spelling_back_to_its_file(spelling: str, files: list[str]) -> None:
    listed = [_SPELLINGS[spelling](file) for file in files]
    match = match_names(listed, files)
    assert match.files == dict(zip(listed, files, strict=True))
    assert bool(match.rule) == (listed != files)


@given(files=_FILES, extra=_FILES)
def test_names_as_they_are_written_come_before_any_rule(files: list[str], extra: list[str]) -> None:
    match = match_names(files, {*files, *extra, *(file.upper() for file in extra)})
    assert match.files == {file: file for file in files}
    assert match.note("labels.csv", len(files)) == ()


def test_the_rule_is_said_once_with_an_example() -> None:
    listed = [f"photos/{name}" for name in THERE]
    (line,) = match_names(listed, THERE).note("labels.csv", 3)
    assert line == (
        "labels.csv: all 3 images are found without 'photos/': "
        "photos/a/Carré 1.png is a/Carré 1.png"
    )


def test_missing_files_stay_missing_under_the_rule_that_finds_most() -> None:
    listed = ["photos/a/two.jpg", "photos/gone.jpg", "photos/b/three.PNG"]
    match = match_names(listed, THERE)
    assert set(match.files) == {"photos/a/two.jpg", "photos/b/three.PNG"}
    assert "2 of 3 images are found without 'photos/'" in match.note("labels.csv", 3)[0]


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        (["0"], ["0.png", "0.jpg"]),
        (["000.png"], ["a/000.png", "b/000.png"]),
        (["A.png", "a.PNG"], ["a.png"]),
    ],
)
def test_a_rule_that_cannot_tell_files_apart_is_not_applied(
    listed: list[str], there: list[str]
) -> None:
    assert match_names(listed, there).files == {}


def test_paths_from_the_root_and_tidy_names() -> None:
    assert all(is_absolute(name) for name in ("/a/b.png", "\\\\server\\b.png", "C:\\b.png", "d:/b"))
    assert not any(is_absolute(name) for name in ("a/b.png", "./b.png", "c:b.png", "https://x/b"))
    assert tidy("./a//b.png") == "a/b.png"
    assert tidy("../b.png") == "../b.png"

"""`labelworth explain` and the glossary that it shares with the documentation."""

from __future__ import annotations

import json

import pytest

from hpo.cli.generated_docs import PARTS, written
from hpo.settings.glossary import GLOSSARY, glossary_table, term_named
from tests import ROOT
from tests.conftest import Command


def test_the_glossary_is_short_and_names_each_word_once() -> None:
    assert len(GLOSSARY) <= 12
    words = [word for term in GLOSSARY for word in (term.name, f"{term.name}s", *term.also)]
    assert len(set(words)) == len(words)
    for term in GLOSSARY:
        assert term.meaning.endswith(".")
        assert "|" not in term.meaning  # it stands in a Markdown table
        assert len(term.meaning) <= 250


def test_the_page_shows_the_same_glossary() -> None:
    assert glossary_table() in (ROOT / "docs/reading_the_answer.md").read_text(), "run: make docs"


def test_pages_are_as_the_code_writes_them() -> None:
    for (name, mark), make in PARTS.items():
        page = (ROOT / "docs" / name).read_text()
        assert written(page, mark, make()) == page, "run: make docs"
        assert written(page, mark, "another") != page


@pytest.mark.parametrize("term", GLOSSARY, ids=lambda term: term.name)
def test_each_term_is_explained(term, command: Command) -> None:
    code, out, err = command("explain", *term.name.split())
    assert (code, out, err) == (0, f"{term.name}: {term.meaning}\n", "")
    plain = json.loads(command("explain", term.name, "--json")[1])
    assert plain == {"term": term.name, "meaning": term.meaning}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["Control", "tasks"], "control task"),
        (["control-task"], "control task"),
        (["PLANS"], "plan"),
        (["hold"], "spent"),
        (["dynamic", "overlap"], "overlap"),
        (["95 % interval"], "interval"),
    ],
)
def test_a_word_may_be_written_in_several_ways(
    words: list[str], name: str, command: Command
) -> None:
    assert command("explain", *words)[1].startswith(f"{name}: ")


def test_without_a_term_all_are_listed(command: Command) -> None:
    code, out, _ = command("explain")
    assert code == 0
    for term in GLOSSARY:
        assert any(line.split("  ")[0].strip() == term.name for line in out.splitlines())
        assert term.meaning.split()[0] in out
    assert [row["term"] for row in json.loads(command("explain", "--json")[1])] == [
        term.name for term in GLOSSARY
    ]


def test_an_unknown_term_is_one_line_with_the_terms_and_exit_2(command: Command) -> None:
    code, out, err = command("explain", "blockchain")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "'blockchain' is not a term" in err
    assert all(term.name in err for term in GLOSSARY)


def test_every_other_word_leads_to_its_term() -> None:
    for term in GLOSSARY:
        for word in term.also:
            assert term_named(word) == term

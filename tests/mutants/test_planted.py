"""Planted bugs: each guard stands in the code as it is written down; `make mutants` runs them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.planted import MUTANTS, Mutant

HOME = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.guard for mutant in MUTANTS])
def test_a_guard_stands_once_and_its_bug_is_python(mutant: Mutant) -> None:
    text = (HOME / mutant.file).read_text()
    assert text.count(mutant.old) == 1
    ast.parse(text.replace(mutant.old, mutant.new))
    assert (HOME / mutant.tests[0]).exists()

"""The tree of errors: each has its exit code, its line, and its place in `hpo`."""

from __future__ import annotations

import pytest

import hpo
from budget import errors
from hpo.settings import exit_codes
from hpo.settings.exit_codes import explain

CODES = {
    "InputError": exit_codes.BAD_INPUT,
    "StorageError": exit_codes.BAD_INPUT,
    "VersionMissing": exit_codes.BAD_INPUT,
    "VersionDamaged": exit_codes.BAD_INPUT,
    "BudgetExceeded": exit_codes.NOTHING_AFFORDABLE,
    "PlanRefused": exit_codes.NOTHING_AFFORDABLE,
    "NotConfirmed": exit_codes.NOT_CONFIRMED,
    "MarketError": exit_codes.MARKET_TROUBLE,
    "MarketUnreachable": exit_codes.MARKET_TROUBLE,
    "MarketRefused": exit_codes.MARKET_TROUBLE,
    "MarketContradiction": exit_codes.MARKET_TROUBLE,
    "LedgerCorrupt": exit_codes.LEDGER_REFUSED,
    "DatabaseLost": exit_codes.BAD_INPUT,
    "AlreadyResolved": exit_codes.LEDGER_REFUSED,
    "NotBought": exit_codes.LEDGER_REFUSED,
    "MirrorError": exit_codes.MIRROR_INCOMPLETE,
    "MirrorUnavailable": exit_codes.MIRROR_INCOMPLETE,
    "MirrorRefused": exit_codes.MIRROR_INCOMPLETE,
}


def tree(root: type[errors.LabelworthError]) -> dict[str, type[errors.LabelworthError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= tree(child)
    return found


def test_every_error_has_its_exit_code_stands_in_the_docstring_and_is_exported() -> None:
    classes = tree(errors.LabelworthError)
    assert set(classes) - {"LabelworthError"} == set(CODES)
    for name, code in CODES.items():
        assert classes[name].exit_code == code
        assert any(
            line.split()[-1:] and name in line and f" {code} " in line
            for line in (errors.__doc__ or "").splitlines()
        )
        assert getattr(hpo, name) is classes[name]
        assert name in hpo.__all__


def test_an_error_s_line_is_its_text_and_a_bug_is_raised() -> None:
    assert explain(errors.InputError("--budget: no")) == (2, "--budget: no")
    code, line = explain(errors.LedgerCorrupt("ledger.sqlite", "row 3: edited"))
    assert code == 6
    assert line.startswith("ledger refused, nothing was bought: ledger.sqlite: row 3: edited")
    with pytest.raises(KeyError):
        explain(KeyError("a bug"))

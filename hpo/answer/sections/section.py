"""A part of the answer as a row: when it is measured, what of it is kept, told and printed.

A part imports what it measures with when it measures: to print a stored answer takes none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from hpo.answer.advice.advisor import Advisor
    from hpo.answer.estimates.plan_estimates import PlanEstimates
    from hpo.settings.config import StudyConfig
    from hpo.trial.outcome import Outcome, Purchase
    from hpo.trial.world import World

Report = dict[str, Any]
Place = Literal["headline", "body"]


@dataclass(frozen=True, slots=True)
class Findings:
    """A study's state, as its parts of the answer need it.

    Attributes:
        world: the study's world.
        own: the same without what other accounts bought.
        best: the recommended plan's outcome; None without any.
        front: outcomes that no other is expected to beat in accuracy and price tag.
        purchases: trials that bought something, in order.
        has_stopped: whether the search is over.
        kept: what was measured before, by the name that it is kept under.
        advisor: what to make of everything measured.
        searched: what the search's measurements alone say.
        search: runs another study and returns its report.
        say: told in a few words how far a long measurement is.
    """

    world: World
    own: World
    best: Outcome | None
    front: Sequence[Outcome]
    purchases: Sequence[Purchase]
    has_stopped: bool
    kept: Callable[[str], Mapping[str, Any]]
    advisor: Advisor
    searched: PlanEstimates
    search: Callable[[StudyConfig], Report]
    say: Callable[[str], None]


def nothing_to_measure(findings: Findings) -> Sequence[str]:
    """No measurement."""
    return ()


def _no_measure(findings: Findings, key: str) -> Any:
    raise TypeError(f"{key}: nothing is measured here")


def _no_change(findings: Findings, report: Report) -> Report:
    return report


def no_sentences(report: Mapping[str, Any]) -> list[str]:
    """No sentence."""
    return []


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the answer.

    Attributes:
        name: under which its measurements are kept with the study.
        doing: said while it is measured; empty for nothing.
        keys: what is to be measured now, each by what its result depends on; keys that were
            measured before are passed over. May look at what earlier sections have kept.
        measure: measures for one key, once; the result is kept as JSON types.
        tell: the report with this part in it.
        sentences: this part of a report in words, for a terminal.
        place: where the sentences stand: under the recommendation, or below the tables.
        event: the journal's event of a result that is not empty; "" for none.
    """

    name: str
    doing: str = ""
    keys: Callable[[Findings], Sequence[str]] = nothing_to_measure
    measure: Callable[[Findings, str], Any] = _no_measure
    tell: Callable[[Findings, Report], Report] = _no_change
    sentences: Callable[[Mapping[str, Any]], list[str]] = no_sentences
    place: Place = "body"
    event: str = ""

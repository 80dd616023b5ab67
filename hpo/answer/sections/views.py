"""The study's views of training labels and test images: what they were, and gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.answer.sections.section import Section
from hpo.answer.sentences import inside_words


def _sentences(report: Mapping[str, Any]) -> list[str]:
    said, best = [], report["recommended"]
    if report["view"]:
        said.append(
            f"trained on {best['labelled_images']} labels inside the view "
            f"{report['view']['expression']}"
        )
    inside = best["final"]["test_view"] if report["test_view"] and best["final"] else None
    if inside:
        said.append(
            f"{inside_words(inside)} of those images inside the view {inside['expression']}"
        )
    return said


VIEWS = Section("views", sentences=_sentences, place="headline")

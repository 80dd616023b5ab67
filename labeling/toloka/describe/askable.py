"""Checks whether Toloka can ask a campaign, without a request."""

from __future__ import annotations

import re

from budget.errors import InputError
from labeling.campaign.campaign import Campaign
from labeling.toloka.describe.spec import known_solutions

_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_LANGUAGE = re.compile(r"[A-Z]{2}(-[A-Z]+)?")
_TESTED = ("AR", "DE", "EN", "ES", "FR", "HE", "HU", "ID", "JA", "PT", "RU", "SV", "UK", "ZH-HANS")
_MOST_SOLUTIONS = 200
_LEAST_SECONDS = 5


def check_campaign(campaign: Campaign) -> None:
    """Refuse a campaign that Toloka cannot ask.

    Raises:
        InputError: a name that no field may have, or a language or a rule that Toloka lacks.
    """
    for question in campaign.questions:
        if not _FIELD.fullmatch(question.name):
            raise InputError(
                f"campaign {campaign.name!r}: question {question.name!r} is no name for a Toloka "
                "field; use letters, digits, - and _, with a letter first"
            )
        if len(set(question.classes)) < len(question.classes) or not all(question.classes):
            raise InputError(
                f"campaign {campaign.name!r}: question {question.name!r} has an empty class or "
                "one twice"
            )
    _check_language(campaign)
    if campaign.assignment_seconds < _LEAST_SECONDS:
        raise InputError(
            f"campaign {campaign.name!r}: assignment_seconds = {campaign.assignment_seconds}; "
            f"Toloka takes {_LEAST_SECONDS} at least, and a page of pictures needs far more"
        )
    if campaign.rules.fast_responses and campaign.rules.fast_seconds % 1:
        raise InputError(
            f"campaign {campaign.name!r}: fast_seconds = {campaign.rules.fast_seconds}; Toloka "
            "takes whole seconds"
        )
    if len(known_solutions(campaign, 0)) > _MOST_SOLUTIONS:
        raise InputError(
            f"campaign {campaign.name!r}: the questions that control tasks do not check have more "
            f"than {_MOST_SOLUTIONS} answers together; ask fewer"
        )


def _check_language(campaign: Campaign) -> None:
    """Refuse a language that no filter of Toloka knows."""
    language = campaign.language
    if not _LANGUAGE.fullmatch(language):
        raise InputError(
            f"campaign {campaign.name!r}: language = {language!r}; give a code such as EN"
        )
    if campaign.language_test and language not in _TESTED:
        raise InputError(
            f"campaign {campaign.name!r}: language_test: Toloka has no test of {language}; it has "
            f"{', '.join(_TESTED)}"
        )

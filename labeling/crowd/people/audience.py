"""Audience: the crowd that a campaign reaches, after its filter and with all its questions."""

from __future__ import annotations

import math
from dataclasses import replace

from labeling.campaign.campaign import Campaign
from labeling.crowd.scenario import Scenario


def audience(scenario: Scenario, campaign: Campaign) -> Scenario:
    """The crowd after a campaign's language filter and with its further questions.

    The filter lets only `tested_share` of the annotators see the pool; their odds of being careless
    or spammers differ from the others' odds. Each further question takes time, so the same price
    per task is a lower wage.

    Returns:
        The scenario of the annotators who see the pool; the given scenario for a campaign without
        filter and further questions.
    """
    return audience_of(scenario, campaign.language_test, len(campaign.questions))


def audience_of(scenario: Scenario, tested: bool, questions: int) -> Scenario:
    """The result of `audience` for a campaign with this filter and this number of questions."""
    people = _tested(scenario) if tested else scenario
    longer = 1 + people.question_time * (questions - 1)
    return replace(
        people,
        task_seconds=people.task_seconds * longer,
        careless_seconds=people.careless_seconds * longer,
        spam_seconds=people.spam_seconds * longer,
    )


def _tested(scenario: Scenario) -> Scenario:
    bad = scenario.careless + scenario.spammers
    # The odds ratio applies to careless annotators and spammers together; their mix stays.
    odds = bad / (1 - bad) * scenario.tested_odds
    fewer = odds / (1 + odds) / bad if bad else 1.0
    share = scenario.tested_share
    return replace(
        scenario,
        looks_per_minute=scenario.looks_per_minute * share,
        population=max(1, math.floor(scenario.population * share)),
        careless=scenario.careless * fewer,
        spammers=scenario.spammers * fewer,
    )

"""Settings of who is paid, and how: a platform's crowd, or own annotators.

`--help` waits for what is imported here: nothing heavy, not even dataclasses.
"""

from __future__ import annotations

from hpo.settings.parsing import boolean, dimension, money, number, one_of, optional, text
from hpo.settings.parsing import people as read_people
from hpo.settings.setting import Setting

PLATFORM, HOURLY, PER_ANSWER = PAYS = ("platform", "hourly", "per-answer")
"""Who is paid for what: a platform's suites, own annotators' time, or their answers."""

STAFF = (
    Setting(
        "pay",
        one_of(*PAYS),
        PLATFORM,
        "NAME",
        "money",
        "platform: a reward per suite and a fee; hourly: own annotators' working time; per-answer: "
        "a price per answer to own annotators",
        shown="platform; hourly on label-studio",
    ),
    Setting(
        "wage",
        money,
        18,
        "DOLLARS",
        "money",
        "own annotators' wage per hour, with --pay hourly",
        "dollars per hour",
    ),
    Setting(
        "wages",
        optional(text),
        None,
        "FILE",
        "money",
        "wages of single annotators, and groups: a TOML file with tables [wages] and [groups]",
        shown="the same wage for all",
    ),
    Setting(
        "seconds_per_answer",
        number(0.1, 36_000),
        6,
        "S",
        "money",
        "own annotators: expected paid time of an answer, before any is measured",
        "seconds",
    ),
    Setting(
        "least_seconds",
        number(0, 36_000),
        1,
        "S",
        "money",
        "own annotators: shortest paid time of an answer",
        "seconds",
    ),
    Setting(
        "most_seconds",
        optional(number(0.1, 36_000)),
        None,
        "S",
        "money",
        "own annotators: longest paid time of an answer; money is held for it",
        "seconds",
        "3 x seconds_per_answer",
    ),
    Setting(
        "people",
        optional(read_people),
        None,
        "N",
        "crowd",
        "own annotators at work: a number; on label-studio also simulated:N, a rehearsal",
        "people",
        "5",
    ),
    Setting(
        "prelabel",
        dimension(boolean),
        "off",
        "on|off",
        "plans",
        "own annotators: whether they see a prediction with each task, which changes answers",
    ),
    Setting(
        "prelabels",
        optional(text),
        None,
        "FILE",
        "plans",
        "the predictions that --prelabel on shows: a table as --machine file:FILE takes it",
    ),
    Setting(
        "group",
        dimension(text),
        "all",
        "NAME",
        "plans",
        "own annotators: who answers, all or a group of the file of --wages",
    ),
    Setting(
        "remove_banned",
        boolean,
        "off",
        "",
        "crowd",
        "label-studio: remove banned annotators from the whole organization",
    ),
    Setting(
        "grace_minutes",
        number(0, 10_000),
        10,
        "M",
        "crowd",
        "label-studio: time for answers in hand, after an order's tasks were closed",
        "minutes",
    ),
)

"""Settings of a machine that labels beside people.

`--help` waits for what is imported here: nothing heavy, not even dataclasses.
"""

from __future__ import annotations

from hpo.settings import parsing
from hpo.settings.parsing import dimension, one_of, optional
from hpo.settings.setting import Setting

OFF, VOTE, BELOW, ALL = USES = ("off", "vote", "below", "all")
"""Ways to use a machine: not; as one voter; people where it is unsure; for every image."""

MACHINE = (
    Setting(
        "machine",
        optional(parsing.machine),
        None,
        "SELLER",
        "crowd",
        "a machine that sells labels, too: file:FILE of its answers, command:PROGRAM that labels "
        "images, endpoint:FILE.toml of chat completions, or weights:FILE.toml of a classifier",
    ),
    Setting(
        "machine_cost",
        optional(parsing.money),
        None,
        "DOLLARS",
        "crowd",
        "price of an answer of the machine",
        "dollars",
        "the file's own costs",
    ),
    Setting(
        "machine_use",
        dimension(one_of(*USES)),
        f"{VOTE},{BELOW},{ALL}",
        "USE",
        "crowd",
        "ways to use the machine that the study measures beside off: vote (one voter beside "
        "people), below (people where it is unsure), all (its labels for every image)",
    ),
)

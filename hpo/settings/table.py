"""Every setting of a study, a row each.

The flags and their help, TOML files, `--print-config` and the table in the documentation come from
these rows. `StudyConfig` gives each row's value a type. `--help` waits for
what is imported here: nothing heavy, not even dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from hpo.settings import parsing
from hpo.settings.market_kinds import KINDS
from hpo.settings.parsing import boolean, dimension, one_of, optional, text, whole
from labeling.aggregation.registry import AGGREGATORS

Reader = Callable[[object, str], Any]
Group = Literal["money", "plans", "data", "crowd", "model", "search", "views"]
REQUIRED = "required"


class Setting(NamedTuple):
    """One setting.

    Attributes:
        name: of the field, such as "max_minutes"; its flag is --max-minutes.
        read: turns a raw value into a checked one; takes the name to use in an error.
        default: the raw value where none is given; None for absent, REQUIRED for none.
        metavar: stands for the value in the help; empty for a switch, which takes none.
        group: where the help shows it.
        help: what it does, in words; {samplers} stands for the names of samplers.
        unit: of the value, where it has one.
        shown: the default in words, where the raw one does not tell.
        has_flag: whether it can be given on the command line.
    """

    name: str
    read: Reader
    default: object
    metavar: str
    group: Group
    help: str
    unit: str = ""
    shown: str = ""
    has_flag: bool = True

    @property
    def flag(self) -> str:
        """As it is typed on the command line."""
        return flag(self.name)

    @property
    def default_text(self) -> str:
        """The default in words; empty where there is none worth naming."""
        if self.shown or self.default in (None, REQUIRED) or not self.metavar:
            return self.shown
        return str(self.default)


def flag(name: str) -> str:
    """A field's name as it is typed on the command line: "--max-minutes"."""
    return f"--{name.replace('_', '-')}"


SETTINGS = (
    Setting(
        "budget",
        parsing.budget,
        REQUIRED,
        "DOLLARS",
        "money",
        "hard cap of money, fee included",
        "dollars",
    ),
    Setting(
        "max_plan_share",
        parsing.share("0.01", "1"),
        "40%",
        "SHARE",
        "money",
        "no plan costs more than this share of the budget",
        "share",
    ),
    Setting(
        "allowance",
        parsing.share("0", "10"),
        "40%",
        "SHARE",
        "money",
        "extra assignments that an order may use for recompletion",
        "share",
    ),
    Setting(
        "confirm",
        optional(parsing.money),
        None,
        "DOLLARS",
        "money",
        "reserved to buy the recommended plan again; 0 for no confirmation",
        "dollars",
        "15% of the budget",
    ),
    Setting(
        "fee_share",
        parsing.share("0", "1"),
        "30%",
        "SHARE",
        "money",
        "platform fee as a share of the reward",
        "share",
    ),
    Setting(
        "fee_minimum",
        parsing.money,
        "0.001",
        "DOLLARS",
        "money",
        "smallest fee of an assignment",
        "dollars",
    ),
    Setting(
        "smallest_reward",
        parsing.money,
        "0.005",
        "DOLLARS",
        "money",
        "the platform's smallest reward of a suite",
        "dollars",
    ),
    Setting(
        "price",
        dimension(parsing.price),
        "0.001,0.0015,0.002,0.003,0.004,0.006,0.008",
        "DOLLARS",
        "plans",
        "prices per task to choose from",
        "dollars",
    ),
    Setting(
        "overlap",
        parsing.fixed_overlap,
        "1,2,3,4,5,7",
        "N",
        "plans",
        "answers per task to choose from; dynamic(LEAST,MOST,CONFIDENCE) asks until it is sure",
        "answers",
    ),
    Setting(
        "dynamic_overlap",
        parsing.dynamic_overlap,
        (),
        "RULE",
        "plans",
        "rules of dynamic overlap to choose from; written into overlap",
        has_flag=False,
    ),
    Setting(
        "controls",
        dimension(whole(0)),
        "0,1,2,3",
        "N",
        "plans",
        "control tasks per suite to choose from",
        "tasks",
    ),
    Setting(
        "tasks",
        dimension(parsing.tasks),
        "10%,20%,40%,70%,100%",
        "N",
        "plans",
        "numbers of tasks to choose from: counts, or shares of the pool",
        "tasks",
    ),
    Setting(
        "exam",
        dimension(boolean),
        "off,on",
        "on|off",
        "plans",
        "whether annotators sit an exam before the paid tasks",
    ),
    Setting(
        "campaign",
        optional(text),
        None,
        "NAME",
        "plans",
        "the questions asked: a template's name or a TOML file",
        shown="one question",
    ),
    Setting(
        "question",
        optional(text),
        None,
        "NAME",
        "plans",
        "the campaign's question that the model learns",
        shown="its first",
    ),
    Setting(
        "suite_size",
        whole(1, 1000),
        10,
        "N",
        "plans",
        "tasks per suite, control tasks included",
        "tasks",
    ),
    Setting(
        "data",
        parsing.data,
        "digits3",
        "DATA",
        "data",
        "digits3, digits, npz:FILE (arrays x, y) or folder:DIR",
    ),
    Setting(
        "labels",
        optional(text),
        None,
        "FILE.csv",
        "data",
        "a folder's columns image,label,role[,url][,group]",
    ),
    Setting(
        "image_url_prefix",
        optional(parsing.url_prefix),
        None,
        "URL",
        "data",
        "the images' addresses: this and the image's name",
    ),
    Setting(
        "own_labels",
        optional(text),
        None,
        "FILE",
        "data",
        "answers bought elsewhere (task,annotator,label), owned for $0",
    ),
    Setting("seed", whole(0, 2**63 - 1), 0, "N", "data", "seed of everything random"),
    Setting(
        "few_labels_ok",
        boolean,
        "off",
        "",
        "data",
        "go on with fewer control, validation or final images than advised",
    ),
    Setting("skip_bad_images", boolean, "off", "", "data", "leave out images that cannot be used"),
    Setting(
        "market",
        parsing.market,
        "simulated",
        "MARKET",
        "crowd",
        "; ".join(f"{kind.usage} ({kind.help})" for kind in KINDS),
    ),
    Setting(
        "toloka_environment",
        one_of("production", "sandbox"),
        "production",
        "NAME",
        "crowd",
        "production or sandbox, for the market toloka",
    ),
    Setting(
        "scenario",
        text,
        "default",
        "NAME",
        "crowd",
        "the simulated crowd: a scenario's name or a TOML file",
    ),
    Setting(
        "selection",
        parsing.exponent,
        None,
        "G",
        "crowd",
        "exponent g by which the price changes which annotators come",
        shown="the scenario's",
    ),
    Setting(
        "price_models",
        one_of("one", "both"),
        "one",
        "one|both",
        "crowd",
        "both: search again with the other g, and compare the prices",
    ),
    Setting(
        "difficulty",
        one_of("independent", "images"),
        "independent",
        "MODEL",
        "crowd",
        "independent of the images' features, or images: hard where classes overlap",
    ),
    Setting(
        "max_minutes",
        parsing.minutes,
        15,
        "M",
        "crowd",
        "longest campaign, or none for no deadline",
        "minutes",
    ),
    Setting(
        "aggregation",
        parsing.aggregation,
        "weighted",
        "NAME",
        "model",
        f"how answers become labels: {', '.join(AGGREGATORS)}",
    ),
    Setting(
        "backbone", text, "auto", "NAME", "model", "auto, pixels, patch or a timm model's name"
    ),
    Setting(
        "backbone_file",
        optional(text),
        None,
        "FILE",
        "model",
        "the backbone's weights, a .safetensors file",
    ),
    Setting(
        "sampler",
        text,
        "money",
        "NAME",
        "search",
        "names the next plan: {samplers}",
    ),
    Setting(
        "min_gain",
        parsing.number(0, 1e6),
        0,
        "POINTS",
        "search",
        "stop when no plan promises this many accuracy points per dollar",
        "points per dollar",
    ),
    Setting(
        "no_reuse",
        boolean,
        "off",
        "",
        "search",
        "do not evaluate the plans that a purchase contains",
    ),
    Setting(
        "pool_size",
        optional(whole(1)),
        None,
        "N",
        "search",
        "images there are in all, to price and forecast for",
        "images",
        "the pool",
    ),
    Setting("trials", optional(whole(1)), None, "N", "search", "stop after N purchases"),
    Setting(
        "study",
        parsing.study_name,
        None,
        "NAME",
        "search",
        "name of the study and its folder",
        shown="from the data",
    ),
    Setting(
        "view",
        optional(parsing.trial_view),
        None,
        "EXPR",
        "views",
        "train on some labels: \"confidence >= 0.8 and label != 'loop'\"",
    ),
    Setting(
        "test_view",
        optional(parsing.test_view),
        None,
        "EXPR",
        "views",
        "report some test images beside all: \"class == 'loop'\"",
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}

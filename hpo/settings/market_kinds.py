"""The kinds of market, a row each: everything that depends on who answers.

A kind's module, named by its row, has `open_market(opening)`, which gives the market, and where
money is real `account(config)`, which tells what the account holds. It is imported when it is used.
"""

from __future__ import annotations

from typing import NamedTuple

from budget.errors import InputError, nearest

_OWN_IMAGES = "your own images: labelworth --budget 20 --data folder:PHOTOS --labels LABELS.csv"
_REHEARSE = (
    "a rehearsal through Toloka's API: the same command with --market rehearsal --study NAME"
)


class MarketKind(NamedTuple):
    """One kind of market.

    Attributes:
        name: as `--market` takes it, before ":FILE".
        module: has `open_market`.
        help: what it is, in few words.
        sentence: where answers come from; may name {file}, {scenario} and {environment}.
        takes_file: whether `--market NAME:FILE` names a recording.
        has_pools: whether it keeps pools on a platform, which are closed and locked.
        archives: whether its pools can be archived when a study is over.
        real_money: whether buying spends money outside this machine.
        knows_price: whether answers depend on the price.
        models_price: whether a scenario says how they do.
        sells_again: whether the same order gives fresh answers when it is bought again.
        assumes_difficulty: whether how hard images are is an assumption, not a record.
        answers_from_truth: whether its people are simulated, and answer from the images' labels.
        shared_mistakes: wrong best labels there are for each that is expected where people and
            model err independently. People err where models do: 1.75 is measured on CIFAR-10N.
        banner: stands above the answer; may name {spent} and {market}. Empty for none.
        next_step: after a study; empty where its labels are real, and are to be taken.
        next_step_own: after a study of the user's own images, where that is another one.
        pay: how people are paid where nothing else is chosen.
        takes_staff: whether own annotators can answer on it.
        rehearsed_as: name of the kind that it is with `--people simulated:N`; empty for none.
    """

    name: str
    module: str
    help: str
    sentence: str
    takes_file: bool = False
    has_pools: bool = False
    archives: bool = False
    real_money: bool = False
    knows_price: bool = True
    models_price: bool = True
    sells_again: bool = True
    assumes_difficulty: bool = False
    answers_from_truth: bool = False
    shared_mistakes: float = 1.1
    banner: str = ""
    next_step: str = ""
    next_step_own: str = ""
    pay: str = "platform"
    takes_staff: bool = False
    rehearsed_as: str = ""

    @property
    def usage(self) -> str:
        """How `--market` names it."""
        return f"{self.name}:FILE" if self.takes_file else self.name


KINDS = (
    MarketKind(
        "simulated",
        "hpo.market.simulated",
        "a simulated crowd",
        "simulated crowd {scenario!r}, no real money is spent",
        assumes_difficulty=True,
        answers_from_truth=True,
        next_step=_OWN_IMAGES,
        next_step_own=_REHEARSE,
        takes_staff=True,
    ),
    MarketKind(
        "rehearsal",
        "hpo.market.local_platform",
        "Toloka's API on this machine",
        "REHEARSAL through Toloka's API, simulated crowd {scenario!r}, no real money is spent",
        has_pools=True,
        archives=True,
        assumes_difficulty=True,
        answers_from_truth=True,
        banner="REHEARSAL of a purchase on Toloka: no real money was spent",
        next_step="labelworth doctor, then the same command with --market toloka",
    ),
    MarketKind(
        "toloka",
        "hpo.market.toloka",
        "real money",
        "REAL MONEY on Toloka {environment}",
        has_pools=True,
        archives=True,
        real_money=True,
        models_price=False,
        shared_mistakes=1.75,
        banner="REAL MONEY: {spent} spent on {market}",
    ),
    MarketKind(
        "label-studio",
        "hpo.market.label_studio",
        "own annotators on a Label Studio server",
        "own annotators on the Label Studio server that LABEL_STUDIO_URL names",
        has_pools=True,
        models_price=False,
        shared_mistakes=1.75,
        banner="OWN ANNOTATORS: {spent} earned on {market}",
        pay="hourly",
        takes_staff=True,
        rehearsed_as="label-studio-rehearsal",
    ),
    MarketKind(
        "label-studio-rehearsal",
        "hpo.market.label_studio",
        "scripted people on a Label Studio server of this machine",
        "REHEARSAL on a Label Studio server, scripted people {scenario!r}, no wage is owed",
        has_pools=True,
        models_price=False,
        answers_from_truth=True,
        banner="REHEARSAL on a Label Studio server: scripted people answered, no wage is owed",
        next_step="labelworth doctor --market label-studio, then the study without --people",
        pay="hourly",
        takes_staff=True,
    ),
    MarketKind(
        "hybrid",
        "hpo.market.hybrid",
        "simulated people, recorded difficulty",
        "simulated crowd {scenario!r} on images as hard as {file} says, no real money is spent",
        takes_file=True,
        answers_from_truth=True,
        next_step=_OWN_IMAGES,
        next_step_own=_REHEARSE,
    ),
    MarketKind(
        "replay",
        "hpo.market.recorded",
        "recorded answers",
        "recorded answers of {file}, no real money is spent",
        takes_file=True,
        knows_price=False,
        models_price=False,
        sells_again=False,
        shared_mistakes=1.75,
    ),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


def add_market(kind: MarketKind) -> None:
    """Let `market=NAME` choose a market of one's own, in this process.

    Args:
        kind: a row with a new name; its module has `open_market(opening)`. Adding an equal row
            again changes nothing.

    Raises:
        InputError: the name is taken.
    """
    if _BY_NAME.setdefault(kind.name, kind) != kind:
        raise InputError(f"market: {kind.name!r} is taken; choose another name")


def kind_named(name: str) -> MarketKind:
    """The kind of a name that `split_market` has checked, or that a report holds."""
    return _BY_NAME[name]


def split_market(text: str, name: str = "--market") -> tuple[MarketKind, str]:
    """The kind of a market, and its file; "" where it takes none.

    Args:
        text: NAME or NAME:FILE.
        name: what the setting is called, for the error.

    Raises:
        InputError: no such kind, or a file where none is taken, or none where one is.
    """
    word, _, file = text.partition(":")
    kind = _BY_NAME.get(word)
    if kind is None or kind.takes_file != bool(file) or (":" in text and not kind.takes_file):
        usages = [kind.usage for kind in _BY_NAME.values()]
        raise InputError(f"{name}: {text!r} is not known; {nearest(text, usages)}")
    return kind, file

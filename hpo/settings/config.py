"""What a study is: one frozen, validated object from defaults, a TOML file and flags."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from budget.errors import InputError, nearest
from budget.money import Money
from budget.tariff import Tariff
from hpo.settings import parsing
from hpo.settings.market_kinds import MarketKind, split_market
from labeling.types import DynamicOverlap
from labeling.views.columns import TEST_COLUMNS, TRIAL_COLUMNS

_FEE_MINIMUM, _SMALLEST_REWARD = Money(1_000), Money(5_000)
_CONFIRM_SHARE = Fraction(3, 20)
SAMPLERS = ("money", "rule", "tpe", "nsga2", "gp", "random")
AGGREGATIONS = ("weighted", "majority", "dawid-skene")


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """Everything that decides what a study buys and answers.

    Attributes:
        budget: the hard cap of money, fee included.
        study: name of the study and of its folder.
        data: digits3 | digits | npz:FILE | folder:DIR.
        labels: CSV of a folder's images (columns image,label,role and, for a market, url).
        image_url_prefix: address of an image without a url of its own, before its name.
        own_labels: answers bought elsewhere (task,annotator,label), owned for nothing.
        price: dollars per task to choose from.
        overlap: answers per task to choose from.
        dynamic_overlap: rules of dynamic overlap to choose from; written into `overlap` as
            dynamic(least,most,confidence).
        controls: control tasks per suite to choose from.
        tasks: numbers of tasks to choose from: counts, or shares of the pool such as "40%".
        exam: whether an exam is asked, to choose from.
        campaign: what is asked: a template's name or a TOML file; None for one question.
        question: the campaign's question that the model learns; None for its first.
        suite_size: tasks per suite, control tasks included.
        max_plan_share: no plan dearer than this share of the budget.
        market: simulated | hybrid:FILE (recorded images, simulated people) | replay:FILE
            (recorded answers) | rehearsal (the simulated crowd through Toloka's API, on a local
            server) | toloka (real money).
        toloka_environment: production | sandbox, for the market toloka.
        scenario: the simulated crowd: a scenario's name or TOML file.
        selection: the scenario's exponent g, by which price changes who comes; None for its own.
        difficulty: how hard images are for the simulated crowd: "independent" of what they look
            like, or following the "images" (hard where classes overlap in feature space).
        price_models: "one", or "both": search again with the other g and compare the prices.
        max_minutes: longest campaign in minutes; None for no deadline.
        allowance: assignments beyond the expected ones that an order may use for recompletion.
        aggregation: weighted | majority | dawid-skene.
        backbone: auto | pixels | patch | a timm model's name.
        backbone_file: its weights, a .safetensors file.
        sampler: money | rule | tpe | nsga2 | gp | random.
        no_reuse: do not evaluate the plans that a purchase contains.
        confirm: dollars kept for buying the recommended plan again; None for 15 % of the budget.
        min_gain: stop when no plan promises this many accuracy points per dollar (money sampler).
        pool_size: images there are in all, to price and forecast for; None for the pool.
        trials: stop after this many purchases; None for as many as the money bears.
        view: which of a trial's labels, or of the answers behind them, its model is trained on.
        test_view: test images whose accuracy is reported beside that of all.
        fee_share, fee_minimum, smallest_reward: the platform's tariff.
        few_labels_ok: go on with fewer control, validation or final images than advised.
        skip_bad_images: leave out images that cannot be used.
    """

    budget: Money
    study: str
    data: str = "digits3"
    labels: str | None = None
    image_url_prefix: str | None = None
    own_labels: str | None = None
    seed: int = 0
    price: tuple[Money, ...] = tuple(Money(m) for m in (1000, 1500, 2000, 3000, 4000, 6000, 8000))
    overlap: tuple[int, ...] = (1, 2, 3, 4, 5, 7)
    dynamic_overlap: tuple[DynamicOverlap, ...] = ()
    controls: tuple[int, ...] = (0, 1, 2, 3)
    tasks: tuple[str, ...] = ("10%", "20%", "40%", "70%", "100%")
    exam: tuple[bool, ...] = (False, True)
    campaign: str | None = None
    question: str | None = None
    suite_size: int = 10
    max_plan_share: Fraction = Fraction(2, 5)
    market: str = "simulated"
    toloka_environment: str = "production"
    scenario: str = "default"
    selection: float | None = None
    price_models: str = "one"
    difficulty: str = "independent"
    max_minutes: float | None = 15.0
    allowance: Fraction = Fraction(2, 5)
    aggregation: str = "weighted"
    backbone: str = "auto"
    backbone_file: str | None = None
    sampler: str = "money"
    no_reuse: bool = False
    confirm: Money | None = None
    min_gain: float = 0.0
    pool_size: int | None = None
    trials: int | None = None
    view: str | None = None
    test_view: str | None = None
    fee_share: Fraction = Fraction(3, 10)
    fee_minimum: Money = _FEE_MINIMUM
    smallest_reward: Money = _SMALLEST_REWARD
    few_labels_ok: bool = False
    skip_bad_images: bool = False

    @property
    def confirm_reserve(self) -> Money:
        """Money kept from the start for the confirmation."""
        return self.budget.share(_CONFIRM_SHARE) if self.confirm is None else self.confirm

    @property
    def market_kind(self) -> MarketKind:
        """What can be said of all markets of its kind."""
        return split_market(self.market)[0]

    @property
    def market_file(self) -> str:
        """The recording that the market is made of; "" where it takes none."""
        return split_market(self.market)[1]

    @property
    def tariff(self) -> Tariff:
        """The platform's tariff."""
        return Tariff(self.fee_share, self.fee_minimum, self.smallest_reward)


_READERS: dict[str, Callable[[object, str], Any]] = {
    "budget": parsing.budget,
    "study": parsing.study_name,
    "data": parsing.data,
    "labels": parsing.optional(parsing.text),
    "image_url_prefix": parsing.optional(parsing.url_prefix),
    "own_labels": parsing.optional(parsing.text),
    "seed": parsing.whole(0, 2**63 - 1),
    "price": parsing.dimension(parsing.price),
    "overlap": lambda value, name: parsing.split_overlap(value, name)[0],
    "dynamic_overlap": lambda value, name: parsing.split_overlap(value, name)[1] if value else (),
    "controls": parsing.dimension(parsing.whole(0)),
    "tasks": parsing.dimension(parsing.tasks),
    "exam": parsing.dimension(parsing.boolean),
    "campaign": parsing.optional(parsing.text),
    "question": parsing.optional(parsing.text),
    "suite_size": parsing.whole(1, 1000),
    "max_plan_share": parsing.share("0.01", "1"),
    "market": parsing.market,
    "toloka_environment": parsing.one_of("production", "sandbox"),
    "scenario": parsing.text,
    "selection": parsing.exponent,
    "price_models": parsing.one_of("one", "both"),
    "difficulty": parsing.one_of("independent", "images"),
    "max_minutes": parsing.minutes,
    "allowance": parsing.share("0", "10"),
    "aggregation": parsing.one_of(*AGGREGATIONS),
    "backbone": parsing.text,
    "backbone_file": parsing.optional(parsing.text),
    "sampler": parsing.one_of(*SAMPLERS),
    "no_reuse": parsing.boolean,
    "confirm": parsing.optional(parsing.money),
    "min_gain": parsing.number(0, 1e6),
    "pool_size": parsing.optional(parsing.whole(1)),
    "trials": parsing.optional(parsing.whole(1)),
    "view": parsing.optional(parsing.view(TRIAL_COLUMNS)),
    "test_view": parsing.optional(parsing.view(TEST_COLUMNS)),
    "fee_share": parsing.share("0", "1"),
    "fee_minimum": parsing.money,
    "smallest_reward": parsing.money,
    "few_labels_ok": parsing.boolean,
    "skip_bad_images": parsing.boolean,
}
# A recording knows nothing about price, and mostly not who answered.
_REPLAY_DEFAULTS = {
    "price": (Money(2_000),),
    "controls": (0,),
    "exam": (False,),
    "overlap": (1, 2, 3),
}
FIELDS = tuple(_READERS)
NONE_WORDS = (
    "campaign",
    "question",
    "labels",
    "image_url_prefix",
    "own_labels",
    "backbone_file",
    "trials",
    "selection",
    "confirm",
    "pool_size",
    "view",
    "test_view",
)


def flag(name: str) -> str:
    """A field's name as the user types it: "--max-minutes"."""
    return f"--{name.replace('_', '-')}"


def make_config(
    given: Mapping[str, object], origin: Mapping[str, str] | None = None
) -> StudyConfig:
    """Validate raw values and fill in defaults.

    Args:
        given: raw values by field name, as flags, TOML or Python callers give them.
        origin: where each value came from, for error messages ("--budget", "study.toml: budget").

    Raises:
        InputError: a field is unknown, missing or wrong; the message names it and the remedy.
    """
    origin = origin or {}
    for name in given:
        if name not in _READERS:
            raise InputError(f"{name}: no such setting; {nearest(name, FIELDS)}")
    if "overlap" in given and "dynamic_overlap" not in given:
        given = {**given, "dynamic_overlap": given["overlap"]}
    read = {name: _READERS[name](raw, origin.get(name, name)) for name, raw in given.items()}
    if "budget" not in read:
        raise InputError("--budget: how much may be spent? Give dollars, such as --budget 20")
    if not split_market(read.get("market", "simulated"))[0].knows_price:
        for name, value in _REPLAY_DEFAULTS.items():
            read.setdefault(name, value)
    if read.get("dynamic_overlap"):
        read.setdefault("sampler", "tpe")
    read.setdefault("study", _default_name(read.get("data", "digits3")))
    config = StudyConfig(**read)
    _check_together(config, origin)
    return config


def _default_name(data: str) -> str:
    kind, _, rest = data.partition(":")
    if not rest:
        return kind
    stem = parsing.as_name(Path(rest).stem)
    return f"{kind}-{stem or 'images'}"


def _check_together(config: StudyConfig, origin: Mapping[str, str]) -> None:
    def name(field: str) -> str:
        return origin.get(field, field)

    if config.confirm is not None and config.confirm >= config.budget:
        raise InputError(
            f"{name('confirm')}: {config.confirm} for the confirmation leave nothing of the "
            f"budget of {config.budget} to search with; give less, or 0 for no confirmation"
        )
    if max(config.controls) >= config.suite_size:
        raise InputError(
            f"{name('controls')}: {max(config.controls)} control tasks leave no room in a suite "
            f"of {config.suite_size}; give at most {config.suite_size - 1} or a larger suite_size"
        )
    for price in config.price:
        config.tariff.check_reward(
            price * config.suite_size,
            f"{name('price')}: {price.exact()} per task x {config.suite_size} tasks per suite",
        )
    if config.dynamic_overlap and config.sampler in ("money", "rule"):
        raise InputError(
            f"{name('sampler')}: {config.sampler} does not search dynamic overlap; "
            "use tpe, nsga2, gp or random"
        )
    kind = config.market_kind
    if config.price_models == "both" and not kind.models_price:
        why = "has its own" if kind.knows_price else "knows nothing about"
        raise InputError(f"{name('price_models')}: market {kind.name} {why} price; leave it out")
    is_folder = config.data.startswith("folder:")
    if is_folder and config.labels is None:
        raise InputError(
            "--labels: folder data needs --labels FILE.csv with columns image,label,role"
        )
    if config.labels is not None and not is_folder:
        raise InputError(f"{name('labels')}: only --data folder:DIR takes a labels file")
    if config.backbone_file is not None and config.backbone in ("auto", "pixels", "patch"):
        raise InputError(
            f"{name('backbone_file')}: weights need their model; add --backbone TIMM_NAME"
        )


# --- TOML and JSON ---


def read_toml(path: Path) -> dict[str, object]:
    """The settings in a TOML file, raw; a table [space] may hold the searched dimensions.

    Raises:
        InputError: the file is missing, unreadable, not TOML, or has an unknown key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text, parse_float=Decimal)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None
    space = raw.pop("space", {})
    if not isinstance(space, dict):
        raise InputError(f"{path}: space: must be a table [space] of dimensions")
    for key in (*raw, *space):
        if key not in _READERS:
            raise InputError(f"{path}: {key}: no such setting; {nearest(key, FIELDS)}")
    if twice := set(raw) & set(space):
        raise InputError(f"{path}: {min(twice)}: given both at the top and in [space]")
    return {**raw, **space}


def _plain(value: object) -> object:
    if isinstance(value, Money):
        return value.exact()
    if isinstance(value, Fraction):
        return str(Decimal(value.numerator) / Decimal(value.denominator))
    if isinstance(value, DynamicOverlap):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} in a configuration")
    return value


def to_plain(config: StudyConfig) -> dict[str, object]:
    """The configuration as JSON types; `make_config` reads it back to an equal object."""
    return {field.name: _plain(getattr(config, field.name)) for field in fields(config)}


def to_toml(config: StudyConfig) -> str:
    """The configuration as TOML that `--config` reads back; absent settings are left out."""
    lines = []
    for name, value in to_plain(config).items():
        if value is None and name in NONE_WORDS:
            continue
        lines.append(f"{name} = {json.dumps('none' if value is None else value)}")
    return "\n".join(lines) + "\n"


def check_unchanged(old: StudyConfig, new: StudyConfig) -> None:
    """Refuse to go on with a study under another configuration; the budget may be raised.

    Raises:
        InputError: naming the first field that differs, both values and the remedy.
    """
    if new.budget < old.budget:
        raise InputError(
            f"--budget: study {old.study!r} has a cap of {old.budget}; it can be raised, "
            f"not lowered to {new.budget}"
        )
    for field in fields(StudyConfig):
        before, now = getattr(old, field.name), getattr(new, field.name)
        if field.name != "budget" and before != now:
            raise InputError(
                f"{flag(field.name)}: study {old.study!r} was started with {_plain(before)}, "
                f"now {_plain(now)}; keep it, or start another study with --study NAME"
            )


def default_of(name: str) -> str:
    """A field's default as text, for the help."""
    for field in fields(StudyConfig):
        if field.name == name and field.default is not MISSING:
            value = _plain(field.default)
            return ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return ""

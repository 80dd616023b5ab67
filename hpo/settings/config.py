"""A study's configuration: one frozen, validated object from defaults, a TOML file and flags."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from budget.errors import InputError, nearest
from budget.files import regular
from budget.money import ZERO, Money
from budget.postgres.address import Address
from budget.tariff import Tariff
from budget.tariffs.staff import Group, StaffTariff
from budget.tariffs.suite import SuiteTariff
from budget.tariffs.wages import EVERYBODY
from budget.toml import parse_toml
from hpo.settings import parsing
from hpo.settings.market_kinds import MarketKind, kind_named, split_market
from hpo.settings.rows.defaults import fill_in
from hpo.settings.rows.staff import PLATFORM
from hpo.settings.rows.staff_defaults import staff_groups, staff_tariff
from hpo.settings.setting import flag
from hpo.settings.table import BY_NAME, MODEL, PLAN, SETTINGS
from labeling.types import DynamicOverlap

_CONFIRM_SHARE = Fraction(3, 20)
_PLAN_SHARE = Fraction(2, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """Everything that decides what a study buys and answers: one attribute a row of SETTINGS.

    `make_config` makes it from raw values; the rows tell what each means, its unit and default.
    """

    budget: Money
    study: str
    storage: Address | None
    data: str
    labels: str | None
    classes: tuple[str, ...] | None
    test_images: int
    test_overlap: int
    pool_labels: str
    roles: tuple[Fraction, ...] | None
    keep_classes: bool
    image_url_prefix: str | None
    own_labels: str | None
    seed: int
    price: tuple[Money, ...]
    overlap: tuple[int, ...]
    dynamic_overlap: tuple[DynamicOverlap, ...]
    controls: tuple[int, ...]
    tasks: tuple[str, ...]
    exam: tuple[bool, ...]
    campaign: str | None
    question: str | None
    suite_size: int
    max_plan_share: Fraction | None
    goal: str
    learn: Fraction
    allocation: str
    market: str
    toloka_environment: str
    scenario: str
    selection: float | None
    price_models: str
    difficulty: str
    max_minutes: float | None
    allowance: Fraction
    machine: str | None
    machine_cost: Money | None
    machine_use: tuple[str, ...]
    aggregation: str
    train_on: tuple[str, ...]
    backbone: str
    backbone_file: str | None
    confirm_trainer: str
    image_size: int | None
    sampler: str
    no_reuse: bool
    confirm: Money | None
    min_gain: float
    target: float | None
    worth: Money | None
    pool_size: int | None
    trials: int | None
    view: str | None
    test_view: str | None
    fee_share: Fraction
    fee_minimum: Money
    smallest_reward: Money
    few_labels_ok: bool
    skip_bad_images: bool
    skip_empty: bool
    pay: str
    wage: Money
    wages: str | None
    seconds_per_answer: float
    least_seconds: float
    most_seconds: float | None
    people: str | None
    prelabel: tuple[bool, ...]
    prelabels: str | None
    group: tuple[str, ...]
    remove_banned: bool
    grace_minutes: float

    @property
    def least_rate(self) -> float:
        """Accuracy points per dollar that further money has to promise."""
        worth = 0.0 if self.worth is None else 1 / self.worth.dollars
        return max(self.min_gain, worth)

    @property
    def delivers(self) -> bool:
        """Whether most of the money buys the labels and the model that are delivered."""
        return self.goal == MODEL

    @property
    def confirm_reserve(self) -> Money:
        """Money kept from the start for the confirmation."""
        if self.confirm is not None:
            return self.confirm
        return ZERO if self.delivers else self.budget.share(_CONFIRM_SHARE)

    @property
    def plan_share(self) -> Fraction:
        """The largest share of the budget that a plan may cost."""
        if self.max_plan_share is not None:
            return self.max_plan_share
        return Fraction(1) if self.delivers else _PLAN_SHARE

    @property
    def market_kind(self) -> MarketKind:
        """What can be said of all markets of its kind."""
        kind = split_market(self.market)[0]
        is_scripted = (self.people or "").startswith(parsing.SIMULATED_PEOPLE)
        return kind_named(kind.rehearsed_as) if is_scripted and kind.rehearsed_as else kind

    @property
    def market_file(self) -> str:
        """The recording that the market is made of; "" where it takes none."""
        return split_market(self.market)[1]

    @property
    def tariff(self) -> Tariff:
        """What the market charges."""
        return self.staff_tariff if self.has_staff else self.suite_tariff

    @property
    def has_staff(self) -> bool:
        """Whether own annotators answer, one task at a time, instead of a platform's crowd."""
        return self.pay != PLATFORM

    @property
    def staff_people(self) -> int:
        """How many own annotators work at once."""
        return int((self.people or "5").removeprefix(parsing.SIMULATED_PEOPLE))

    @property
    def staff_tariff(self) -> StaffTariff:
        """What own annotators earn."""
        seconds = (self.most_seconds, self.least_seconds, self.seconds_per_answer)
        return staff_tariff(self.pay, seconds, self.staff_people, self.wages)

    @property
    def staff_groups(self) -> tuple[Group, ...]:
        """The groups of own annotators that plans may ask."""
        return staff_groups(self.group, self.wages, self.most_asked)

    @property
    def most_asked(self) -> int:
        """The most answers that any plan may want on one task."""
        return max((*self.overlap, *(rule.most for rule in self.dynamic_overlap)))

    def rate(self, price: Money) -> Money:
        """What the tariff multiplies: the reward of a suite, or the pay of a task or an hour."""
        return price if self.has_staff else price * self.suite_size

    @property
    def suite_tariff(self) -> SuiteTariff:
        """What a platform charges by the suite."""
        return SuiteTariff(self.fee_share, self.fee_minimum, self.smallest_reward)


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
        if name not in BY_NAME:
            raise InputError(f"{name}: no such setting; {nearest(name, tuple(BY_NAME))}")
    if "overlap" in given and "dynamic_overlap" not in given:
        given = {**given, "dynamic_overlap": given["overlap"]}
    read = {name: BY_NAME[name].read(raw, origin.get(name, name)) for name, raw in given.items()}
    if "budget" not in read:
        raise InputError("--budget: how much may be spent? Give dollars, such as --budget 20")
    fill_in(read, origin)
    read.setdefault("goal", _default_goal(read))
    read.setdefault("study", _default_name(read.get("data", "digits3")))
    for row in SETTINGS:
        if row.name not in read:
            read[row.name] = row.read(row.default, row.name)
    config = StudyConfig(**read)
    _check_together(config, origin)
    _check_staff(config, origin)
    return config


def _default_goal(read: Mapping[str, object]) -> str:
    """A model, unless the question is about a plan for a campaign elsewhere."""
    about_plans = ("pool_size", "target", "dynamic_overlap", "campaign")
    return PLAN if any(read.get(name) for name in about_plans) else MODEL


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
        of_suite = f"{price.exact()} per task x {config.suite_size} tasks per suite"
        what = f"{name('price')}: {of_suite}" if not config.has_staff else "wage or price"
        config.tariff.check_rate(config.rate(price), what)
    kind = config.market_kind
    if config.price_models == "both" and not kind.models_price:
        why = "has its own" if kind.knows_price else "knows nothing about"
        raise InputError(f"{name('price_models')}: market {kind.name} {why} price; leave it out")
    _check_machine(config, name)
    if config.labels is not None and not config.data.startswith("folder:"):
        raise InputError(f"{name('labels')}: only --data folder:DIR takes a labels file")
    if config.classes is not None and config.data.partition(":")[0] not in ("folder", "npz"):
        raise InputError(f"{name('classes')}: {config.data} has its own; leave it out")
    if config.image_size is not None and config.backbone in ("pixels", "patch"):
        raise InputError(f"{name('image_size')}: only a timm model has an input size")
    if config.backbone_file is not None and config.backbone in ("auto", "pixels", "patch"):
        raise InputError(
            f"{name('backbone_file')}: weights need their model; add --backbone TIMM_NAME"
        )


def _check_machine(config: StudyConfig, name: Callable[[str], str]) -> None:
    if config.machine is None and config.machine_cost is not None:
        raise InputError(f"{name('machine_cost')}: names no machine's price; add --machine")
    if config.machine is not None and config.view is not None:
        raise InputError(
            f"{name('view')}: a view keeps some of people's labels, and --machine labels every "
            "image; give one of both"
        )


def _check_staff(config: StudyConfig, origin: Mapping[str, str]) -> None:
    _check_prelabel(config, origin)
    if not config.has_staff:
        if config.group != (EVERYBODY,):
            name, market = origin.get("group", "group"), config.market_kind.name
            raise InputError(f"{name}: the market {market} has no own annotators; leave it out")
        return
    _ = config.staff_groups  # read now: an unknown group is refused before any work
    if not config.market_kind.takes_staff:
        name, market = origin.get("pay", "pay"), config.market_kind.name
        raise InputError(f"{name}: the market {market} has no own annotators; leave it out")
    if True in config.exam:
        raise InputError(f"{origin.get('exam', 'exam')}: own annotators sit no exam; leave it out")


def _check_prelabel(config: StudyConfig, origin: Mapping[str, str]) -> None:
    name, file = origin.get("prelabel", "prelabel"), origin.get("prelabels", "prelabels")
    if True in config.prelabel and not config.has_staff:
        raise InputError(
            f"{name}: only own annotators can be shown predictions, not those of the market "
            f"{config.market_kind.name}; leave it out, or add --pay hourly or --market label-studio"
        )
    if True in config.prelabel and config.prelabels is None:
        raise InputError(f"{name}: which predictions? Name their file with --prelabels FILE")
    if True not in config.prelabel and config.prelabels is not None:
        raise InputError(f"{file}: no plan shows predictions; add --prelabel on, or off,on")


# --- TOML and JSON ---


def read_toml(path: Path) -> dict[str, object]:
    """The settings in a TOML file, raw; a table [space] may hold the searched dimensions.

    Raises:
        InputError: the file is missing, unreadable, not TOML, or has an unknown key.
    """
    try:
        text = regular(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    raw = parse_toml(text, str(path), Decimal)
    space = raw.pop("space", {})
    if not isinstance(space, dict):
        raise InputError(f"{path}: space: must be a table [space] of dimensions")
    for key in (*raw, *space):
        if key not in BY_NAME:
            raise InputError(f"{path}: {key}: no such setting; {nearest(key, tuple(BY_NAME))}")
    if twice := set(raw) & set(space):
        raise InputError(f"{path}: {min(twice)}: given both at the top and in [space]")
    return {**raw, **space}


def _plain(value: object) -> object:
    if isinstance(value, Money):
        return value.exact()
    if isinstance(value, Fraction):
        return str(Decimal(value.numerator) / Decimal(value.denominator))
    if isinstance(value, DynamicOverlap | Address):
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
        if value is not None:
            lines.append(f"{name} = {json.dumps(value)}")
        elif BY_NAME[name].default is not None or name == "storage":
            # Its absence would mean the default, or what the environment names.
            lines.append(f'{name} = "none"')
    return "\n".join(lines) + "\n"


def _shown(value: object) -> object:
    return "none" if value is None else _plain(value)


def check_unchanged(old: StudyConfig, new: StudyConfig, *free: str) -> None:
    """Refuse to go on with a study under another configuration; the budget may be raised.

    Args:
        old: what the study was started with.
        new: what it is to go on with.
        free: names of settings that may differ.

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
        if field.name not in ("budget", *free) and before != now:
            raise InputError(
                f"{flag(field.name)}: study {old.study!r} was started with {_shown(before)}, "
                f"now {_shown(now)}; keep it, or start another study with --study NAME"
            )

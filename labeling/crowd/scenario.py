"""Scenarios: crowds of simulated annotators, as named and documented parameters."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.toml import parse_toml

_INFINITE = math.inf
# Parameter: (smallest, largest) allowed value, both included.
_RANGES: dict[str, tuple[float, float]] = {
    "looks_per_minute": (1e-6, 1e6),
    "population": (1, 1e8),
    "reservation_wage": (1e-6, 1e4),
    "reservation_sd": (1e-6, 10),
    "careless": (0, 1),
    "spammers": (0, 1),
    "selection": (0, 5),
    "reference_wage": (1e-6, 1e4),
    "careless_guess": (0, 1),
    "spam_random": (0, 1),
    "spam_same": (0, 1),
    "spam_repeat": (0, 1),
    "spam_collude": (0, 1),
    "spam_paste": (0, 1),
    "machine_skill": (-10, 10),
    "skill_mean": (-10, 10),
    "skill_sd": (0, 5),
    "skill_by_activity": (-5, 5),
    "learning": (0, 5),
    "fatigue": (0, 1),
    "error_a": (1e-3, 1e4),
    "error_b": (1e-3, 1e4),
    "error_scale": (0, 1),
    "control_error": (0, 1),
    "distractor_share": (0, 1),
    "task_seconds": (1e-3, 1e5),
    "careless_seconds": (1e-3, 1e5),
    "spam_seconds": (1e-3, 1e5),
    "seconds_between": (0, 3),
    "seconds_within": (0, 3),
    "slow_on_hard": (0, 20),
    "speed_up": (0, 1),
    "suites_median": (1e-3, 1e5),
    "suites_sd": (0, 5),
    "skip_share": (0, 1),
    "expire_share": (0, 1),
    "tested_share": (1e-6, 1),
    "tested_odds": (1e-3, 1e3),
    "question_time": (0, 10),
    "appeal_mean": (-10, 10),
    "appeal_sd": (0, 10),
    "taste_sd": (0, 10),
    "return_share": (0, 1),
    "return_minutes": (0, 1e5),
    "horizon_minutes": (1e-3, 1e7),
    "office_people": (0, 100),
    "office_hours": (0.01, 24),
    "anchoring": (0, 1),
    "prelabel_time": (0.01, 10),
}
# Parameters added after the first version, with the default scenario's values.
_LATER: dict[str, Any] = {
    "spam_paste": 0.0,
    "machine_skill": -0.65,
    "skill_by_activity": 0.0,
    "exam_pass_rates": (),
    "tested_share": 0.843,
    "tested_odds": 0.944,
    "question_time": 0.5,
    "appeal_mean": 0.0,
    "appeal_sd": 1.5,
    "taste_sd": 1.0,
    "office_people": 0,
    "office_hours": 8.0,
    "anchoring": 0.2,
    "prelabel_time": 0.8,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A crowd, its wages and its items.

    `scenarios/default.toml` gives each value with its source; the other named scenarios list their
    changes. In these files [M] means measured on public data, [R] read in a paper, [G] a guess.

    Attributes:
        name: name of the scenario; the market of a condition carries it.
        about: one line of description.
        looks_per_minute: annotators who open an open pool's page, per minute (Poisson).
        population: number of annotators who ever look; no new annotators come after them.
        reservation_wage: dollars per hour at which half of the annotators who look take part.
        reservation_sd: sd of the logarithm of the reservation wage.
        careless: share of annotators, at the reference wage, who guess part of their answers.
        spammers: share of annotators, at the reference wage, who never look at the image.
        selection: g: the odds of careless and spamming annotators are proportional to (wage /
            reference_wage)^-g. 0 is the null: price does not change the mix of annotators.
        reference_wage: dollars per hour at which `careless` and `spammers` hold.
        careless_guess: share of answers that a careless annotator guesses.
        spam_random: share of spammers who answer at random.
        spam_same: share of spammers who always give the same answer.
        spam_repeat: share of spammers who give one answer throughout a suite.
        spam_collude: share of spammers who all give the same made-up answer to an image.
        spam_paste: share of spammers who all paste the answers of one machine.
        machine_skill: skill of this machine, in logits. It errs as an annotator of this skill, but
            its answer to an image is always the same.
        skill_mean: mean skill theta of annotators who try, in logits.
        skill_sd: sd of skill, in logits, among annotators who want equally many suites.
        skill_by_activity: logits of skill per unit of the log number of suites wanted; the mean
            skill over all suites wanted stays `skill_mean`.
        learning: logits of skill missing in an annotator's first suite; halves with each suite.
        fatigue: logits of skill lost per suite done, at most one logit in all.
        error_a: first parameter of the Beta distribution of item error.
        error_b: second parameter of the Beta distribution of item error.
        error_scale: factor on the drawn item error.
        control_error: factor on the item error of control tasks (requesters choose clear ones).
        distractor_share: share of wrong answers that go to the item's own distractor.
        confusion: [C][C] weights of the other classes for each true class, diagonal ignored; other
            wrong answers and the distractors are drawn by them. Empty for equal weights.
        task_seconds: median seconds per task of annotators who try.
        careless_seconds: median seconds per task of careless annotators.
        spam_seconds: median seconds per task of spammers.
        seconds_between: sd of log seconds between annotators.
        seconds_within: sd of log seconds between suites of one annotator.
        slow_on_hard: relative extra time of annotators who try, per unit of item error above the
            mean.
        speed_up: share of time saved with each doubling of suites done.
        suites_median: median of the lognormal number of suites an annotator wants to do.
        suites_sd: sd of the logarithm of that number.
        skip_share: share of suites opened and handed back at once, unpaid.
        expire_share: share of suites abandoned; they expire unpaid.
        exam_pass_rates: for each exam task, share of the annotators at the exam who get it right,
            at the reference wage; empty for exam tasks as hard as control tasks.
        tested_share: share of annotators who passed the platform's language test.
        tested_odds: odds of a tested annotator being careless or a spammer, relative to the odds of
            all annotators.
        question_time: time for each further question of a task, relative to the first question.
        appeal_mean: subjective questions: mean logit of each later answer against the first.
        appeal_sd: sd of that logit between items.
        taste_sd: sd of that logit between annotators.
        return_share: chance that an earlier annotator returns when new tasks appear.
        return_minutes: mean minutes until the return (exponential).
        horizon_minutes: minutes after which an incomplete order is out of supply.
        office_people: own annotators, who do nothing else; 0 for an open crowd. They answer one
            task at a time, so "per suite" means per suite of the campaign's size here.
        office_hours: hours that they work a day.
        anchoring: share of answers that take over the prediction that is shown, unjudged.
        prelabel_time: time of a task with a prediction shown, relative to one without.
    """

    name: str
    about: str
    looks_per_minute: float
    population: int
    reservation_wage: float
    reservation_sd: float
    careless: float
    spammers: float
    selection: float
    reference_wage: float
    careless_guess: float
    spam_random: float
    spam_same: float
    spam_repeat: float
    spam_collude: float
    spam_paste: float
    machine_skill: float
    skill_mean: float
    skill_sd: float
    skill_by_activity: float
    learning: float
    fatigue: float
    error_a: float
    error_b: float
    error_scale: float
    control_error: float
    distractor_share: float
    confusion: tuple[tuple[float, ...], ...]
    task_seconds: float
    careless_seconds: float
    spam_seconds: float
    seconds_between: float
    seconds_within: float
    slow_on_hard: float
    speed_up: float
    suites_median: float
    suites_sd: float
    skip_share: float
    expire_share: float
    exam_pass_rates: tuple[float, ...]
    tested_share: float
    tested_odds: float
    question_time: float
    appeal_mean: float
    appeal_sd: float
    taste_sd: float
    return_share: float
    return_minutes: float
    horizon_minutes: float
    office_people: int
    office_hours: float
    anchoring: float
    prelabel_time: float

    def __post_init__(self) -> None:
        for key, (low, high) in _RANGES.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self._wrong(key, value, "a number")
            if not low <= value <= high:
                raise self._wrong(key, value, f"between {low:g} and {high:g}")
        if self.careless + self.spammers >= 1:
            raise self._wrong("careless", self.careless, "below 1 together with spammers")
        kinds = sum(self.spam_kinds)
        if not math.isclose(kinds, 1, abs_tol=1e-9):
            raise self._wrong(
                "spam_random", self.spam_random, f"1 with spam_*; they sum to {kinds:g}"
            )
        if self.skip_share + self.expire_share >= 1:
            raise self._wrong("skip_share", self.skip_share, "below 1 together with expire_share")
        if not all(0 <= rate <= 1 for rate in self.exam_pass_rates):
            raise self._wrong("exam_pass_rates", self.exam_pass_rates, "shares from 0 to 1")
        self._check_confusion()

    def _check_confusion(self) -> None:
        for true, row in enumerate(self.confusion):
            others = [weight for label, weight in enumerate(row) if label != true]
            bad = [weight for weight in row if not 0 <= weight < math.inf]
            if len(row) != len(self.confusion) or bad or sum(others) <= 0:
                raise self._wrong(
                    "confusion",
                    row,
                    "a square table of weights >= 0, some off the diagonal above 0",
                )

    def _wrong(self, key: str, value: object, expected: str) -> InputError:
        return InputError(f"scenario {self.name}: {key} is {value!r}; it must be {expected}")

    @property
    def spam_kinds(self) -> tuple[float, ...]:
        """Shares of the kinds of spammers, in the order of the kinds in `people`."""
        named = (self.spam_random, self.spam_same, self.spam_repeat, self.spam_collude)
        return (*named, self.spam_paste)

    @property
    def skill_of_people(self) -> tuple[float, float]:
        """Mean and sd of skill over annotators, each counted once however active."""
        by, sd = self.skill_by_activity, self.suites_sd
        # Suites wanted are lognormal: over suites, the mean of their logarithm lies sd^2 higher.
        return self.skill_mean - by * sd**2, math.hypot(self.skill_sd, by * sd)

    @property
    def key(self) -> str:
        """Content hash of all parameters, without name and description.

        A parameter of `_LATER` enters the hash only if it differs from the default scenario: a
        study begun before the parameter existed continues with the same annotators.
        """
        values = {
            k: v
            for k, v in asdict(self).items()
            if k not in ("name", "about") and v != _LATER.get(k)
        }
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def most_overlap(self, minutes: float | None) -> int:
        """The number of different annotators who may look in time; it bounds a task's answers.

        Args:
            minutes: minutes for which a pool stays open; None for no limit.
        """
        if self.office_people:
            return self.office_people
        if minutes is None:
            return self.population
        return max(1, min(self.population, math.floor(self.looks_per_minute * minutes)))


def scenario_names() -> tuple[str, ...]:
    """Names of the scenarios that come with the package, in alphabetic order."""
    folder = resources.files("labeling.crowd") / "scenarios"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[:-5] for name in names if name.endswith(".toml")))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a scenario by its name or from a TOML file.

    A file gives the parameters that differ from its `base` (another scenario's name, "default" by
    default).

    Raises:
        InputError: no such scenario or file, bad TOML, or an unknown or wrong parameter.
    """
    return _build(_values(str(name_or_path), seen=()), str(name_or_path))


def scenario_text(scenario: Scenario) -> str:
    """Differences from the default scenario, as TOML that `load_scenario` reads back."""
    default = asdict(load_scenario("default"))
    lines = [
        # JSON strings, numbers and lists are TOML; so is every escape that JSON writes.
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in asdict(scenario).items()
        if key in ("name", "about") or value != default[key]
    ]
    return "".join(lines)


def _values(name: str, seen: tuple[str, ...]) -> dict[str, Any]:
    """All parameters of a scenario, filled in from its base."""
    if name in seen:
        raise InputError(f"scenario {name}: its bases lead back to itself: {' -> '.join(seen)}")
    own = _read(name)
    if name == "default":
        return own
    base = own.pop("base", "default")
    if not isinstance(base, str):
        raise InputError(f"scenario {name}: base is {base!r}; it must be a scenario's name")
    own.setdefault("name", Path(name).stem)
    _check_keys(own, name)
    return {**_values(base, (*seen, name)), **own}


def _read(name: str) -> dict[str, Any]:
    try:
        if name in scenario_names():
            folder = resources.files("labeling.crowd") / "scenarios"
            text = (folder / f"{name}.toml").read_text(encoding="utf-8")
        else:
            text = _user_file(name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"scenario {name}: not valid TOML: {error}") from None
    except OSError as error:
        raise InputError(f"scenario {name}: cannot be read: {error.strerror}") from None
    return parse_toml(text, f"scenario {name}")


def _user_file(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    names = scenario_names()
    raise InputError(
        f"scenario {name!r}: there is no scenario and no .toml file of this name"
        f"{_nearest(name, names)}; scenarios: {', '.join(names)}"
    )


def _check_keys(values: Mapping[str, Any], name: str) -> None:
    parameters = [field.name for field in fields(Scenario)]
    for key in values:
        if key not in parameters:
            raise InputError(
                f"scenario {name}: unknown parameter {key!r}{_nearest(key, parameters)}"
            )


def _nearest(word: str, candidates: list[str] | tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""


def _build(values: dict[str, Any], name: str) -> Scenario:
    rows, rates = values.get("confusion", ()), values.get("exam_pass_rates", ())
    try:
        values["confusion"] = tuple(tuple(float(weight) for weight in row) for row in rows)
    except (TypeError, ValueError):
        raise InputError(f"scenario {name}: confusion must be a square table of weights") from None
    try:
        values["exam_pass_rates"] = tuple(float(rate) for rate in rates)
    except (TypeError, ValueError):
        raise InputError(f"scenario {name}: exam_pass_rates must be a list of shares") from None
    for key in ("name", "about"):
        if not isinstance(values[key], str):
            raise InputError(f"scenario {name}: {key} is {values[key]!r}; it must be text")
    for key in ("population", "office_people"):
        if not isinstance(values[key], int):
            raise InputError(f"scenario {name}: {key} is {values[key]!r}; whole people only")
    return Scenario(**values)

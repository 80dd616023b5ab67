"""Charts as places on a drawing: what a template needs to draw them, and nothing of the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 560, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 58
_KEYS = 30  # marks that the Tab key reaches, at most: a table below a chart has them all
_MOST_MARKS = 500  # of a series that are elements of their own
_STEPS = (1, 2, 2.5, 5, 10)
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One value.

    Attributes:
        x: across.
        y: upwards.
        tip: the value in words, shown when it is pointed at.
        low: lower end of its interval; None without one.
        high: upper end of its interval.
    """

    x: float
    y: float
    tip: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """Values that belong together.

    Attributes:
        name: in the legend.
        style: its class in the style sheet: bought, front, rule, direct, best or bad.
        points: its values.
        shape: circle, square, star, bar, or none for a line alone.
        is_line: whether a line joins its values.
    """

    name: str
    style: str
    points: Sequence[ChartPoint]
    shape: str = "circle"
    is_line: bool = False


@dataclass(frozen=True, slots=True)
class ChartAxis:
    """An axis.

    Attributes:
        name: what it shows, with its unit.
        say: a value as its tick says it.
        is_log: whether equal steps are equal factors.
        bounds: values at its ends; None to fit the points.
    """

    name: str
    say: Callable[[float], str]
    is_log: bool = False
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class DrawnMark:
    """A value's place. Attributes: as `ChartPoint`, in the drawing's units."""

    x: float
    y: float
    tip: str
    low: float | None
    high: float | None
    has_key: bool


@dataclass(frozen=True, slots=True)
class DrawnSeries:
    """A series in its place.

    Attributes:
        name: in the legend.
        style: its class in the style sheet.
        shape: of its marks.
        path: joins its values; empty without a line.
        marks: its values; empty where they are too many to be pointed at.
        dust: those values as dots of one path.
    """

    name: str
    style: str
    shape: str
    path: str
    marks: Sequence[DrawnMark]
    dust: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is ready to be drawn.

    Attributes:
        name: names it to the page and to people who do not see it.
        x_name: the axis across.
        y_name: the axis upwards.
        x_ticks: places and words.
        y_ticks: places and words.
        series: what is drawn.
        rows: every value in words, for the table below.
    """

    name: str
    x_name: str
    y_name: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    series: Sequence[DrawnSeries]
    rows: Sequence[tuple[str, str]] = field(default=())
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def draw(name: str, x: ChartAxis, y: ChartAxis, series: Sequence[ChartSeries]) -> Chart | None:
    """Place the values of some series; None where there is none.

    Args:
        name: of the chart.
        x: the axis across.
        y: the axis upwards.
        series: what to draw, the last on top.
    """
    kept = [each for each in series if each.points]
    if not kept:
        return None
    points = [point for each in kept for point in each.points]
    ends = [(p.y, p.low, p.high) for p in points]
    across = _Scale.of(x, [p.x for p in points], _LEFT, WIDTH - _RIGHT)
    heights = [value for values in ends for value in values if value is not None]
    upwards = _Scale.of(y, heights, HEIGHT - _BOTTOM, _TOP)
    return Chart(
        name,
        x.name,
        y.name,
        across.ticks(),
        upwards.ticks(),
        [_placed(each, across, upwards) for each in kept],
        [(each.name, point.tip) for each in kept for point in each.points],
    )


def _placed(series: ChartSeries, across: _Scale, upwards: _Scale) -> DrawnSeries:
    has_keys = len(series.points) <= _KEYS
    marks = [
        DrawnMark(
            across.at(p.x),
            upwards.at(p.y),
            p.tip,
            None if p.low is None else upwards.at(p.low),
            None if p.high is None else upwards.at(p.high),
            has_keys,
        )
        for p in series.points
    ]
    joined = " ".join(f"{mark.x:.1f},{mark.y:.1f}" for mark in marks) if series.is_line else ""
    if len(marks) > _MOST_MARKS:
        dust = "".join(f"M{mark.x:.1f} {mark.y:.1f}h0" for mark in marks)
        return DrawnSeries(series.name, series.style, series.shape, joined, (), dust)
    return DrawnSeries(series.name, series.style, series.shape, joined, marks)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values to places: a line from `low` at `start` to `high` at `end`, of logarithms or not."""

    axis: ChartAxis
    low: float
    high: float
    start: float
    end: float

    @staticmethod
    def of(axis: ChartAxis, values: Sequence[float], start: float, end: float) -> _Scale:
        """A scale on which all values have a place."""
        low, high = axis.bounds or (min(values), max(values))
        if axis.is_log:
            low, high = max(low, 1e-9), max(high, 1e-9)
            room = max(1.08, (high / low) ** 0.05)
            return _Scale(axis, low / room, high * room, start, end)
        if axis.bounds is None:
            room = 0.05 * (high - low) or 0.02 * abs(high) or 1.0
            is_from_0 = low == 0
            low, high = (0.0 if is_from_0 else low - room), high + room
        return _Scale(axis, low, high, start, end)

    def at(self, value: float) -> float:
        """The place of a value."""
        low, high = self.low, self.high
        if self.axis.is_log:
            value, low, high = math.log(max(value, 1e-9)), math.log(low), math.log(high)
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values and their places, at most nine."""
        values = _log_ticks(self.low, self.high) if self.axis.is_log else []
        values = values if len(values) > 1 else _even_ticks(self.low, self.high)
        return [(self.at(value), self.axis.say(value)) for value in values]


def _even_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * each for each in _STEPS if unit * each >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [round((first + at) * step, 10) for at in range(count)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round values by factors; of many decades every second, third and so on."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = math.ceil(len(decades) / _MOST_TICKS)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        values = [step * 10.0**decade for decade in decades[::every] for step in steps]
        inside = [value for value in values if low <= value <= high]
        if len(inside) <= _MOST_TICKS:
            break
    return inside

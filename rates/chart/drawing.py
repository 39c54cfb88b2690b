"""Where the marks of a chart go, in units that scale: days across, hundredths of the height down."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from math import ceil, floor, log10
from typing import NamedTuple

HEIGHT = 100
INTERVALS = 4  # about; between lines of the scale
LABELLED_DAYS = 6  # at most


class ChartDay(NamedTuple):
    """Attributes: average: in USD; None on a thin day. prices: how many there are."""

    day: date
    average: int | None
    prices: int


class Tick(NamedTuple):
    """A line of a scale. Attributes: at: from the top or left, in percent."""

    at: str
    label: str


class Bar(NamedTuple):
    """The prices of a day. Attributes: x: day, from 0; y, height: in hundredths."""

    x: int
    y: str
    height: str
    is_thin: bool


class Drawing(NamedTuple):
    """Attributes: line: of the averages, broken at thin days; dots: days between two of those, where no line is."""

    width: int
    line: str
    dots: str
    price_ticks: list[Tick]
    count_ticks: list[Tick]
    day_ticks: list[Tick]
    bars: list[Bar]


def draw(days: Sequence[ChartDay]) -> Drawing:
    """Args: days: at least one, in order."""
    averages = [day.average for day in days if day.average is not None]
    prices = _scale(min(averages, default=0), max(averages, default=0))
    counts = _scale(0, max(day.prices for day in days))
    runs = _runs(days, prices)
    return Drawing(
        width=len(days),
        line=" ".join(f"M{run[0]} " + " ".join(f"L{point}" for point in run[1:]) for run in runs if len(run) > 1),
        dots=" ".join(f"M{run[0]} h0" for run in runs if len(run) == 1),
        price_ticks=_ticks(prices) if averages else [],
        count_ticks=_ticks(counts[:1] + counts[-1:]),
        day_ticks=_day_ticks(days),
        bars=[_bar(number, day, counts) for number, day in enumerate(days) if day.prices],
    )


def _scale(lowest: int, highest: int) -> list[int]:
    """Round numbers at equal distances, from one at or below ``lowest`` to one at or above ``highest``."""
    step = _round_step(max(highest - lowest, 1) / INTERVALS)
    first, last = floor(lowest / step), ceil(highest / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _round_step(least: float) -> int:
    """The first of 1, 2, 5, 10, 20... that is not less."""
    power = 10 ** max(floor(log10(least)), 0)
    return int(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least))


def _runs(days: Sequence[ChartDay], scale: Sequence[int]) -> list[list[str]]:
    """The points of each run of days with an average."""
    runs = groupby(enumerate(days), key=lambda numbered: numbered[1].average is not None)
    return [[_point(number, day, scale) for number, day in run] for has_average, run in runs if has_average]


def _point(number: int, day: ChartDay, scale: Sequence[int]) -> str:
    return f"{number + 0.5} {_down(day.average or 0, scale)}"


def _down(value: int, scale: Sequence[int]) -> str:
    """How far from the top, in hundredths."""
    return f"{HEIGHT * (scale[-1] - value) / (scale[-1] - scale[0]):.2f}"


def _bar(number: int, day: ChartDay, scale: Sequence[int]) -> Bar:
    top = _down(day.prices, scale)
    return Bar(number, top, f"{HEIGHT - float(top):.2f}", day.average is None)


def _ticks(scale: Sequence[int]) -> list[Tick]:
    return [Tick(f"{_down(value, scale)}%", f"{value:,}") for value in scale]


def _day_ticks(days: Sequence[ChartDay]) -> list[Tick]:
    distance = ceil(len(days) / LABELLED_DAYS)
    numbers = range(0, len(days), distance)
    return [Tick(f"{100 * (number + 0.5) / len(days):.2f}%", str(days[number].day)) for number in numbers]

"""Where the marks of a chart go."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rates.chart.drawing import ChartDay, draw

FIRST = date(2026, 1, 1)
Said = tuple[int | None, int]


def days(*said: Said) -> list[ChartDay]:
    """Average and number of prices of each day."""
    return [ChartDay(FIRST + timedelta(number), *each) for number, each in enumerate(said)]


def test_line_is_broken_at_thin_days_and_a_lone_day_is_a_dot() -> None:
    drawing = draw(days((100, 3), (200, 3), (None, 2), (150, 3), (None, 0), (100, 3), (200, 3)))
    assert drawing.line == "M0.5 100.00 L1.5 0.00 M5.5 100.00 L6.5 0.00"
    assert drawing.dots == "M3.5 50.00 h0"
    assert drawing.width == 7


def test_bars_tell_thin_days_and_leave_empty_ones_out() -> None:
    bars = draw(days((100, 4), (None, 2), (None, 0))).bars
    assert [(bar.x, bar.y, bar.height, bar.is_thin) for bar in bars] == [
        (0, "0.00", "100.00", False),
        (1, "50.00", "50.00", True),
    ]


@pytest.mark.parametrize(
    ("averages", "labels"),
    [
        ((1_010, 1_990), ["2,000", "1,500", "1,000"]),
        ((0, 4), ["4", "3", "2", "1", "0"]),
        ((7, 7), ["8", "7"]),
        ((123_456, 987_654), ["1,000,000", "500,000", "0"]),
    ],
)
def test_scale_has_round_numbers(averages: tuple[int, int], labels: list[str]) -> None:
    ticks = draw(days(*((average, 3) for average in averages))).price_ticks
    assert [tick.label for tick in reversed(ticks)] == labels
    assert (ticks[0].at, ticks[-1].at) == ("100.00%", "0.00%")


def test_days_without_any_average_have_no_scale_of_prices() -> None:
    drawing = draw(days((None, 1), (None, 2)))
    assert (drawing.line, drawing.dots, drawing.price_ticks) == ("", "", [])


@pytest.mark.parametrize("count", [1, 2, 6, 7, 90, 365, 3_653])
def test_at_most_six_days_are_labelled(count: int) -> None:
    ticks = draw(days(*[(1, 1)] * count)).day_ticks
    assert 1 <= len(ticks) <= 6
    assert ticks[0].label == "2026-01-01"


@given(st.lists(st.tuples(st.none() | st.integers(0, 10**10), st.integers(0, 10**9)), min_size=1, max_size=40))
def test_every_mark_is_inside(said: list[Said]) -> None:
    drawing = draw(days(*said))
    path = f"{drawing.line} {drawing.dots}"
    numbers = [float(word.strip("MLh")) for word in path.split() if word != "h0"]
    assert all(0 <= number <= max(100, len(said)) for number in numbers)
    assert all(0 <= float(bar.y) <= 100 and 0 <= float(bar.height) <= 100 for bar in drawing.bars)
    assert path.count("L") + path.count("M") == sum(average is not None for average, _ in said)
    assert len(drawing.price_ticks) <= 7

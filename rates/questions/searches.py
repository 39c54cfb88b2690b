"""One question while its days are looked for: which lane is read next, what was found, and where that ends."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from common.errors import FloodgateError
from rates.errors import QueryTooLarge, TooManyPrices
from rates.types import STATS, DayRate, Lane, Place, RatesAnswer, RatesQuery

# Rollups, were each pair of regions to have prices each day: about a second.
CELLS_MAX = 2_000_000
PRICES_MAX = 200_000  # sorted for statistics


class Search:
    """Args: origins, destinations: the places that were asked for, and those to fall back to, in order.

    Attributes: lane: what is read now.
    """

    lane: Lane

    def __init__(self, query: RatesQuery, origins: Sequence[Place], destinations: Sequence[Place]) -> None:
        self.query = query
        self._origins, self._destinations = origins, destinations
        self._sorts = bool(set(query.stats) - {"count"})  # rollups know that one
        self._days_asked = (query.date_to - query.date_from).days + 1
        self._found: dict[date, DayRate] = {}
        self._counts: dict[date, int] | None = None  # of what was asked for, once that is read
        self._fresh: dict[date, DayRate] = {}
        self._refusal: FloodgateError | None = None

    def goes_to(self, step: int) -> bool:
        """Whether this step may find days; makes its lane the current one. Too large a question is refused."""
        if self._refusal or len(self._found) == self._days_asked:
            return False
        if step == max(len(self._origins), len(self._destinations)):
            return False
        # Both sides go up together; the one that is at the top first waits there.
        self.lane = Lane(self._origins[: step + 1][-1], self._destinations[: step + 1][-1])
        pairs = self.lane.origin.regions * self.lane.destination.regions
        if pairs * self._days_asked > CELLS_MAX:
            self._refusal = QueryTooLarge(pairs, self._days_asked)
        return self._refusal is None

    def take_averages(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows: day, average and number of prices of the current lane."""
        counts = {}
        self._fresh = {}
        for day, average, count in rows:
            counts[day] = count
            if count >= self.query.min_prices and day not in self._found:
                self._fresh[day] = DayRate(day, average, self._counted(count), self.lane)
        if self._counts is None:
            self._counts = counts
        self._found |= self._fresh
        if self._sorts and self._fresh and sum(counts.values()) > PRICES_MAX:
            self._refusal = TooManyPrices(sum(counts.values()), PRICES_MAX)

    def reads_prices(self) -> bool:
        return bool(self._sorts and self._fresh and self._refusal is None)

    def take_statistics(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows: day and STATS of the current lane."""
        for day, *values in rows:
            if day in self._fresh:
                self._found[day] = self._fresh[day]._replace(stats=self._chosen(values))

    def refuse(self, error: FloodgateError) -> None:
        """Instead of an answer that is not complete."""
        self._refusal = error

    def outcome(self, version: int) -> RatesAnswer | FloodgateError:
        if self._refusal:
            return self._refusal
        days = (self.query.date_from + timedelta(days=number) for number in range(self._days_asked))
        return RatesAnswer(version, [self._found.get(day) or self._thin(day) for day in days])

    def _thin(self, day: date) -> DayRate:
        return DayRate(day, stats=self._counted((self._counts or {}).get(day, 0)))

    def _counted(self, count: int) -> tuple[Decimal | int | None, ...]:
        return self._chosen([count, *[None] * (len(STATS) - 1)])

    def _chosen(self, values: Sequence[Decimal | int | None]) -> tuple[Decimal | int | None, ...]:
        by_name = dict(zip(STATS, values, strict=True))
        return tuple(by_name[name] for name in self.query.stats)

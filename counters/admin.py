"""People's door: counters by key with what is pending, and the flushes of a day."""

from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from common.text.uuids import HYPHENATED_UUID
from counters.models import Counter, Flush
from counters.selectors import read_counters
from counters.types import CounterValue
from gateway.batching.batches import run_batch
from gateway.views.readonlyadmin import ReadOnlyAdmin


class CounterChangeList(ChangeList):  # type: ignore[misc]
    """Asks the buffer for a whole page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: list[Counter] = _with_pending(list(self.result_list))


def _with_pending(counters: list[Counter]) -> list[Counter]:
    """Each with its exact value, or without one while a store is away."""
    values = run_batch(read_counters, [counter.key for counter in counters]) if counters else []
    for counter, value in zip(counters, values, strict=True):
        counter.exact = value if isinstance(value, CounterValue) else None  # type: ignore[attr-defined]
    return counters


@admin.register(Counter)
class CounterAdmin(ReadOnlyAdmin):
    """Counters can be many millions, so nothing here counts them."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_display = ["key", "exact_value", "pending", "persisted", "updated_at"]
    search_fields = ["key"]
    search_help_text = "The whole key"
    ordering = ["key"]
    sortable_by = ["key"]
    fields = readonly_fields = ["key", "exact_value", "pending", "persisted", "updated_at"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CounterChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Counter | None:
        found = super().get_object(request, object_id, from_field)
        return _with_pending([found])[0] if found else None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Counter], search_term: str
    ) -> tuple[QuerySet[Counter], bool]:
        """By whole keys only, which the primary key finds."""
        if not search_term:
            return queryset, False
        keys = [UUID(word) for word in search_term.split() if HYPHENATED_UUID.fullmatch(word)]
        return queryset.filter(pk__in=keys), False

    @display(description="value")  # type: ignore[untyped-decorator]
    def exact_value(self, counter: Counter) -> str:
        return _shown(counter, "value")

    @display(description="of it pending")  # type: ignore[untyped-decorator]
    def pending(self, counter: Counter) -> str:
        return _shown(counter, "pending")

    @display(description="in the database")  # type: ignore[untyped-decorator]
    def persisted(self, counter: Counter) -> str:
        return f"{counter.value:,}"


def _shown(counter: Counter, part: str) -> str:
    exact = cast("CounterValue | None", counter.exact)  # type: ignore[attr-defined]
    return f"{getattr(exact, part):,}" if exact else "unknown: the buffer does not answer"


@admin.register(Flush)
class FlushAdmin(ReadOnlyAdmin):
    """A busy day has 350,000 of them."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_display = ["started", "shard", "keys", "seconds", "generation"]
    sortable_by = ["started"]
    fields = readonly_fields = ["generation", "shard", "keys", "done_through_key", "started_at", "finished_at"]

    @display(description="started", ordering="started_at")  # type: ignore[untyped-decorator]
    def started(self, flush: Flush) -> str:
        return f"{flush.started_at:%Y-%m-%d %H:%M:%S}"

    @display(description="seconds")  # type: ignore[untyped-decorator]
    def seconds(self, flush: Flush) -> str:
        if flush.finished_at is None:
            return "not finished"
        return f"{(flush.finished_at - flush.started_at).total_seconds():.2f}"

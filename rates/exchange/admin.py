"""People's door to exchange rates: what conversions read, what was kept out, and what providers were asked for.

Only the system writes these rows. What people may do is believe a rate that the outlier filter kept out.
"""

import re
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.paginator import InfinitePaginator

from common.errors import FloodgateError
from gateway.views.readonlyadmin import ReadOnlyAdmin, after_dialog, dialog_action
from rates.exchange.storing import accept_outlier
from rates.models import DoubtfulRate, ExchangeRate, RateFetch

_CODE = re.compile(r"[A-Za-z]{3}", re.ASCII)


class RateAdmin(ReadOnlyAdmin):
    """Rates are found by currency, day or both, and sorted by their keys only: there are 220,000 on the first day."""

    paginator = InfinitePaginator
    show_full_result_count = False
    search_fields = ["currency"]
    search_help_text = "A currency, a day or both: EUR 2026-10-30"
    sortable_by: list[str] = []

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.split():
            queryset = _narrowed(queryset, word)
        return queryset, False

    @display(description="USD for one unit")  # type: ignore[untyped-decorator]
    def usd(self, row: ExchangeRate | DoubtfulRate) -> str:
        return f"{row.usd_per_unit.normalize():f}"


def _narrowed(queryset: QuerySet[Any], word: str) -> QuerySet[Any]:
    if _CODE.fullmatch(word):
        return queryset.filter(currency=word.upper())
    try:
        return queryset.filter(rate_on=date.fromisoformat(word))
    except ValueError:
        return queryset.none()


@admin.register(ExchangeRate)
class ExchangeRateAdmin(RateAdmin):
    list_display = ["currency", "rate_on", "usd", "provider", "stored_at"]
    ordering = ["-id"]
    fields = readonly_fields = list_display


@admin.register(DoubtfulRate)
class DoubtfulRateAdmin(RateAdmin):
    list_display = ["currency", "rate_on", "usd", "provider", "reason", "seen_at"]
    ordering = ["-id"]
    fields = readonly_fields = list_display
    actions_detail = ["accept"]

    @dialog_action(
        "Believe this rate",
        title="Believe this rate?",
        description="Prices from now on are converted with it, and later rates in doubt are compared with it. "
        "Prices that were converted before stay as they are.",
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def accept(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        row = DoubtfulRate.objects.filter(pk=object_id).first()
        try:
            report = accept_outlier(int(object_id))
        except FloodgateError as error:
            messages.error(request, error.detail)
        else:
            if row:
                self.log_change(request, row, f"Believed {row.usd_per_unit.normalize():f}.")
            messages.success(request, f"Rates stored: {report.stored:,}; still in doubt: {len(report.outliers):,}.")
        return after_dialog(request, reverse("admin:rates_doubtfulrate_changelist"))


@admin.register(RateFetch)
class RateFetchAdmin(ReadOnlyAdmin):
    list_display = ["provider", "rate_on", "is_done", "attempts", "last_error", "due_at", "fetched_at"]
    ordering = ["-rate_on"]
    sortable_by: list[str] = []
    fields = readonly_fields = list_display

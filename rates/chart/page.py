"""The page: which lane and days, the chart, what it shows in words, and its figures as a table."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from common.errors import FieldError, FloodgateError, InvalidInput
from gateway.batching.batches import run_batch
from rates.chart.drawing import ChartDay, draw
from rates.errors import PlaceNotFound
from rates.models import Port, Region
from rates.parsing import MIN_PRICES_DEFAULT, MIN_PRICES_MAX, check_range, place
from rates.questions.averages import read_rates
from rates.types import RatesAnswer, RatesQuery

FIRST_DAYS = 90
OFFERED_PLACES = 500  # ports, and as many regions
TOLD_DAYS = 400  # of a longer range a day is too narrow to point at


class PlaceField(forms.CharField):
    def __init__(self, label: str) -> None:
        attributes = {"list": "places", "autocomplete": "off", "spellcheck": "false", "maxlength": "100"}
        super().__init__(
            label=label, help_text="Port code or region slug", widget=UnfoldAdminTextInputWidget(attributes)
        )

    def clean(self, value: Any) -> str:
        try:
            return place(super().clean(value))
        except ValueError as exc:
            raise forms.ValidationError(str(exc)) from exc


class DayField(forms.DateField):
    def __init__(self, label: str) -> None:
        super().__init__(label=label, input_formats=["%Y-%m-%d"], widget=UnfoldAdminTextInputWidget({"type": "date"}))


class LaneForm(forms.Form):
    origin = PlaceField("Origin")
    destination = PlaceField("Destination")
    date_from = DayField("First day")
    date_to = DayField("Last day")
    min_prices = forms.IntegerField(
        label="Least prices",
        help_text="Fewer make no average",
        required=False,
        min_value=1,
        max_value=MIN_PRICES_MAX,
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        if fields.get("date_from") and fields.get("date_to"):
            try:
                check_range(fields["date_from"], fields["date_to"])
            except InvalidInput as error:
                self.take(error.errors)
        return fields

    def take(self, errors: Sequence[FieldError]) -> None:
        for error in errors:
            self.add_error(error.field, error.detail)


def lane_chart(request: HttpRequest) -> TemplateResponse:
    """``?origin&destination[&date_from&date_to&min_prices]``; without a place an empty form."""
    if not request.user.has_perm("rates.view_price"):
        raise PermissionDenied
    form = _form(request.GET)
    context = {**admin.site.each_context(request), "title": "Chart of a lane", "form": form, "places": _places()}
    if form.is_valid():
        context |= _shown(form)
    return TemplateResponse(request, "admin/rates/chart.html", context)


def _form(given: QueryDict) -> LaneForm:
    """Without a place an empty one; what a question leaves out is as in the empty one."""
    today = timezone.now().date()
    usual = {"date_from": str(today - timedelta(FIRST_DAYS - 1)), "date_to": str(today)}
    usual["min_prices"] = str(MIN_PRICES_DEFAULT)
    if not {"origin", "destination"} & given.keys():
        return LaneForm(initial=usual)
    return LaneForm(usual | {name: value for name, value in given.items() if value})


def _places() -> list[str]:
    """What the form offers to complete."""
    ports = Port.objects.order_by("code").values_list("code", flat=True)[:OFFERED_PLACES]
    return [*ports, *Region.objects.order_by("slug").values_list("slug", flat=True)[:OFFERED_PLACES]]


def _shown(form: LaneForm) -> dict[str, Any]:
    """The chart, or why there is none."""
    query = RatesQuery(**form.cleaned_data, stats=("count",))
    (answer,) = run_batch(read_rates, [query])
    if isinstance(answer, PlaceNotFound):
        form.take(answer.errors)
        return {}
    if isinstance(answer, FloodgateError):
        return {"sentence": answer.detail}
    days = _days(cast(RatesAnswer, answer))
    if not any(day.prices for day in days):
        return {"sentence": f"There are no prices from {query.origin} to {query.destination} on these days."}
    return {
        "query": query,
        "days": days,
        "drawing": draw(days),
        "told_days": days if len(days) <= TOLD_DAYS else [],
        "summary": summary(query, days),
    }


def _days(answer: RatesAnswer) -> list[ChartDay]:
    return [ChartDay(rate.day, rate.average, int(rate.stats[0] or 0)) for rate in answer.days or ()]


def summary(query: RatesQuery, days: Sequence[ChartDay]) -> str:
    """What the chart shows, in words."""
    averages = [day.average for day in days if day.average is not None]
    span = f", from {min(averages):,} to {max(averages):,} USD" if averages else ""
    thin = sum(1 for day in days if day.average is None and day.prices)
    empty = sum(1 for day in days if not day.prices)
    return (
        f"{len(averages):,} of {len(days):,} days have an average{span}. "
        f"Days with fewer than {query.min_prices:,} prices: {thin:,}; without any: {empty:,}. "
        f"Prices in all: {sum(day.prices for day in days):,}."
    )

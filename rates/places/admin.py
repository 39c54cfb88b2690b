"""People's door to regions, as the tree that they are, to ports and to prices.

Triggers keep closure and rollups whoever writes, so these pages save rows as Django does; what the database refuses is
told in words.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db import IntegrityError
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from gateway.views.strictadmin import StrictAdmin
from rates.models import NO_CYCLE, PORT_HAS_PRICES, Port, Price, Region, RegionClosure
from rates.parsing import day, port_code
from rates.prices.services import delete_prices

UNDER_ITSELF = "A region cannot be under itself."
REFUSALS = {NO_CYCLE: UNDER_ITSELF, PORT_HAS_PRICES: "A port with prices stays; delete its prices first."}


class ToldAdmin(StrictAdmin, ModelAdmin):  # type: ignore[misc]
    """What the database refuses comes back as a message, with nothing changed."""

    list_filter_sheet = False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _told(request, lambda: super(ToldAdmin, self).changeform_view(request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _told(request, lambda: super(ToldAdmin, self).delete_view(request, *args, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _told(request, lambda: super(ToldAdmin, self).changelist_view(request, *args, **kwargs))


def _told(request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return view()
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        messages.error(request, REFUSALS.get(constraint or "", "Others changed this meanwhile; nothing was done."))
        return HttpResponseRedirect(request.path)


class RegionForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Region
        fields = ["slug", "name", "parent"]

    def clean_parent(self) -> Region | None:
        parent: Region | None = self.cleaned_data["parent"]
        under = RegionClosure.objects.filter(ancestor_id=self.instance.pk, descendant_id=parent.pk) if parent else None
        if self.instance.pk and under is not None and under.exists():
            raise forms.ValidationError(UNDER_ITSELF)
        return parent


@admin.register(Region)
class RegionAdmin(ToldAdmin):
    """All regions on few pages, each under its parent."""

    form = RegionForm
    list_display = ["branch", "name", "port_count"]
    list_per_page = 500
    sortable_by: list[str] = []
    search_fields = ["slug", "name"]
    autocomplete_fields = ["parent"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Region]:
        above = RegionClosure.objects.filter(descendant=OuterRef("pk")).order_by("-depth").values("ancestor__slug")
        ports = Port.objects.filter(region=OuterRef("pk")).values("code")
        found: QuerySet[Region] = super().get_queryset(request)
        return found.annotate(path=ArraySubquery(above), codes=ArraySubquery(ports)).order_by("path")

    @display(description="region")  # type: ignore[untyped-decorator]
    def branch(self, region: Any) -> SafeString:
        return format_html('<span style="padding-left: {}rem">{}</span>', 1.5 * (len(region.path) - 1), region.slug)

    @display(description="ports")  # type: ignore[untyped-decorator]
    def port_count(self, region: Any) -> str:
        return f"{len(region.codes):,}"


@admin.register(Port)
class PortAdmin(ToldAdmin):
    list_display = ["code", "name", "region"]
    list_select_related = ["region"]
    ordering = ["code"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["region"]
    fields = ["code", "name", "region"]


@admin.register(Price)
class PriceAdmin(ToldAdmin):
    """There may be many millions, so nothing here counts them. A price is added or deleted, and never changed."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_display = ["id", "origin", "destination", "day", "price_usd", "original_amount", "original_currency"]
    list_select_related = ["origin", "destination"]
    ordering = ["-id"]
    sortable_by: list[str] = []
    search_fields = ["origin"]
    search_help_text = "Codes of origin and destination, and a day: CNSGH FRLEH 2026-11-21"
    autocomplete_fields = ["origin", "destination"]
    fields = ["origin", "destination", "day", "price_usd"]
    provenance = ["original_amount", "original_currency", "exchange_rate", "rate_on", "provider"]
    batch = ["batch_id", "batch_row"]

    def get_fields(self, request: HttpRequest, obj: Price | None = None) -> list[str]:
        return self.fields if obj is None else [*self.fields, *self.provenance, *self.batch]

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: Price) -> None:
        delete_prices([obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Price]) -> None:
        delete_prices(list(queryset.values_list("pk", flat=True)))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Price], search_term: str
    ) -> tuple[QuerySet[Price], bool]:
        """By whole values only, which the index finds."""
        return (_lane(queryset, search_term.split()), False) if search_term.strip() else (queryset, False)


_LANE: list[tuple[str, Callable[[Any], Any]]] = [
    ("origin__code", port_code),
    ("destination__code", port_code),
    ("day", day),
]


def _lane(prices: QuerySet[Price], words: list[str]) -> QuerySet[Price]:
    """Prices of an origin, a destination and a day; the later ones may be missing."""
    if len(words) > len(_LANE):
        return prices.none()
    try:
        wanted = {name: read(word) for (name, read), word in zip(_LANE, words, strict=False)}
    except ValueError:
        return prices.none()
    return prices.filter(**wanted).order_by("origin", "destination", "day", "id")

"""People's door: imports with progress and rejects, versions with "make live", promotions by id.

Only the system writes these rows, so all is read-only but two actions, which call the services that the API calls.
They change things by POST after a question; unfold's plain row actions would do so by GET.
"""

import json
import re
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextInputWidget

from common.errors import FloodgateError
from gateway.batching.batches import run_batch
from gateway.views.readonlyadmin import ReadOnlyAdmin, after_dialog, dialog_action
from promotions.api import RejectsView
from promotions.imports.cancelling import can_cancel, cancel_import
from promotions.imports.progress import imports_progress
from promotions.imports.rejects import REJECTS_KEPT
from promotions.models import ACTIVE, Import, ImportStatus, Publication, Reject, Version
from promotions.rows.rowtext import Reason
from promotions.serving.selectors import find_promotions
from promotions.types import Found, ImportProgress
from promotions.versions.publishing import activate_version

STATUS_COLOURS = {
    ImportStatus.PUBLISHED: "success",
    ImportStatus.QUARANTINED: "warning",
    ImportStatus.FAILED: "danger",
    ImportStatus.SUPERSEDED: "default",
    ImportStatus.CANCELLED: "default",
    **dict.fromkeys(ACTIVE, "info"),
}
_IMPORT_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
LINK_CLASSES = "text-primary-600 dark:text-primary-500 underline"


class ImportChangeList(ChangeList):  # type: ignore[misc]
    """Knows the progress of a whole page of imports from two queries."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: list[Import] = _with_progress(list(self.result_list))


def _with_progress(imports: list[Import]) -> list[Import]:
    for import_, progress in zip(imports, imports_progress(imports), strict=True):
        import_.progress = progress  # type: ignore[attr-defined]
    return imports


def _progress(import_: Import) -> ImportProgress:
    return cast(ImportProgress, import_.progress)  # type: ignore[attr-defined]


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    list_display = ["id", "source", "outcome", "progress_bar", "loaded", "rejected", "submitted"]
    list_display_links = ["id", "source"]
    list_filter = [("status", admin.ChoicesFieldListFilter)]
    search_fields = ["source", "sha256"]
    search_help_text = "File name or sha256"
    actions_row = ["cancel"]
    actions_detail = ["cancel"]
    fieldsets = [
        ("Where it stands", {"fields": ["state", "progress_bar", "speed", "error", "attempts"]}),
        ("Rows", {"fields": ["lines", "loaded", "rejected", "duplicate", "blank", "reasons", "rejects"]}),
        ("Source", {"fields": ["source", "path", "size", "sha256", "correlation_id"]}),
        ("When", {"fields": ["created_at", "started_at", "finished_at"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        rejects = self.admin_site.admin_view(self.rejects_view)
        return [path("<int:import_id>/rejects.csv", rejects, name="promotions_import_rejects"), *super().get_urls()]

    def rejects_view(self, request: HttpRequest, import_id: int) -> HttpResponseBase:
        """As the API gives it; a link has no API key, but the session of who follows it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return RejectsView.as_view()(request, import_id=import_id)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ImportChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Import | None:
        import_ = super().get_object(request, object_id, from_field)
        return _with_progress([import_])[0] if import_ else None

    def get_readonly_fields(self, request: HttpRequest, obj: Import | None = None) -> list[str]:
        return [name for _, options in self.fieldsets for name in options["fields"]]

    def takes_actions(self, row: Import) -> bool:
        return can_cancel(row.pk)

    @display(description="status", ordering="status")  # type: ignore[untyped-decorator]
    def state(self, import_: Import) -> SafeString:
        return _badge(import_.status, STATUS_COLOURS[ImportStatus(import_.status)])

    @display(description="status", ordering="status")  # type: ignore[untyped-decorator]
    def outcome(self, import_: Import) -> SafeString:
        error = (
            format_html('<div title="{}">{}</div>', import_.error, _shortened(import_.error, 120))
            if import_.error
            else ""
        )
        return format_html('<div style="max-width: 20rem">{}{}</div>', self.state(import_), error)

    @display(description="progress")  # type: ignore[untyped-decorator]
    def progress_bar(self, import_: Import) -> SafeString:
        progress = _progress(import_)
        percent = 100 * progress.bytes_done // progress.bytes_total if progress.bytes_total else 0
        return format_html(
            '<div class="flex items-center gap-2 w-40"><div class="bg-base-200 grow overflow-hidden rounded-default'
            ' dark:bg-base-700" role="progressbar" aria-valuenow="{0}" aria-valuemin="0" aria-valuemax="100">'
            '<div class="bg-primary-600 h-1.5 rounded-default dark:bg-primary-500" style="width: {0}%"></div></div>'
            '<span class="whitespace-nowrap">{0} %</span></div>',
            percent,
        )

    @display(description="speed")  # type: ignore[untyped-decorator]
    def speed(self, import_: Import) -> str:
        progress = _progress(import_)
        speed = f"{progress.rows_per_second:,} rows/s" if progress.rows_per_second else "-"
        return speed if progress.eta_seconds is None else f"{speed}, loaded in about {progress.eta_seconds} s"

    @display(description="in the file")  # type: ignore[untyped-decorator]
    def lines(self, import_: Import) -> str:
        return f"{import_.line_count:,}"

    @display(description="loaded")  # type: ignore[untyped-decorator]
    def loaded(self, import_: Import) -> str:
        return f"{_progress(import_).rows_loaded:,}"

    @display(description="rejected")  # type: ignore[untyped-decorator]
    def rejected(self, import_: Import) -> SafeString:
        return _rejects_link(import_, f"{_progress(import_).rows_rejected:,}")

    @display(description="duplicate")  # type: ignore[untyped-decorator]
    def duplicate(self, import_: Import) -> SafeString:
        return _rejects_link(import_, f"{import_.rows_duplicate:,}", reason="duplicate_id")

    @display(description="blank")  # type: ignore[untyped-decorator]
    def blank(self, import_: Import) -> str:
        return f"{_progress(import_).rows_blank:,}"

    @display(description="why rows were rejected")  # type: ignore[untyped-decorator]
    def reasons(self, import_: Import) -> SafeString | str:
        reasons = sorted(_progress(import_).reject_reasons.items(), key=lambda pair: -pair[1])
        items = ((_rejects_link(import_, reason, reason=reason), f"{count:,}") for reason, count in reasons)
        return format_html_join("", "<div>{}: {}</div>", items) or "-"

    @display(description="rejects")  # type: ignore[untyped-decorator]
    def rejects(self, import_: Import) -> SafeString:
        return format_html(
            '{} &nbsp; <a class="{}" href="{}" download>Download as CSV</a>',
            _rejects_link(import_, "Show"),
            LINK_CLASSES,
            reverse("admin:promotions_import_rejects", args=[import_.pk]),
        )

    @display(description="size")  # type: ignore[untyped-decorator]
    def size(self, import_: Import) -> str:
        return filesizeformat(import_.bytes_total)

    @display(description="submitted", ordering="id")  # type: ignore[untyped-decorator]
    def submitted(self, import_: Import) -> SafeString:
        return format_html('<span class="whitespace-nowrap">{}</span>', f"{import_.created_at:%Y-%m-%d %H:%M:%S}")

    @dialog_action(
        "Cancel the import",
        title="Cancel this import?",
        description="What it has loaded is dropped. What is served now stays.",
        icon="cancel",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        try:
            cancelled = cancel_import(int(object_id))
        except FloodgateError as error:
            messages.error(request, error.detail)
        else:
            self.log_change(request, cancelled, "Cancelled.")
            messages.success(request, f"Import {object_id} is cancelled.")
        return after_dialog(request, reverse("admin:promotions_import_changelist"))


def _badge(text: str, colour: str) -> SafeString:
    return render_to_string("unfold/helpers/label.html", {"text": text, "variant": colour})


def _rejects_link(import_: Import, text: str, *, reason: str = "") -> SafeString:
    address = f"{reverse('admin:promotions_reject_changelist')}?source_import={import_.pk}"
    return format_html(
        '<a class="{}" href="{}">{}</a>', LINK_CLASSES, address + f"&reason={reason}" * bool(reason), text
    )


def _shortened(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


class ReasonFilter(admin.SimpleListFilter):
    """The known reasons; asking the table for its distinct ones would read all of it."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(reason, reason) for reason in (*Reason, "duplicate_id")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reject]) -> QuerySet[Reject]:
        return queryset.filter(reason=self.value()) if self.value() else queryset


@admin.register(Reject)
class RejectAdmin(ReadOnlyAdmin):
    """Rejects of one import: up to 100,000, and of all imports millions, so nothing here counts them."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    list_display = ["line", "column", "reason", "detail", "raw_text", "kept_line"]
    list_filter = [ReasonFilter]
    search_fields = ["line__exact", "raw", "detail"]
    search_help_text = "Line number, or text of the row"
    list_before_template = "admin/promotions/rejects_header.html"
    list_fullwidth = True
    ordering = ["line"]
    sortable_by = ["line"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False  # one comes here from an import

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return (lookup == "source_import" and value.isdecimal()) or super().lookup_allowed(lookup, value, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        import_id = request.GET.get("source_import", "")
        import_ = Import.objects.filter(pk=int(import_id)).first() if _IMPORT_ID.fullmatch(import_id) else None
        if import_ is None:
            messages.info(request, "Choose an import to see its rejects.")
            return redirect("admin:promotions_import_changelist")
        context = {"title": f"Rejects of import {import_.pk}", "import": import_, "summary": _reject_summary(import_)}
        return cast(HttpResponse, super().changelist_view(request, {**(extra_context or {}), **context}))

    @display(description="row")  # type: ignore[untyped-decorator]
    def raw_text(self, reject: Reject) -> SafeString:
        return format_html('<code title="{}">{}</code>', reject.raw, _shortened(reject.raw, 100))


def _reject_summary(import_: Import) -> str:
    rejected = imports_progress([import_])[0].rows_rejected
    kept = f" (the first {REJECTS_KEPT:,} are kept)" if rejected > REJECTS_KEPT else ""
    return f"{rejected:,} rejected{kept}, {import_.rows_duplicate:,} duplicate"


class PublicationInline(TabularInline):  # type: ignore[misc]
    """When the version was made live."""

    model = Publication
    fields = readonly_fields = ["number", "decided_at", "delivered_at"]
    can_delete = False
    extra = 0
    hide_title = True

    @display(description="epoch")  # type: ignore[untyped-decorator]
    def number(self, publication: Publication) -> int:
        return publication.epoch  # a primary key is not shown by itself

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Version)
class VersionAdmin(ReadOnlyAdmin):
    list_display = ["number", "state", "rows", "source_import", "created_at", "retired_at", "dropped_at"]
    list_select_related = ["source_import"]
    actions_row = ["make_live"]
    actions_detail = ["make_live"]
    inlines = [PublicationInline]
    fields = ["number", "state", "rows", "table_count", "source_import", "created_at", "retired_at", "dropped_at"]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        undelivered = Publication.objects.filter(version=OuterRef("pk"), delivered_at=None)
        return cast("QuerySet[Version]", super().get_queryset(request).annotate(is_undelivered=Exists(undelivered)))

    def get_urls(self) -> list[URLPattern]:
        find = path("find/", self.admin_site.admin_view(self.find_view), name="promotions_find")
        return [find, *super().get_urls()]

    def takes_actions(self, row: Version) -> bool:
        return row.dropped_at is None and row.retired_at is not None

    @display(description="state")  # type: ignore[untyped-decorator]
    def state(self, version: Version) -> SafeString:
        if version.dropped_at:
            return _badge("dropped", "warning")
        if version.retired_at:
            return _badge("kept", "default")
        is_undelivered = version.is_undelivered  # type: ignore[attr-defined]
        return _badge("being published", "info") if is_undelivered else _badge("live", "success")

    @display(description="rows", ordering="row_count")  # type: ignore[untyped-decorator]
    def rows(self, version: Version) -> str:
        return f"{version.row_count:,}"

    @dialog_action(
        "Make live",
        title="Make this version live?",
        description="All readers get its data with their next request.",
        icon="publish",
        variant=ActionVariant.PRIMARY,
    )
    def make_live(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        number = int(object_id)
        try:
            self.log_change(request, activate_version(number), "Made live.")
        except FloodgateError as error:
            messages.error(request, error.detail)
        except DatabaseError:
            messages.warning(request, f"The read store does not answer; version {number} goes live when it does.")
        else:
            _tell_delivery(request, number)
        return after_dialog(request, reverse("admin:promotions_version_changelist"))

    def find_view(self, request: HttpRequest) -> TemplateResponse:
        """Promotions have no model, because each version is a table of its own."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = FindForm(request.GET if "id" in request.GET else None)
        found = run_batch(find_promotions, [form.cleaned_data["id"]])[0] if form.is_valid() else None
        context = {**self.admin_site.each_context(request), "title": "Find a promotion", "form": form, **_shown(found)}
        return TemplateResponse(request, "gateway/find.html", context)


class FindForm(forms.Form):
    id = forms.UUIDField(
        label="Id",
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "d018ef0b-dbd9-48f1-ac1a-eb4d90e57118", "autofocus": True}
        ),
        error_messages={"invalid": "This is no id: a UUID like d018ef0b-dbd9-48f1-ac1a-eb4d90e57118 is needed."},
    )


def _shown(found: Found | FloodgateError | None) -> dict[str, Any]:
    """What the page says of a look-up: a row of a table, or a sentence."""
    if found is None:
        return {}
    if isinstance(found, FloodgateError):
        return {"sentence": "The read store does not answer now; try again."}
    if found.body is None:
        return {
            "sentence": f"Version {found.version} has no promotion with this id."
            if found.version
            else "Nothing is live yet."
        }
    promotion = json.loads(found.body, parse_float=str)  # as served, "31.40" not 31.4
    row = [promotion["id"], promotion["price"], promotion["expiration_date"], f"version {found.version}"]
    return {"table": {"headers": ["id", "price", "expiration date", "read from"], "rows": [row]}}


def _tell_delivery(request: HttpRequest, number: int) -> None:
    if Publication.objects.filter(version=number, delivered_at=None).exists():
        messages.warning(request, f"Version {number} goes live as soon as the read store and the cache answer.")
    else:
        messages.success(request, f"Version {number} is live.")

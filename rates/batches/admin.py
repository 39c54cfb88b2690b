"""People's door to batches: how far they are, their rejected rows, and cancelling."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from common.errors import FloodgateError
from gateway.views.readonlyadmin import ReadOnlyAdmin, after_dialog, dialog_action
from rates.batches.api import BatchErrorsView
from rates.batches.cancelling import cancel_batch
from rates.batches.progress import progress_of
from rates.models import BATCH_ACTIVE, BatchStatus, PriceBatch

STATUS_COLOURS = {
    BatchStatus.FINISHED: "success",
    BatchStatus.FAILED: "danger",
    BatchStatus.CANCELLED: "default",
    **dict.fromkeys(BATCH_ACTIVE, "info"),
}
DEADLINES = {None: "open", True: "met", False: "missed"}


@admin.register(PriceBatch)
class PriceBatchAdmin(ReadOnlyAdmin):
    list_display = ["id", "state", "row_count", "price_count", "deadline_at", "created_at", "finished_at"]
    list_filter = ["status"]
    actions_detail = ["cancel"]
    fieldsets = [
        ("Where it stands", {"fields": ["state", "done", "applied", "rejected", "time_left"]}),
        ("What it is", {"fields": ["row_count", "price_count", "body_format", "correlation_id"]}),
        ("When", {"fields": ["created_at", "started_at", "finished_at", "deadline_at", "deadline"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        errors = self.admin_site.admin_view(self.errors_view)
        return [path("<int:batch_id>/errors.csv", errors, name="rates_pricebatch_errors"), *super().get_urls()]

    def errors_view(self, request: HttpRequest, batch_id: int) -> HttpResponseBase:
        """As the API gives it; a link has no API key, but the session of who follows it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return BatchErrorsView.as_view()(request, batch_id=batch_id)

    def get_readonly_fields(self, request: HttpRequest, obj: PriceBatch | None = None) -> list[str]:
        return [name for _, options in self.fieldsets for name in options["fields"]]

    def takes_actions(self, row: PriceBatch) -> bool:
        return row.status in BATCH_ACTIVE

    @display(description="status", ordering="status")  # type: ignore[untyped-decorator]
    def state(self, batch: PriceBatch) -> SafeString:
        colour = STATUS_COLOURS[BatchStatus(batch.status)]
        return render_to_string("unfold/helpers/label.html", {"text": batch.status, "variant": colour})

    @display(description="done")  # type: ignore[untyped-decorator]
    def done(self, batch: PriceBatch) -> str:
        return f"{progress_of(batch).progress:.0%}"

    @display(description="rows applied")  # type: ignore[untyped-decorator]
    def applied(self, batch: PriceBatch) -> str:
        return f"{progress_of(batch).rows_applied:,}"

    @display(description="rows rejected")  # type: ignore[untyped-decorator]
    def rejected(self, batch: PriceBatch) -> SafeString:
        return format_html(
            '{} &nbsp; <a class="text-primary-600 dark:text-primary-500 underline" href="{}" download>'
            "Download as CSV</a>",
            f"{progress_of(batch).rows_rejected:,}",
            reverse("admin:rates_pricebatch_errors", args=[batch.pk]),
        )

    @display(description="done in")  # type: ignore[untyped-decorator]
    def time_left(self, batch: PriceBatch) -> str:
        seconds = progress_of(batch).eta_seconds
        return "-" if seconds is None else f"about {seconds} s"

    @display(description="deadline is")  # type: ignore[untyped-decorator]
    def deadline(self, batch: PriceBatch) -> str:
        return DEADLINES[progress_of(batch).deadline_met] if batch.deadline_at else "-"

    @dialog_action(
        "Cancel the batch",
        title="Cancel this batch?",
        description="Prices that it has added stay; no more are added.",
        icon="cancel",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        try:
            cancel_batch(int(object_id))
        except FloodgateError as error:
            messages.error(request, error.detail)
        else:
            self.log_change(request, PriceBatch.objects.get(pk=object_id), "Cancelled.")
            messages.success(request, f"Batch {object_id} is cancelled.")
        return after_dialog(request, reverse("admin:rates_pricebatch_change", args=[object_id]))

"""People's door: timestamps by id and by correlation id, the tables that hold them, and dead letters."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from common.errors import FloodgateError
from common.stores.guarded import STORE_AWAY
from common.text.uuids import EXAMPLE_UUID
from gateway.batching.batches import run_batch
from gateway.views.readonlyadmin import ReadOnlyAdmin, after_dialog, dialog_action
from timestamps.errors import NoLiveTable, ReplayRefused, TableIsBroken
from timestamps.finding import FOUND_TIMESTAMPS, find_timestamps
from timestamps.models import DeadLetter, DeadLetterState, RecordTable, TableState
from timestamps.records.resolving import retry_dead_letters
from timestamps.replay.replays import cancel_replay
from timestamps.types import START, Timestamp


class FindForm(forms.Form):
    id = forms.UUIDField(
        label="Id or correlation id",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": EXAMPLE_UUID, "autofocus": True}),
        error_messages={"invalid": f"This is no id: a UUID like {EXAMPLE_UUID} is needed."},
    )


@display(description="position")  # type: ignore[untyped-decorator]
def log_position(row: RecordTable | DeadLetter) -> str:
    """As commands take it."""
    return str(row.position)


@admin.register(RecordTable)
class RecordTableAdmin(ReadOnlyAdmin):
    list_display = ["number", "state", "name", log_position, "record_count", "live_at", "retired_at"]
    ordering = ["-number"]
    actions_detail = ["cancel"]
    fields = readonly_fields = [
        "number",
        "state",
        "name",
        log_position,
        "record_count",
        "replayed_from",
        "entries",
        "is_copied",
        "copied_through",
        "last_command_id",
        "error",
        "started_at",
        "live_at",
        "retired_at",
    ]

    def takes_actions(self, row: RecordTable) -> bool:
        return row.state == TableState.BUILDING

    def get_urls(self) -> list[URLPattern]:
        find = path("find/", self.admin_site.admin_view(self.find_view), name="timestamps_find")
        return [find, *super().get_urls()]

    @display(description="records", ordering="records")  # type: ignore[untyped-decorator]
    def record_count(self, table: RecordTable) -> str:
        return f"{table.records:,}"

    @display(description="replayed from")  # type: ignore[untyped-decorator]
    def replayed_from(self, table: RecordTable) -> str:
        after = table.replayed_after
        return f"{after.after()}; the records before are copies" if after > START else "the log's beginning"

    def find_view(self, request: HttpRequest) -> TemplateResponse:
        """Timestamps have no model, because each of their tables may be the live one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = FindForm(request.GET if "id" in request.GET else None)
        shown = _shown(run_batch(find_timestamps, [form.cleaned_data["id"]])[0]) if form.is_valid() else {}
        context = {**self.admin_site.each_context(request), "title": "Find a timestamp", "form": form, **shown}
        return TemplateResponse(request, "gateway/find.html", context)

    @dialog_action(
        "Cancel the replay",
        title="Give this replay up?",
        description="Readers stay with the live table; what was built so far is dropped in ten minutes.",
        icon="cancel",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        table = RecordTable.objects.get(pk=object_id)
        try:
            cancel_replay(table.number)
        except ReplayRefused as error:
            messages.error(request, error.detail)
        except STORE_AWAY:
            messages.error(request, "A store does not answer; try again.")
        else:
            self.log_change(request, table, "Cancelled its replay.")
            messages.success(request, "The replay is cancelled.")
        return after_dialog(request, reverse("admin:timestamps_recordtable_change", args=[object_id]))


def _shown(found: list[Timestamp] | FloodgateError) -> dict[str, Any]:
    """What the page says of a look-up: rows of a table, or a sentence."""
    if isinstance(found, FloodgateError):
        return {"sentence": found.detail}
    if not found:
        return {"sentence": "No timestamp has this id, and none in the database has this correlation id."}
    headers = ["id", "event timestamp", "correlation id", "in the database since"]
    rows = [[one.command_id, one.event_timestamp, one.correlation_id, one.created_at or "waits"] for one in found]
    more = f"These are the first {FOUND_TIMESTAMPS}." if len(found) == FOUND_TIMESTAMPS else ""
    return {"table": {"headers": headers, "rows": rows}, "sentence": more}


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = [log_position, "state", "reason", "created_at", "retried_at"]
    list_filter = [("state", admin.ChoicesFieldListFilter)]
    actions_detail = ["retry"]
    fields = readonly_fields = [log_position, "state", "reason", "entry", "created_at", "retried_at"]

    def takes_actions(self, row: DeadLetter) -> bool:
        return row.state == DeadLetterState.WAITING

    @display(description="entry")  # type: ignore[untyped-decorator]
    def entry(self, letter: DeadLetter) -> str:
        return "\n".join(f"{name}: {value!a}" for name, value in json.loads(letter.fields).items())

    @dialog_action(
        "Try again",
        title="Try this entry again?",
        description="It becomes a record, unless it is still refused. retry_dead_letters tries all that wait.",
        icon="replay",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        letter = DeadLetter.objects.get(pk=object_id)
        try:
            retried, _ = retry_dead_letters([letter.pk])
        except STORE_AWAY:
            messages.error(request, "A store does not answer; try again.")
        except (TableIsBroken, NoLiveTable) as error:
            messages.error(request, error.detail)
        else:
            self.log_change(request, letter, "Tried again.")
            _tell(request, retried)
        return after_dialog(request, reverse("admin:timestamps_deadletter_change", args=[object_id]))


def _tell(request: HttpRequest, retried: int) -> None:
    if retried:
        messages.success(request, "It is a record now.")
    else:
        messages.warning(request, "It is still refused.")

"""People's door: vouchers with their limits, redemptions, profiles, the ledger, and orders for many vouchers.

Only the system writes these rows. What people may do are the services' own operations: changing a limit, which is
audited, and taking a redemption back.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from common.errors import FloodgateError
from common.text.uuids import HYPHENATED_UUID
from gateway.views.readonlyadmin import ReadOnlyAdmin, after_dialog, dialog_action
from vouchers.codes.cancelling import cancel_generation
from vouchers.codes.limits import change_limits
from vouchers.models import (
    LIMIT_MAX,
    Generation,
    GenerationStatus,
    LimitChangeRecord,
    Profile,
    Redemption,
    Transfer,
    Voucher,
    WalletOrder,
)
from vouchers.parsing import PAGE_MAX, read_phone_number
from vouchers.redemption.reversing import reverse_redemptions
from vouchers.types import LimitChange
from vouchers.wallet.choice import wallets
from vouchers.wallet.local import ledger_lines


class LimitForm(BaseDialogForm):  # type: ignore[misc]
    limit = forms.IntegerField(
        min_value=1,
        max_value=LIMIT_MAX,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Users who may redeem the voucher; not below those who have.",
    )


class LimitChangeInline(TabularInline):  # type: ignore[misc]
    """Who changed the limit."""

    model = LimitChangeRecord
    fields = readonly_fields = ["changed_at", "changed_by", "limit_before", "limit_after"]
    can_delete = False
    extra = 0
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class LargeTableAdmin(ReadOnlyAdmin):
    """There may be many millions of rows, so nothing here counts them, and they are sorted by their keys only."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By whole values only, which indexes find."""
        if not search_term.strip():
            return queryset, False
        try:
            return self.found(queryset, search_term.strip()), False
        except FloodgateError as error:
            messages.warning(request, error.detail)
            return queryset.none(), False

    def found(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        raise NotImplementedError


@admin.register(Voucher)
class VoucherAdmin(LargeTableAdmin):
    list_display = ["code", "amount", "limit", "redeemed", "remaining", "starts_at", "expires_at"]
    search_fields = ["code"]
    search_help_text = "The whole code"
    ordering = ["-id"]
    sortable_by: list[str] = []
    actions_detail = ["change_limit"]
    inlines = [LimitChangeInline]
    fields = ["code", "amount", "limit", "redeemed", "remaining", "starts_at", "expires_at", "revision", "created_at"]
    readonly_fields = fields

    def found(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(code=term)

    @display(description="remaining")  # type: ignore[untyped-decorator]
    def remaining(self, voucher: Voucher) -> int:
        return voucher.limit - voucher.redeemed

    @dialog_action(
        "Change the limit",
        title="Change the limit",
        description="It holds at once, also while the voucher is redeemed. Your name is kept with the change.",
        icon="edit",
        variant=ActionVariant.PRIMARY,
        form_class=LimitForm,
    )
    def change_limit(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        voucher = Voucher.objects.get(pk=object_id)
        change = LimitChange(voucher.code, form.cleaned_data["limit"], request.user.get_username())
        (outcome,) = change_limits([change])
        if isinstance(outcome, FloodgateError):
            messages.error(request, outcome.detail)
        elif outcome.limit == voucher.limit:
            messages.info(request, f"The limit of {voucher.code} was {outcome.limit:,} already.")
        else:
            self.log_change(request, voucher, f"Changed the limit from {voucher.limit} to {outcome.limit}.")
            messages.success(request, f"The limit of {voucher.code} is {outcome.limit:,}.")
        return after_dialog(request, reverse("admin:vouchers_voucher_change", args=[object_id]))


@admin.register(Redemption)
class RedemptionAdmin(LargeTableAdmin):
    list_display = ["id", "voucher", "redeemer", "amount", "state", "created_at", "reversed_at"]
    list_select_related = ["voucher"]
    search_fields = ["id"]
    search_help_text = f"A redemption's id, a voucher's whole code, or a phone number (of its newest {PAGE_MAX:,})"
    ordering = ["-id"]
    sortable_by: list[str] = []
    actions_detail = ["take_back"]
    fields = ["id", "voucher", "redeemer", "amount", "state", "created_at", "reversed_at"]
    readonly_fields = fields

    def found(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        if HYPHENATED_UUID.fullmatch(term):
            return queryset.filter(pk=term)
        if term.startswith("+"):  # by the ledger: an index of redeemers is one more to write for each redemption
            lines = wallets().read_statement(read_phone_number(term), limit=PAGE_MAX, before=None).transactions
            return queryset.filter(pk__in=[line.redemption_id for line in lines if line.redemption_id])
        voucher_id = Voucher.objects.filter(code=term).values_list("id", flat=True).first()
        return queryset.filter(voucher=voucher_id) if voucher_id else queryset.none()

    def takes_actions(self, row: Redemption) -> bool:
        return row.reversed_at is None

    @dialog_action(
        "Reverse the redemption",
        title="Reverse this redemption?",
        description="Its place is free again, and the amount leaves the wallet.",
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def take_back(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        (outcome,) = reverse_redemptions([UUID(object_id)])
        if isinstance(outcome, FloodgateError):
            messages.error(request, outcome.detail)
        else:
            self.log_change(request, Redemption.objects.get(pk=object_id), "Reversed.")
            done = "is reversed" if outcome.reversed_at else "is reversed as soon as the wallet agrees"
            messages.success(request, f"{outcome.redeemer}'s redemption of {outcome.voucher_code} {done}.")
        return after_dialog(request, reverse("admin:vouchers_redemption_change", args=[object_id]))


@admin.register(Profile)
class ProfileAdmin(LargeTableAdmin):
    list_display = ["phone_number", "balance", "created_at"]
    search_fields = ["phone_number"]
    search_help_text = "The whole phone number"
    ordering = ["-id"]
    sortable_by: list[str] = []
    fields = readonly_fields = ["phone_number", "balance", "transfers", "created_at"]

    @display(description="transfers")  # type: ignore[untyped-decorator]
    def transfers(self, profile: Profile) -> SafeString:
        address = reverse("admin:vouchers_transfer_changelist", query={"q": profile.phone_number})
        return format_html('<a class="text-primary-600 dark:text-primary-500 underline" href="{}">Show</a>', address)

    def found(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(phone_number=term)


@admin.register(Transfer)
class TransferAdmin(LargeTableAdmin):
    list_display = ["id", "created_at", "kind", "debit", "credit", "amount", "redemption_id"]
    search_fields = ["redemption_id"]
    search_help_text = f"A redemption's id, or a phone number (its newest {PAGE_MAX:,})"
    ordering = ["-id"]
    sortable_by: list[str] = []
    fields = readonly_fields = ["id", "created_at", "kind", "debit", "credit", "amount", "redemption_id"]

    def found(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.startswith("+"):
            lines = ledger_lines(read_phone_number(term), limit=PAGE_MAX)
            return queryset.filter(pk__in=[line.id for line in lines])
        return queryset.filter(redemption_id=term) if HYPHENATED_UUID.fullmatch(term) else queryset.none()


@admin.register(WalletOrder)
class WalletOrderAdmin(LargeTableAdmin):
    list_display = ["redemption_id", "kind", "state", "attempts", "last_error", "due_at", "created_at", "answered_at"]
    list_filter = ["state"]
    search_fields = ["redemption_id"]
    search_help_text = "A redemption's id"
    ordering = ["-id"]
    sortable_by: list[str] = []
    fields = readonly_fields = ["id", *list_display]

    def found(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(redemption=term) if HYPHENATED_UUID.fullmatch(term) else queryset.none()


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
    list_display = ["id", "status", "count", "made", "prefix", "amount", "limit", "created_at", "finished_at"]
    list_filter = ["status"]
    fields = readonly_fields = [
        *list_display[:-2],
        *("starts_at", "expires_at", "attempts", "error", "correlation_id"),
        *list_display[-2:],
    ]
    actions_detail = ["cancel"]

    def takes_actions(self, row: Generation) -> bool:
        return row.status == GenerationStatus.RUNNING

    @dialog_action(
        "Cancel",
        title="Stop making these vouchers?",
        description="Those that exist stay. It cannot be taken up again.",
        icon="cancel",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        try:
            state = cancel_generation(int(object_id))
        except FloodgateError as error:
            messages.error(request, error.detail)
        else:
            self.log_change(request, self.get_object(request, object_id), "Cancelled.")
            messages.success(request, f"Generation {state.id} is cancelled; {state.made:,} vouchers exist.")
        return after_dialog(request, reverse("admin:vouchers_generation_change", args=[object_id]))

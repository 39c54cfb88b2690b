"""People's door: API keys; users and groups in the admin's own theme.

Django registers the latter with forms that the theme does not style.
"""

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from gateway.apikeys import revoke_api_keys
from gateway.models import ApiKey
from gateway.readonlyadmin import ReadOnlyAdmin, after_dialog, dialog_action
from gateway.strictadmin import StrictAdmin

admin.site.unregister([User, Group])


@admin.register(User)
class UserAdmin(StrictAdmin, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(StrictAdmin, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are made by ``create_api_key``, which shows them once; here they are seen by their beginning and revoked."""

    list_display = ["name", "state", "beginning", "created_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name"]
    actions_row = ["revoke"]
    actions_detail = ["revoke"]
    fields = readonly_fields = ["name", "state", "beginning", "created_at", "revoked_at"]

    def takes_actions(self, row: ApiKey) -> bool:
        return row.revoked_at is None

    @display(description="state")  # type: ignore[untyped-decorator]
    def state(self, key: ApiKey) -> SafeString:
        text, variant = ("revoked", "danger") if key.revoked_at else ("active", "success")
        return render_to_string("unfold/helpers/label.html", {"text": text, "variant": variant})

    @display(description="key")  # type: ignore[untyped-decorator]
    def beginning(self, key: ApiKey) -> SafeString:
        return format_html("<code>{}…</code>", key.prefix)

    @dialog_action(
        "Revoke",
        title="Revoke this key?",
        description="Within 5 seconds requests with it are refused. It cannot be taken back.",
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def revoke(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        key = ApiKey.objects.get(pk=object_id)
        if revoke_api_keys([key.name]):
            self.log_change(request, key, "Revoked.")
            messages.success(request, f"The key of {key.name} is revoked.")
        else:
            messages.info(request, f"The key of {key.name} was revoked before.")
        return after_dialog(request, reverse("admin:gateway_apikey_changelist"))

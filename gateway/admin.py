"""People's door: API keys; users and groups in the admin's own theme.

Django registers the latter with forms that the theme does not style.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from common.audit import DONE, audit
from gateway.errors import TooManyKeys
from gateway.keys.apikeys import create_api_key, revoke_api_keys
from gateway.keys.scopes import KeyScope
from gateway.models import ApiKey
from gateway.views.readonlyadmin import ReadOnlyAdmin, after_dialog, dialog_action
from gateway.views.strictadmin import StrictAdmin

STATE_COLOURS = {"active": "success", "expired": "warning", "revoked": "danger"}

admin.site.unregister([User, Group])


def _telling(change: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Django's page on which people change their own password, which has no history."""

    @wraps(change)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = change(request, *args, **kwargs)
        if request.method == "POST":
            outcome = DONE if answer.status_code == HTTPStatus.FOUND else "refused"
            audit(f"user:{request.user.get_username()}", "change password", request.user.pk, outcome)
        return answer

    return view


admin.site.password_change = _telling(admin.site.password_change)  # type: ignore[assignment, method-assign]


@admin.register(User)
class UserAdmin(StrictAdmin, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(StrictAdmin, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope.value}: {scope.label}") for scope in KeyScope],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "expires_at"]
        widgets = {"name": UnfoldAdminTextInputWidget()}

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise forms.ValidationError("This is past.")
        return expires_at


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are made and shown once, seen by their beginning, and revoked; nothing of one changes."""

    form = ApiKeyForm
    list_display = ["name", "beginning", "state", "may", "created_at", "expires_at", "last_used_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name"]
    actions_row = ["revoke"]
    actions_detail = ["revoke"]
    fields = list_display

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("gateway.add_apikey"))

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return self.fields if obj else ["name", "scopes", "expires_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return self.fields if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str]:
        """An address says nothing of a key: the widget of an instant fails with text."""
        return {}

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return cast(HttpResponse, super().add_view(request, *args, **kwargs))
        except TooManyKeys as error:
            messages.error(request, error.detail)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "forms.ModelForm[ApiKey]", change: bool) -> None:
        """Raises TooManyKeys."""
        scopes = [KeyScope(scope) for scope in form.cleaned_data["scopes"]]
        made = create_api_key(obj.name, scopes, obj.expires_at)
        obj.pk, obj.prefix = made.row.pk, made.row.prefix
        request.made_key = made.key  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """No redirect, and no message, which would put the key into a cookie."""
        key = request.made_key  # type: ignore[attr-defined]
        context = {**self.admin_site.each_context(request), "title": f"A key of {obj.name}", "key": key}
        return TemplateResponse(request, "gateway/key.html", context)

    def takes_actions(self, row: ApiKey) -> bool:
        return row.revoked_at is None

    @display(description="state")  # type: ignore[untyped-decorator]
    def state(self, key: ApiKey) -> SafeString:
        return render_to_string("unfold/helpers/label.html", {"text": key.state, "variant": STATE_COLOURS[key.state]})

    @display(description="key")  # type: ignore[untyped-decorator]
    def beginning(self, key: ApiKey) -> SafeString:
        return format_html("<code>{}…</code>", key.prefix)

    @display(description="may")  # type: ignore[untyped-decorator]
    def may(self, key: ApiKey) -> str:
        return " ".join(key.scopes)

    @dialog_action(
        "Revoke",
        title="Revoke this key?",
        description="Within 5 seconds requests with it are refused. It cannot be taken back.",
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def revoke(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        key = ApiKey.objects.get(pk=object_id)
        if revoke_api_keys([key.pk]):
            self.log_change(request, key, "Revoked.")
            messages.success(request, f"The key {key.prefix}… of {key.name} is revoked.")
        else:
            messages.info(request, f"The key {key.prefix}… of {key.name} was revoked before.")
        return after_dialog(request, reverse("admin:gateway_apikey_changelist"))

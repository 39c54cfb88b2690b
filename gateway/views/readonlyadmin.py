"""The admin's pages of rows that only the system writes."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant

from gateway.views.strictadmin import StrictAdmin

Method = TypeVar("Method", bound=Callable[..., HttpResponse])


class ReadOnlyAdmin(StrictAdmin, ModelAdmin):  # type: ignore[misc]
    """Shows rows, and changes none of them."""

    actions = None
    list_filter_sheet = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """For actions: the rows are not edited, but whoever may change them may operate on them. Raises Http404."""
        if not request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"):
            return False
        return object_id is None or bool(self.get_object(request, str(object_id)))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Those of the page, where its row takes them. Raises Http404: there is no such row."""
        actions = super().get_actions_detail(request, object_id)
        return list(actions) if actions and self.takes_actions(self.get_object(request, object_id)) else []

    def takes_actions(self, row: Any) -> bool:
        """Whether the row is in a state that its actions can change."""
        return True

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Raises Http404: there is no such row, or the id is none."""
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404
        return found


def dialog_action(
    name: str,
    *,
    title: str,
    description: str,
    icon: str,
    variant: ActionVariant,
    form_class: type[forms.Form] | None = None,
) -> Callable[[Method], Method]:
    """An action for those who may operate, done once its dialog is confirmed: ``method(request, form, object_id)``.

    Its address is the method's name, with hyphens. Source: ``ReadOnlyAdmin.has_operate_permission``.
    """

    def declare(method: Method) -> Method:
        declared = action(
            description=name,
            url_path=method.__name__.replace("_", "-"),
            permissions=["operate"],
            icon=icon,
            variant=variant,
            dialog={
                "title": title,
                "description": description,
                "form_class": form_class,
                "form_submit_text": name,
            },
        )
        return cast(Method, declared(method))

    return declare


def after_dialog(request: HttpRequest, address: str) -> HttpResponse:
    """Dialogs are sent by a script, which leaves the page only when it is told so."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": address})
    return redirect(address)

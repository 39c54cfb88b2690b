"""The admin's pages of rows that only the system writes."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
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
        """For actions: the rows are not edited, but whoever may change them may operate on them."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")


def after_dialog(request: HttpRequest, address: str) -> HttpResponse:
    """Dialogs are sent by a script, which leaves the page only when it is told so."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": address})
    return redirect(address)

"""The admin's pages, whose addresses and forms may hold anything: what they do not offer is refused, never looked up.

Django hands many values on to the database as they came. NUL characters end in ``middleware.RefuseNul`` already.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from common.audit import audit
from common.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin as Page
else:
    Page = object


class AutocompleteById(AutocompleteSelect):
    """Shows again what was sent only where it may be an id; the form says that it is none."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        known = [one for one in value if _is_id(self.field.remote_field.model, one)]
        return super().optgroups(name, known, attr)


class StrictAdmin(Page):  # type: ignore[misc]
    """For every page of rows; stands before the other bases."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """What the page's filters offer and nothing else: other columns have no index."""
        return lookup in {name for entry in self.get_list_filter(request) for name in _parameters(entry)}

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """An empty ``_to_field`` is none."""
        return super().get_object(request, object_id, from_field or None)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", AutocompleteById(db_field, self.admin_site, using=kwargs.get("using")))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
        """Raises InvalidInput: rows are chosen by what is no id."""
        if not all(_is_id(self.opts.model, chosen) for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise InvalidInput(FieldError(ACTION_CHECKBOX_NAME, "Must be ids of rows."))
        return cast("HttpResponseBase | None", super().response_action(request, queryset))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, "add", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, "change", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._audit(request, "delete", obj)
        return super().log_deletions(request, queryset)

    def _audit(self, request: HttpRequest, what: str, obj: Any, message: Any = "") -> None:
        """Forms say which fields they changed, as a list."""
        said = message if isinstance(message, str) else json.dumps(message)
        audit(f"user:{request.user.get_username()}", f"{what} {obj._meta.label_lower}", obj.pk, said=said)


def _is_id(model: Any, text: str) -> bool:
    try:
        model._meta.pk.to_python(text)
    except ValidationError:
        return False
    return True


def _parameters(entry: Any) -> list[str]:
    """Of an entry in ``list_filter``: a class, a column, or both."""
    if isinstance(entry, type):
        return [cast("type[SimpleListFilter]", entry).parameter_name or ""]
    column = entry if isinstance(entry, str) else entry[0]
    return [f"{column}__{how}" for how in ("exact", "id__exact", "isnull", "isempty")]

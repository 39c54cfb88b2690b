"""Inspection in the admin: imports with progress and rejects, versions with "make live", promotions by id."""

from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from common.errors import FloodgateError
from promotions.models import Import, Reject, Version
from promotions.progress import import_progress
from promotions.publishing import activate_version
from promotions.selectors import find_promotions
from promotions.submitting import cancel_import


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the system writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

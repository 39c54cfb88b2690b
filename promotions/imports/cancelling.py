"""Cancelling imports."""

from django.db import transaction

from promotions.errors import ImportFinished, ImportNotFound
from promotions.imports.states import finish_import
from promotions.locks import lock_import
from promotions.models import ACTIVE, Import, ImportStatus


def cancel_import(import_id: int) -> Import:
    """Stop an import; the next sweep drops what it loaded.

    Raises: ImportNotFound; ImportFinished: it has ended, or its publication is decided.
    """
    with transaction.atomic():
        try:
            import_ = lock_import(import_id)
        except Import.DoesNotExist:
            raise ImportNotFound(import_id) from None
        if not can_cancel(import_id):
            raise ImportFinished(import_id, import_.status)
        finish_import(import_, ImportStatus.CANCELLED)
    return import_


def can_cancel(import_id: int) -> bool:
    """Whether the import has neither ended nor been decided."""
    return Import.objects.filter(pk=import_id, status__in=ACTIVE, version=None).exists()

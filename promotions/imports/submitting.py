"""Taking imports in, and cancelling them."""

from functools import partial
from pathlib import Path

import structlog
from django.db import transaction

from jobs.waking import wake
from promotions.errors import ImportFinished, ImportNotFound, SourceNotFound
from promotions.imports.sources import file_state
from promotions.imports.states import finish_import
from promotions.jobs import IMPORT
from promotions.locks import lock_import
from promotions.models import ACTIVE, Import, ImportStatus


def submit_import(source: str, path: Path, *, is_upload: bool = False) -> Import:
    """Queue a file for import; workers are woken when the row is committed.

    Args:   source: the name to show. path: an existing file that the workers can read. is_upload: the file is ours.
    Raises: SourceNotFound: it is gone meanwhile.
    Source: docs/promotions.md.
    """
    context = structlog.contextvars.get_contextvars()
    try:
        state, size = file_state(path), path.stat().st_size
    except FileNotFoundError as exc:
        raise SourceNotFound(f"There is no file {source!r} any more.") from exc
    with transaction.atomic():
        submitted = Import.objects.create(
            source=source,
            path=str(path),
            file_state=state,
            is_upload=is_upload,
            bytes_total=size,
            correlation_id=context.get("correlation_id") or "",
        )
        transaction.on_commit(partial(wake, IMPORT))
    return submitted


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

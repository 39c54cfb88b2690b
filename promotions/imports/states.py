"""Moving an import from state to state; one that has ended never moves again."""

import shutil
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from promotions.imports.summing import move_ended_import
from promotions.locks import lock_import
from promotions.models import ACTIVE, Import, ImportStatus


def move_on(import_: Import, status: ImportStatus, **values: object) -> bool:
    """Set the next state and ``values`` together, unless somebody ended the import meanwhile: then False."""
    return Import.objects.filter(pk=import_.pk, status__in=ACTIVE).update(status=status, **values) > 0


def finish_import(import_: Import, status: ImportStatus, error: str = "") -> None:
    """End an import whose row the caller has locked, and remove the files that were ours."""
    if import_.is_summed:
        move_ended_import(import_.status, status)
    import_.status, import_.error, import_.finished_at = status, error, timezone.now()
    import_.save(update_fields=["status", "error", "finished_at"])
    transaction.on_commit(partial(_remove_own_files, import_))


def end_import(import_id: int, status: ImportStatus, error: str) -> None:
    """Lock the import and end it, unless it has ended already; in the caller's transaction."""
    import_ = lock_import(import_id)
    if import_.status in ACTIVE:
        finish_import(import_, status, error)


def spool_folder(import_id: int) -> Path:
    """Where an import keeps the unpacked copy of its source."""
    return Path(settings.SPOOL_DIR) / f"import-{import_id}"


def _remove_own_files(import_: Import) -> None:
    """Unpacked copies always go; an upload stays when somebody may want to look at what was wrong with it."""
    shutil.rmtree(spool_folder(import_.id), ignore_errors=True)
    if import_.is_upload and import_.status not in (ImportStatus.QUARANTINED, ImportStatus.FAILED):
        Path(import_.path).unlink(missing_ok=True)

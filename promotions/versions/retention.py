"""Which versions are kept, and removing what nobody can read any more."""

import logging
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from math import inf
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Max
from django.utils import timezone

from promotions.imports.states import spool_folder
from promotions.imports.summing import sum_ended_imports
from promotions.locks import lock_publishing
from promotions.models import ACTIVE, ChunkDigests, Import, Pointer, Publication, Version
from promotions.tables import drop_table, existing_tables

logger = logging.getLogger(__name__)

ORPHAN_SECONDS = 3600.0  # longer than any request or step holds a file that no row names yet


def clean_up(seconds: float = inf) -> None:
    """Sum imports that have ended, for about ``seconds``, and remove what nobody can read any more.

    Raises: DatabaseError.
    """
    sum_ended_imports(seconds)
    drop_unused_tables()
    remove_orphaned_files()


def drop_unused_tables() -> list[str]:
    """Give up versions beyond the kept ones and drop tables without a version. Returns the names of those tables."""
    _mark_old_versions()
    ChunkDigests.objects.exclude(chunk__source_import__status__in=ACTIVE).delete()
    stores = ["default", "read"] if settings.READ_STORE_IS_SEPARATE else ["default"]
    return [name for using in stores for name in _drop_in(using)]


def _mark_old_versions() -> None:
    """From here on the version cannot be activated; readers left it long ago.

    While a publication is on its way readers may still be anywhere, so nothing is given up.
    """
    with transaction.atomic():
        lock_publishing()
        if Publication.objects.filter(delivered_at=None).exists():
            return
        present = Version.objects.filter(dropped_at=None).annotate(served=Max("publications__epoch"))
        kept = present.order_by("-served").values_list("number", flat=True)[: settings.IMPORT_KEEP_VERSIONS]
        left_before = timezone.now() - timedelta(seconds=settings.IMPORT_DROP_AFTER_SECONDS)
        old = Version.objects.filter(dropped_at=None, retired_at__lt=left_before).exclude(number__in=list(kept))
        old.update(dropped_at=timezone.now())


def _drop_in(using: str) -> list[str]:
    dropped = []
    for name, version in existing_tables(using=using):
        if _is_in_use(version):
            continue
        try:
            drop_table(name, using=using)
        except OperationalError as error:  # a worker is still leaving it: next time
            logger.info("table_not_dropped_yet", extra={"table": name, "error": str(error)})
        else:
            dropped.append(name)
    return dropped


def _is_in_use(version: int) -> bool:
    """In this order: an import becomes a version before it ends, so none is missed in between."""
    is_growing = Import.objects.filter(id=version, status__in=ACTIVE).exists()
    is_kept = Version.objects.filter(number=version, dropped_at=None).exists()
    return is_growing or is_kept or Pointer.objects.filter(version=version).exists()


def remove_orphaned_files() -> list[Path]:
    """Remove what killed processes left: copies of ended imports, uploads that nobody imports, parts of uploads."""
    orphans = [*_ended_copies(), *_unknown_uploads(), *settings.SPOOL_DIR.glob("tmp*.upload*")]
    return [path for path in orphans if _is_old(path) and _removed(path)]


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > ORPHAN_SECONDS
    except FileNotFoundError:  # whoever made it has removed it meanwhile
        return False


def _removed(path: Path) -> bool:
    """Whether it is gone. One that cannot be removed does not keep the others."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        logger.warning("orphan_not_removed", extra={"path": str(path), "error": str(error)})
        return False
    return True


def _ended_copies() -> Iterator[Path]:
    active = {spool_folder(number) for number in Import.objects.filter(status__in=ACTIVE).values_list("id", flat=True)}
    return (path for path in settings.SPOOL_DIR.glob("import-*") if path not in active)


def _unknown_uploads() -> Iterator[Path]:
    known = set(Import.objects.filter(is_upload=True).values_list("path", flat=True))
    return (path for path in (settings.IMPORT_ROOT / "uploads").glob("*") if str(path) not in known)

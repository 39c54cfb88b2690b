"""Which versions are kept, and dropping what nobody can read any more."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Max
from django.utils import timezone

from promotions.locks import lock_publishing
from promotions.models import ACTIVE, ChunkDigests, Import, Version
from promotions.tables import drop_table, existing_tables

logger = logging.getLogger(__name__)


def drop_unused_tables() -> list[str]:
    """Give up versions beyond the kept ones and drop tables without a version. Returns the names of those tables."""
    _mark_old_versions()
    ChunkDigests.objects.exclude(chunk__source_import__status__in=ACTIVE).delete()
    stores = ["default", "read"] if settings.READ_STORE_IS_SEPARATE else ["default"]
    return [name for using in stores for name in _drop_in(using)]


def _mark_old_versions() -> None:
    """From here on the version cannot be activated; readers left it long ago."""
    with transaction.atomic():
        lock_publishing()
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
    return is_growing or Version.objects.filter(number=version, dropped_at=None).exists()

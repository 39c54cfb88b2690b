"""What readers see: publishing and rolling back are one pointer update.

The decision is a row of the write store (``Publication``, with the next epoch). Delivering it carries the version to
the read store, raises the cache key, moves the pointer and only then calls the import published. Each part may be
repeated.
"""

import logging
import time
from itertools import takewhile

import structlog
from django.conf import settings
from django.db import connections, transaction
from django.db.models import Max
from django.utils import timezone
from redis.exceptions import RedisError

from common.stores.guarded import DATABASE_AWAY
from jobs.waking import wake
from promotions.errors import VersionGone, VersionNotFound
from promotions.imports.states import finish_import
from promotions.jobs import IMPORT
from promotions.locks import delivery_lease, lock_import, lock_imports, lock_publishing
from promotions.models import ACTIVE, Import, ImportStatus, Publication, Version
from promotions.serving.pointer import forget_cache, raise_cached_pointer, stored_pointer
from promotions.types import LiveVersion
from promotions.versions.readstore import pull_version

logger = logging.getLogger(__name__)

DELIVERY_PATIENCE_SECONDS = 2.0


def publish_import(import_id: int, *, row_count: int) -> None:
    """Decide that a checked import is served, unless a newer submission is served already."""
    with transaction.atomic():
        lock_publishing()
        import_ = lock_import(import_id)
        if import_.status != ImportStatus.CHECKING:
            return
        if Version.objects.filter(number__gt=import_id).exists():
            finish_import(import_, ImportStatus.SUPERSEDED, "A newer submission was published first.")
            return
        version = Version.objects.create(
            number=import_.id,
            source_import=import_,
            table_count=import_.table_count,
            row_count=row_count,
            retired_at=timezone.now(),
        )
        _decide(version)
        _supersede_overlapping(import_)


def activate_version(number: int) -> Version:
    """Serve an earlier version again (or the live one still), and deliver that as soon as it is committed.

    Raises: VersionNotFound; VersionGone: its data was dropped.
    """
    reopen_delivery_if_behind()
    with transaction.atomic():
        lock_publishing()
        version = Version.objects.filter(pk=number).first()
        if version is None:
            raise VersionNotFound(number)
        if version.dropped_at:
            raise VersionGone(number)
        if version.retired_at:
            _decide(version)
        transaction.on_commit(_deliver_at_once)  # workers see nothing of a caller's transaction that is still open
    version.refresh_from_db()
    return version


def deliver_publications() -> bool:
    """Carry what was decided to the readers, in order. Returns whether any was; what was not is tried again."""
    if not Publication.objects.filter(delivered_at=None).exists():
        return False
    with delivery_lease() as is_mine:
        if not is_mine:
            return False
        outstanding = Publication.objects.filter(delivered_at=None).select_related("version").order_by("epoch")
        return len(list(takewhile(_deliver, outstanding))) > 0


def _deliver_at_once() -> None:
    """Within the patience of a request; what is late all the same follows with the next beat.

    Carrying a version to another server may take long, so that is left to the workers.
    """
    wake(IMPORT)
    deadline = time.monotonic() + DELIVERY_PATIENCE_SECONDS
    while Publication.objects.filter(delivered_at=None).exists() and time.monotonic() < deadline:
        if settings.READ_STORE_IS_SEPARATE or not deliver_publications():
            time.sleep(0.02)


def reopen_delivery_if_behind() -> None:
    """Deliver the last publication again when the read store does not have it: it is new, or was restored."""
    last = Publication.objects.order_by("-epoch").first()
    if last and last.delivered_at and stored_pointer().epoch < last.epoch:
        Publication.objects.filter(pk=last.pk).update(delivered_at=None)


def _decide(version: Version) -> None:
    last = Publication.objects.aggregate(last=Max("epoch", default=0))["last"]  # exact: we hold the publishing lock
    correlation_id = structlog.contextvars.get_contextvars().get("correlation_id") or ""
    Publication.objects.create(epoch=last + 1, version=version, correlation_id=correlation_id)
    Version.objects.filter(retired_at=None).update(retired_at=timezone.now())
    version.retired_at = None
    version.save(update_fields=["retired_at"])


def _supersede_overlapping(newer: Import) -> None:
    """Submissions that ran at the same time end as superseded, in whatever order the two finished."""
    running = Import.objects.filter(id__lt=newer.id, status__in=ACTIVE, version=None)
    finished = Import.objects.filter(id__lt=newer.id, status=ImportStatus.PUBLISHED, finished_at__gt=newer.created_at)
    for older in lock_imports(running | finished):
        finish_import(older, ImportStatus.SUPERSEDED, _replaced_by(newer.id))


def _deliver(publication: Publication) -> bool:
    with structlog.contextvars.bound_contextvars(correlation_id=publication.correlation_id):
        return _carry(publication)


def _carry(publication: Publication) -> bool:
    version = publication.version
    live = LiveVersion(publication.epoch, version.number, version.table_count)
    try:
        if settings.READ_STORE_IS_SEPARATE:
            pull_version(version.number, version.table_count)
        is_cached = _raise_key(live)  # first: a process without the cache may lag behind the others, never lead
        _move_pointer(live)
    except DATABASE_AWAY as error:  # other work goes on meanwhile
        logger.warning("publication_waits_for_store", extra={"epoch": live.epoch, "error": str(error)})
        return False
    if is_cached:
        _mark_delivered(publication)
        logger.info("version_published", extra=live._asdict())
    return is_cached


def _raise_key(live: LiveVersion) -> bool:
    """Whether the cache follows; without it readers ask the read store, and the delivery is tried again."""
    try:
        carried = raise_cached_pointer(live)
        if carried.epoch > max(live.epoch, stored_pointer().epoch):  # from before a restore of the database
            forget_cache()
            raise_cached_pointer(live)
    except RedisError as error:
        logger.warning("publication_waits_for_cache", extra={"epoch": live.epoch, "error": str(error)})
        return False
    return True


def _move_pointer(live: LiveVersion) -> None:
    with connections["read"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO promotions_pointer (id, epoch, version, table_count) VALUES (1, %s, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, version = excluded.version,"
            " table_count = excluded.table_count WHERE promotions_pointer.epoch < excluded.epoch",
            live,
        )


def _mark_delivered(publication: Publication) -> None:
    with transaction.atomic():
        lock_publishing()  # so that a newer submission sees how this one ended, or this one sees the newer
        import_ = lock_import(publication.version.number)
        if import_.status == ImportStatus.CHECKING:
            _finish_decided(import_)
        publication.delivered_at = timezone.now()
        publication.save(update_fields=["delivered_at"])
        left = Version.objects.filter(retired_at__gte=publication.decided_at).exclude(pk=publication.version_id)
        left.update(retired_at=publication.delivered_at)  # readers leave with the delivery, not with the decision


def _finish_decided(import_: Import) -> None:
    """A newer submission may have been decided while this one waited for its delivery."""
    newer = Version.objects.filter(number__gt=import_.id).first()
    if newer is None:
        finish_import(import_, ImportStatus.PUBLISHED)
    else:
        finish_import(import_, ImportStatus.SUPERSEDED, _replaced_by(newer.number))


def _replaced_by(import_id: int) -> str:
    return f"Import {import_id}, submitted later, replaced it."

"""Metrics of what answers no requests: signs of life of beat and workers, the disk, the last backup."""

import shutil
from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from common.work.heartbeats import read_heartbeats

BACKUP_MARK = "last-backup"  # in DATA_DIR; deploy/backup touches it at its end


def heartbeat_metrics() -> Iterator[Metric]:
    """Of all roles that this deployment has to have, those too that never lived.

    Raises: RedisError: the store is down; the scrape then leaves these metrics out.
    """
    signs = read_heartbeats()
    family = GaugeMetricFamily(
        "floodgate_heartbeat_timestamp_seconds", "When a role last gave a sign of life; 0: never.", labels=["role"]
    )
    for role in roles():
        family.add_metric([role], signs.get(role, 0.0))
    yield family


def roles() -> list[str]:
    queues = {entry["options"]["queue"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    return ["beat", *(f"worker-{queue}" for queue in sorted(queues | {settings.CELERY_TASK_DEFAULT_QUEUE}))]


def disk_metrics() -> Iterator[Metric]:
    """Raises OSError; the scrape then leaves these metrics out."""
    usage = shutil.disk_usage(settings.DATA_DIR)
    yield GaugeMetricFamily("floodgate_disk_free_bytes", "Free on the disk of DATA_DIR.", usage.free)
    yield GaugeMetricFamily("floodgate_disk_size_bytes", "Size of the disk of DATA_DIR.", usage.total)
    mark = settings.DATA_DIR / BACKUP_MARK
    if mark.exists():
        yield GaugeMetricFamily("floodgate_backup_timestamp_seconds", "End of the last backup.", mark.stat().st_mtime)

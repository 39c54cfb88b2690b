"""What a scrape of web tells of those who answer no requests."""

import os
import time
from pathlib import Path

from pytest_django import Settings

from common import valkey
from common.heartbeats import Heart
from gateway.watching import BACKUP_MARK, disk_metrics, heartbeat_metrics, roles


def signs() -> dict[str, float]:
    (family,) = heartbeat_metrics()
    return {sample.labels["role"]: sample.value for sample in family.samples}


def test_every_role_of_a_deployment_is_watched_also_one_that_never_lived() -> None:
    valkey.truth().delete(valkey.key("heartbeats"))
    assert signs() == dict.fromkeys(["beat", "worker-batches", "worker-events", "worker-flush", "worker-imports"], 0.0)
    Heart("beat", None)._tell()
    assert abs(signs()["beat"] - time.time()) < 5
    assert list(signs()) == roles()


def test_disk_and_last_backup_are_told(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    assert {family.name for family in disk_metrics()} == {"floodgate_disk_free_bytes", "floodgate_disk_size_bytes"}
    (tmp_path / BACKUP_MARK).touch()
    os.utime(tmp_path / BACKUP_MARK, (1_000, 1_000))
    *_, backup = disk_metrics()
    assert backup.samples[0].value == 1_000

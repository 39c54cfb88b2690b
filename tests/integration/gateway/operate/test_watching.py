"""What a scrape of web tells of those who answer no requests."""

import os
import re
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from common.stores import valkey
from common.work.heartbeats import Heart
from common.work.instance import _Instance
from config import taskmetrics  # noqa: F401  (as a worker has it)
from config.env import BASE_DIR
from gateway.operate import metrics
from gateway.operate.watching import BACKUP_MARK, disk_metrics, heartbeat_metrics, roles


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


@pytest.mark.django_db(transaction=True, databases=["default", "read"])
def test_every_metric_of_ours_in_rules_and_dashboards_is_told(settings: Settings, tmp_path: Path) -> None:
    """What exporters tell is checked by tests/alerts, where they run."""
    settings.DATA_DIR = tmp_path
    (tmp_path / BACKUP_MARK).touch()
    folder = BASE_DIR / "deploy/monitoring"
    paths = [*folder.glob("rules/*.yml"), *folder.glob("grafana/dashboards/*.json")]
    wanted = {name for path in paths for name in re.findall(r"\bfloodgate_[a-z0-9_]+", path.read_text())}
    asked = [metric for source in metrics._sources for metric in metrics._ask(source.ask)]
    told = {family.name for family in (*REGISTRY.collect(), *_Instance().collect(), *asked)}
    endings = ("", "_total", "_bucket", "_sum", "_count", "_info")
    assert wanted <= {name + ending for name in told for ending in endings}

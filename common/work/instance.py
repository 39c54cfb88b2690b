"""What Prometheus asks of one target: a server or a worker, with all processes that it forked.

They share their counters through mapped files, in prometheus_client's multiprocess mode, which tells nothing of the
processes themselves.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_first_pid = os.getpid()
_started_at = time.time()


class Usage(NamedTuple):
    """Of one process; ``cpu_seconds`` with those of its children that have ended, so sums never fall."""

    cpu_seconds: float
    resident_bytes: int
    open_files: int


def begin_instance() -> None:
    """This process is the first of its instance; those that it forks belong to it."""
    global _first_pid, _started_at
    _first_pid, _started_at = os.getpid(), time.time()


def instance_registry() -> CollectorRegistry:
    """All metrics of this instance but those that ask a store."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_Instance())
    return registry


class _Instance(Collector):
    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("floodgate_build", "The version that runs.", {"version": settings.FLOODGATE_VERSION})
        used = [usage for pid in _family(_first_pid) if (usage := _usage(pid))]
        yield GaugeMetricFamily("floodgate_processes", "Processes of this instance.", len(used))
        cpu_seconds = sum(usage.cpu_seconds for usage in used)
        yield CounterMetricFamily("process_cpu_seconds", "Processor time of all processes.", cpu_seconds)
        resident_bytes = sum(usage.resident_bytes for usage in used)
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Memory of all processes; shared pages count for each.", resident_bytes
        )
        yield GaugeMetricFamily("process_start_time_seconds", "Start of the first process.", _started_at)
        open_files = sum(usage.open_files for usage in used)
        yield GaugeMetricFamily("process_open_fds", "Open files of all processes.", open_files)


def _family(first_pid: int) -> Iterator[int]:
    yield first_pid
    for children in Path(f"/proc/{first_pid}/task").glob("*/children"):
        for child in _text(children).split():
            yield from _family(int(child))


def _usage(pid: int) -> Usage | None:
    """None of a process that has gone."""
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    try:
        open_files = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  (no path per file)
    except OSError:
        return None
    return Usage(sum(map(int, fields[11:15])) / _TICKS, int(fields[21]) * _PAGE_BYTES, open_files) if fields else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

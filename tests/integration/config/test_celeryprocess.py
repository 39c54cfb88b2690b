"""Beat and a worker as they are started: what Prometheus and health checks learn of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.stores import valkey
from common.work import heartbeats
from common.work.heartbeats import Heart, read_heartbeats
from config.env import BASE_DIR
from tests.acceptance.harness import free_port, paused, wait_until
from tests.valkeys import own_valkey

START_SECONDS = 60.0  # of a busy machine
# As all workers run: Celery's own heartbeat would wait for a broker within the loop, also when the worker is to end.
ALONE = ("--without-mingle", "--without-gossip", "--without-heartbeat")
WORKER = ("worker", "-Q", "flush", "-n", "flush@%h", "--concurrency", "1", *ALONE)
READY = " ready."
BEAT = ("beat", "--pidfile=")


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    sign: Path
    port: int

    def samples(self) -> dict[str, float]:
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text
        families = text_string_to_metric_families(text)
        return {one.name + "".join(one.labels.values()): one.value for family in families for one in family.samples}

    def age_seconds(self) -> float:
        return time.time() - self.sign.stat().st_mtime if self.sign.exists() else float("inf")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Running, int]]:
    """Beat, a worker of the queue flush, and the pid of their broker, which nobody else uses."""
    folder = tmp_path_factory.mktemp("celery")
    with ExitStack() as stack:
        broker = stack.enter_context(own_valkey(folder))
        url = f"redis+socket://{folder / 'own.sock'}"
        beat, worker = (_start(stack, folder, name, url) for name in (BEAT, WORKER))
        for part in (beat, worker):
            wait_until(lambda part=part: part.age_seconds() < 10, "sign of life", START_SECONDS)  # type: ignore[misc]
        yield beat, worker, broker.info("server")["process_id"]


def _start(stack: ExitStack, folder: Path, command: tuple[str, ...], broker: str) -> Running:
    running = folder / command[0]
    running.mkdir()
    port = free_port()
    environment = {"DATA_DIR": str(running), "CELERY_BROKER_URL": broker, "METRICS_PORT": str(port)}
    environment |= {"HEARTBEAT_FILE": str(running / "alive"), "FLOODGATE_VERSION": "v7"}
    environment |= {"PROMETHEUS_MULTIPROC_DIR": str(running / "metrics")}
    process = subprocess.Popen(
        [sys.executable, "-m", "config.celerycommand", *command],
        cwd=BASE_DIR,
        env=os.environ | environment,
        stdout=stack.enter_context((running / "log").open("wb")),
        stderr=subprocess.STDOUT,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return Running(process, running / "alive", port)


def test_scrape_tells_of_tasks_version_and_processes(parts: tuple[Running, Running, int]) -> None:
    beat, worker, _ = parts
    counted = "floodgate_task_duration_seconds_countcounters.flush"
    wait_until(lambda: worker.samples().get(counted, 0) >= 2, "tasks that are counted", START_SECONDS)
    found = worker.samples()
    outcomes = [value for name, value in found.items() if name.startswith("floodgate_tasks_total")]
    assert sum(outcomes) >= 2
    assert found["floodgate_processes"] == 2
    assert found["process_resident_memory_bytes"] > 2 * beat.samples()["process_resident_memory_bytes"] * 0.8
    assert found["process_cpu_seconds_total"] > 0
    assert found["floodgate_build_infov7"] == beat.samples()["floodgate_build_infov7"] == 1
    wait_until(lambda: {"beat", "worker-flush"} <= read_heartbeats().keys(), "signs in the store", 20)


def test_process_that_hangs_falls_silent_and_speaks_again(parts: tuple[Running, Running, int]) -> None:
    for part in parts[:2]:
        with paused([part.process.pid]):
            wait_until(lambda part=part: part.age_seconds() > 4 * heartbeats.BEAT_SECONDS, "silence", 30)  # type: ignore[misc]
        wait_until(lambda part=part: part.age_seconds() < 3, "new signs", 60)  # type: ignore[misc]


def test_worker_that_gets_a_hangup_starts_again(parts: tuple[Running, Running, int]) -> None:
    _, worker, _ = parts
    log = worker.sign.parent / "log"
    starts = log.read_text().count(READY)
    worker.process.send_signal(signal.SIGHUP)
    wait_until(lambda: log.read_text().count(READY) > starts, "another start", START_SECONDS)
    assert worker.process.poll() is None


def test_lost_broker_costs_no_life_and_no_scrape(parts: tuple[Running, Running, int]) -> None:
    beat, worker, broker = parts
    with paused([broker]):
        lost_at = time.time()
        os.kill(broker, signal.SIGKILL)
    for part in (beat, worker):
        wait_until(lambda part=part: part.sign.stat().st_mtime > lost_at + 6, "signs without a broker", 60)  # type: ignore[misc]
        assert part.process.poll() is None
        assert part.samples()["floodgate_processes"] >= 1


def test_loop_that_hangs_falls_silent_though_its_threads_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(heartbeats, "TELL_SECONDS", 0.05)
    monkeypatch.setattr(heartbeats, "SILENT_SECONDS", 0.5)
    heart = Heart("hanging", tmp_path / "alive")
    heart.beat()
    heart.start()
    wait_until(lambda: "hanging" in read_heartbeats(), "sign in the store", 10)
    time.sleep(1.0)  # longer than it may be silent
    last = read_heartbeats()["hanging"]
    time.sleep(0.5)  # ten times as long as the thread waits
    assert read_heartbeats()["hanging"] == last
    valkey.truth().delete(heartbeats._key())

"""The parts of the stack: stores, set-up, server and Celery processes. One more part is one more line."""

import http.client
import signal
import sys
from functools import partial
from pathlib import Path

from config import env
from devstack.postgres import postgres_part
from devstack.process import Part
from devstack.valkey import valkey_parts

HOST = "127.0.0.1"
SET_UP = Part(name="set-up", command=[sys.executable, "manage.py", "set_up"])

# Requests go first where both want the CPU: 10,600 appends a second beside a busy consumer, 7,300 without.
BEHIND_WEB = ("nice", "-n", "5")
CELERY_PARTS = ("worker-imports", "worker-flush", "worker-batches", "worker-events", "beat")


def store_parts(data_dir: Path, *, durable: bool) -> dict[str, Part]:
    """The parts of the stores in start order, by the name of the variable that replaces each."""
    truth, cache = valkey_parts(data_dir)
    return {
        "DATABASE_URL": postgres_part(data_dir, durable=durable),
        "VALKEY_URL": truth,
        "VALKEY_CACHE_URL": cache,
    }


def application_parts(*, reload: bool) -> list[Part]:
    """Parts in start order; all need the stores. ``reload`` is for `make dev`."""
    return [
        _web("--reload" if reload else None),
        _celery("worker-imports", *_worker("imports", env.IMPORT_WORKERS)),
        _celery("worker-flush", *_worker("flush", env.FLUSH_WORKERS)),
        _celery("worker-batches", *_worker("batches", 2)),  # a long replay or batch leaves one to the others
        _celery("worker-events", *_worker("events", 2)),  # the consumer keeps one busy; flags are renewed by the other
        _celery("beat", "beat", "--pidfile=", orphan_signal=signal.SIGKILL),  # it leaves QUIT as it finds it
    ]


def _web(*options: str | None) -> Part:
    command = ["gunicorn", "-c", "config/gunicorn.py", *filter(None, options), "config.asgi:application"]
    return Part(
        name="web",
        command=[sys.executable, "-m", *command],
        is_ready=partial(_answers_200, "/health/ready"),
        grace_seconds=25.0,  # gunicorn gives its requests 20
        stops_beside_others=True,
    )


def _worker(queue: str, concurrency: int) -> list[str]:
    """Without heartbeats, which nobody hears: waiting for a dead broker, one keeps the worker from ending."""
    options = ["--concurrency", str(concurrency), "--without-mingle", "--without-gossip", "--without-heartbeat"]
    return ["worker", "-Q", queue, "-n", f"{queue}@%h", *options]


def _celery(name: str, *arguments: str, orphan_signal: signal.Signals = signal.SIGQUIT) -> Part:
    """Without a supervisor the stores go too: do not wait for tasks."""
    return Part(
        name=name,
        command=[*BEHIND_WEB, *_metrics_port(name), sys.executable, "-m", "config.celerycommand", *arguments],
        orphan_signal=orphan_signal,
        restarts_on_change=True,
        stops_beside_others=True,
    )


def _metrics_port(name: str) -> list[str]:
    """METRICS_PORT is the first one's; the others have those behind it."""
    return ["env", f"METRICS_PORT={env.METRICS_PORT + CELERY_PARTS.index(name)}"] if env.METRICS_PORT else []


def _answers_200(path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, env.PORT, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

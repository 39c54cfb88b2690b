"""What workers and beat have in common: metrics and signs of life. config/workerprocess.py and config/beatprocess.py.

Web and commands import ``config.celery`` alone. Like config/gunicorn.py this must come before prometheus_client, which
decides when it is imported whether the processes of a worker share their counters.
"""

import atexit
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.app.amqp import AMQP
from celery.apps import worker
from kombu import Connection

from config import env
from config.celery import app


def _share_counters(folder: Path) -> None:
    """Those of an earlier run would add up with ours."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # children end without it


if env.METRICS_PORT:  # one folder each where several run on one machine
    _share_counters(Path(f"{env.PROMETHEUS_MULTIPROC_DIR}-{env.METRICS_PORT}"))

from common.work.heartbeats import BEAT_SECONDS, Heart  # noqa: E402
from common.work.instance import begin_instance, instance_registry  # noqa: E402
from config import taskmetrics  # noqa: E402, F401  (counts what tasks do)

_hearts: list[Heart] = []
os.register_at_fork(after_in_child=_hearts.clear)  # the children say nothing about the loop


def _say(message: str, *_: object) -> None:
    """In the form of the log, from a handler of signals, which must not log. Celery would write plain text."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    fields = {"timestamp": now, "level": "info", "logger": worker.__name__, "event": message.strip()}
    os.write(2, (json.dumps(fields) + "\n").encode())


if env.LOG_FORMAT == "json":
    worker.safe_say = _say  # type: ignore[attr-defined]  # the stubs lack it


def beat() -> None:
    for heart in _hearts:
        heart.beat()


class BeatingConnection(Connection):
    """Whoever waits for a broker that is away lives: there is nothing better to do."""

    def _ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        callback: Callable[[], object] | None = kwargs.pop("callback", None)

        def wait() -> None:
            beat()
            if callback:
                callback()

        kwargs["callback"] = wait
        return super()._ensure_connection(*args, **kwargs)


class BeatingAMQP(AMQP):
    Connection = BeatingConnection


class BeatingLoop(bootsteps.StartStopStep):
    """The loop of a worker's first process, which gives tasks to the others."""

    requires = ("celery.worker.components:Timer",)

    def start(self, worker: Any) -> None:
        worker.timer.call_repeatedly(BEAT_SECONDS, beat)


app.amqp_cls = "config.celeryprocess:BeatingAMQP"
app.steps["worker"].add(BeatingLoop)


def begin(role: str) -> None:
    begin_instance()
    heart = Heart(role, Path(env.HEARTBEAT_FILE) if env.HEARTBEAT_FILE else None)
    _hearts.append(heart)
    heart.start()
    if env.METRICS_PORT:
        _serve_metrics()


def _serve_metrics() -> None:
    """On a thread: a scrape is answered whatever the loop and the stores do."""
    from prometheus_client import start_http_server

    server, _ = start_http_server(env.METRICS_PORT, addr=env.BIND_HOST, registry=instance_registry())
    os.register_at_fork(after_in_child=server.socket.close)

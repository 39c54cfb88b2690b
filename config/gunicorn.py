"""Server settings. ``gunicorn -c config/gunicorn.py config.asgi:application``."""

import gc
import os
import shutil
import signal
import socket
from importlib import import_module
from typing import Any

from config import env
from config.settings.logging import LOGGING

logconfig_dict = {
    **LOGGING,
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["console"], "propagate": False}},
}
bind = f"{env.BIND_HOST}:{env.PORT}"
workers = env.WEB_WORKERS
worker_class = "config.worker.Worker"
keepalive = 75  # seconds; clients of the hot path live on kept connections
timeout = 30
graceful_timeout = 20
backlog = 2048
UNSENT_MILLISECONDS = 30_000
control_socket_disable = True  # several instances on one machine, read-only containers

os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(env.PROMETHEUS_MULTIPROC_DIR)


def on_starting(server: Any) -> None:
    _share_counters()
    if not server.cfg.reload:
        _share_modules()


def _share_counters() -> None:
    """Those of an earlier run would add up with ours."""
    from common.work.instance import begin_instance

    begin_instance()
    shutil.rmtree(env.PROMETHEUS_MULTIPROC_DIR, ignore_errors=True)
    env.PROMETHEUS_MULTIPROC_DIR.mkdir(mode=0o700, parents=True)


def _share_modules() -> None:
    """Load once what all workers need, and keep collections of garbage from copying it to each.

    Not with ``preload_app``: config/asgi.py begins what lives in a worker, such as traces.
    """
    from django.conf import settings
    from django.utils.module_loading import autodiscover_modules

    import config.wsgi  # noqa: F401

    autodiscover_modules("hot")
    import_module(settings.ROOT_URLCONF)
    gc.collect()
    gc.freeze()


def on_exit(server: Any) -> None:
    shutil.rmtree(env.PROMETHEUS_MULTIPROC_DIR, ignore_errors=True)


def when_ready(server: Any) -> None:
    """Connections inherit it: one whose peer takes nothing for this long is gone, with what the kernel holds for it."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_MILLISECONDS)


def post_fork(server: Any, worker: Any) -> None:
    """Until the worker has its own handlers the server's would take a signal, and its end be waited for in vain."""
    from config.worker import ENDING

    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def child_exit(server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

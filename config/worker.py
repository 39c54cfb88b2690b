"""gunicorn's worker: uvicorn's server with our protocol. See docs/adr/0012."""

import asyncio
import gc
import signal

from uvicorn_worker import UvicornWorker

from gateway.server.protocol import Protocol

ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
GRACEFUL_SECONDS = 18  # for what is asked; less than ``graceful_timeout`` of config/gunicorn.py


class Worker(UvicornWorker):  # type: ignore[misc]
    """Addresses of clients are the gateway's business, and so are logs of requests."""

    CONFIG_KWARGS = {
        "loop": "uvloop",
        "http": Protocol,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "log_level": "error",  # what is wrong with requests is told to who sent them
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": GRACEFUL_SECONDS,
    }

    def _install_sigquit_handler(self) -> None:
        """gunicorn sends it to its workers when it is interrupted; uvicorn's worker would go on. As with SIGTERM."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, signal.raise_signal, signal.SIGTERM)

    def run(self) -> None:
        """What is loaded by now stays: a collection of garbage that looks at all of it stops every request for it."""
        gc.collect()
        gc.freeze()
        super().run()

    def init_signals(self) -> None:
        """From here on a signal ends this process, and not what it was forked from: config/gunicorn.py held it back."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

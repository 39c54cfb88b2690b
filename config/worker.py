"""gunicorn's worker, which does not wait at its end for clients that have nothing to ask.

They keep their connections for as long as ``keepalive`` says, and gunicorn would give each the whole of
``graceful_timeout`` to leave.
"""

from weakref import WeakSet

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi


class Connection(ASGIProtocol):  # type: ignore[misc]
    """Known to its worker for as long as it lives."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(worker)
        worker.connections.add(self)

    def close_idle(self) -> None:
        """Close it, unless a request is being answered: what that has takes its time."""
        if self._awaiting_request:
            self._keepalive_timeout()


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """See the head of this module."""

    connections: WeakSet[Connection]

    def init_process(self) -> None:
        self.connections = WeakSet()
        gasgi.ASGIProtocol = Connection  # what the worker makes for each connection
        super().init_process()

    async def _shutdown(self) -> None:
        for connection in list(self.connections):
            connection.close_idle()
        await super()._shutdown()

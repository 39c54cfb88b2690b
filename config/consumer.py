"""Celery's consumer, but for what it leaves behind."""

from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer
from kombu.common import ignore_errors


class Consumer(CeleryConsumer):
    hub: Any
    amqheartbeat: Any

    def connect(self) -> Any:
        """Also closes a connection that is refused only now, when it is first written to: a broker that is a replica
        for minutes would end with as many as it may have, and then no worker would come back.
        """
        connection = self.connection_for_read(heartbeat=self.amqheartbeat)
        try:
            if self.hub:
                connection.transport.register_with_event_loop(connection.connection, self.hub)
        except Exception:
            ignore_errors(connection, connection.close)
            raise
        return connection

"""What a worker leaves behind at a broker that comes and goes."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from celery import Celery
from kombu.asynchronous import Hub
from redis.exceptions import ReadOnlyError

from config.consumer import Consumer
from tests.valkeys import own_valkey


def test_connections_that_are_refused_are_closed(tmp_path: Path) -> None:
    with own_valkey(tmp_path) as broker:
        celery = Celery(broker=f"redis+socket://{tmp_path}/own.sock")
        worker = SimpleNamespace(
            connection_for_read=lambda heartbeat: celery.connection().ensure_connection(), amqheartbeat=0, hub=Hub()
        )
        broker.replicaof("127.0.0.1", "1")
        before = len(broker.client_list())
        for _ in range(3):
            with pytest.raises(ReadOnlyError):
                Consumer.connect(worker)  # type: ignore[arg-type]
        assert len(broker.client_list()) == before

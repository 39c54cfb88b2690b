"""Kept connections: one that the server has ended is replaced before its next use, without asking for the others."""

import psycopg
import pytest
from django.db import close_old_connections, connection

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def terminate(pid: int) -> None:
    parameters = {**connection.get_connection_params(), "cursor_factory": psycopg.Cursor}
    parameters.pop("context")
    with psycopg.connect(**parameters) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def test_kept_connection_is_used_again_and_nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    before = backend()
    monkeypatch.setattr(connection, "is_usable", lambda: pytest.fail("asked"))
    close_old_connections()
    assert backend() == before


def test_word_of_the_server_is_no_end() -> None:
    before = backend()
    with connection.cursor() as cursor:
        cursor.execute("LISTEN here; NOTIFY here")
    close_old_connections()
    assert backend() == before


def test_connection_that_the_server_ended_is_replaced() -> None:
    before = backend()
    terminate(before)
    close_old_connections()
    assert backend() != before

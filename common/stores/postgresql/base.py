"""Django asks each kept connection ``SELECT 1`` before its next use, so each batch would wait for one more answer.

A server that has ended a connection has said so, or at least closed it, and that is in the socket already. One that
vanished without a word is not noticed by this; ``SELECT 1`` would only hang on it, as the next statement does.
"""

import psycopg
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper


class DatabaseWrapper(PostgresWrapper):
    health_check_done: bool

    def close_if_health_check_failed(self) -> None:
        """``is_usable`` still asks the server, which is for those who hold locks."""
        if not self.health_check_done and self.connection is not None and not _has_ended(self.connection):
            self.health_check_done = True
        super().close_if_health_check_failed()


def _has_ended(connection: "psycopg.Connection[object]") -> bool:
    """Whether the server has said so; asks nobody."""
    wire = connection.pgconn
    try:
        wire.consume_input()  # what the server said last
        wire.is_busy()  # reads it
        wire.consume_input()  # the end of the connection, where one came behind it
    except psycopg.Error:
        return True
    return wire.status != psycopg.pq.ConnStatus.OK

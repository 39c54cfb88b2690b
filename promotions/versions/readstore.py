"""Carries a version from the write store to a read store that is another server."""

from django.db import connections, transaction

from promotions.serving.routers import READ_STORE
from promotions.tables import COPY_COLUMNS, create_table, index_table, table_exists, table_names


def pull_version(version: int, table_count: int) -> None:
    """Copy the version's tables; one transaction each, so a table that exists is complete and is not copied again."""
    for name in table_names(version, table_count):
        if not table_exists(name, using=READ_STORE):
            _pull_table(name)


def _pull_table(name: str) -> None:
    columns = ", ".join(COPY_COLUMNS)
    source, target = connections["default"], connections[READ_STORE]
    with (
        transaction.atomic(),
        transaction.atomic(using=READ_STORE),
        source.cursor() as reader,
        target.cursor() as writer,
    ):
        for cursor in (reader, writer):
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # one waits while the other works
        create_table(name, using=READ_STORE)
        with (
            source.wrap_database_errors,
            reader.copy(f"COPY {name} ({columns}) TO STDOUT (FORMAT BINARY)") as rows,
            writer.copy(f"COPY {name} ({columns}) FROM STDIN (FORMAT BINARY)") as loading,
        ):
            for data in rows:
                loading.write(data)
        index_table(name, using=READ_STORE)

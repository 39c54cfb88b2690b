"""The primary key of each table, and on the way to it the duplicate ids."""

from django.db import IntegrityError, connection, transaction

from promotions.duplicates import remove_duplicates
from promotions.locks import lock_import
from promotions.models import Import, ImportStatus
from promotions.states import move_on
from promotions.tables import index_table, table_name


def index_import(found: Import) -> bool:
    """Index the import's next table, or go on to the checks when all have their key.

    The key and the removal of duplicates commit together with the count of indexed tables.
    """
    if found.indexed_tables == found.table_count:
        move_on(found, ImportStatus.CHECKING)
        return True
    with transaction.atomic():
        _allow_long_statements()
        duplicates = _index(found.id, table_name(found.id, found.indexed_tables, found.table_count))
        lock_import(found.id)
        move_on(
            found,
            ImportStatus.INDEXING,
            indexed_tables=found.indexed_tables + 1,
            rows_duplicate=found.rows_duplicate + duplicates,
        )
    return True


def _index(import_id: int, name: str) -> int:
    """Most files have no duplicates, so the key itself is the test for them. Returns how many rows were removed."""
    try:
        with transaction.atomic():
            index_table(name)
    except IntegrityError:
        duplicates = remove_duplicates(import_id, name)
        index_table(name)
        return duplicates
    return 0


def _allow_long_statements() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")

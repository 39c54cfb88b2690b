"""The primary key of each table; before it, duplicate ids are removed."""

from django.db import connection, transaction

from promotions.duplicates import forget_digests, remove_duplicates
from promotions.models import Import, ImportStatus
from promotions.states import move_on
from promotions.tables import index_table, table_name


def index_import(found: Import) -> bool:
    """Index the import's next table, or go on to the checks when all have their key.

    The key and the removal of duplicates commit together with the count of indexed tables.
    """
    index = found.indexed_tables
    if index == found.table_count:
        forget_digests(found.id)
        move_on(found, ImportStatus.CHECKING)
        return True
    name = table_name(found.id, index, found.table_count)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        duplicates = found.rows_duplicate + remove_duplicates(found.id, name, index)
        index_table(name)
        move_on(found, ImportStatus.INDEXING, indexed_tables=index + 1, rows_duplicate=duplicates)
    return True

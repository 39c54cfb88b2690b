"""The primary key of each table; before it, duplicate ids are removed."""

from django.db import connection
from django.db.models import F

from promotions.imports.states import move_on
from promotions.models import Import, ImportStatus, VersionTable
from promotions.steps.duplicates import forget_digests, remove_duplicates
from promotions.tables import index_table, table_name


def index_version_table(table: VersionTable) -> None:
    """Index a table that the caller has locked, in the caller's transaction, together with the count of duplicates."""
    import_ = table.source_import
    name = table_name(import_.id, table.index, import_.table_count)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SET LOCAL max_parallel_maintenance_workers = 0"
        )  # the import workers index side by side instead
    duplicates = remove_duplicates(import_.id, name, table.index)
    index_table(name)
    table.is_indexed = True
    table.save(update_fields=["is_indexed"])
    move_on(import_, ImportStatus.INDEXING, rows_duplicate=F("rows_duplicate") + duplicates)


def finish_indexing(import_: Import) -> bool:
    """Go on to the checks once every table has its key."""
    if import_.tables.filter(is_indexed=False).exists():
        return False
    forget_digests(import_.id)
    move_on(import_, ImportStatus.CHECKING)
    return True

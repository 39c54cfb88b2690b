"""What tests about promotions share: files of known rows, whole imports in this process, and what they left behind."""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connections

from common.errors import FloodgateError
from common.stores import valkey
from common.stores.guarded import CACHE, READ_STORE
from promotions.imports.progress import import_progress
from promotions.imports.submitting import submit_import
from promotions.models import Import, Reject
from promotions.serving.pointer import NOTHING_LIVE, POINTER
from promotions.serving.selectors import find_promotions
from promotions.steps.importing import work_on_imports
from promotions.tables import drop_table, existing_tables, table_names
from promotions.types import Found

DATE = "2018-06-24 14:50:03 +0200 CEST"


def id_of(number: int) -> UUID:
    """Spread over the whole range, so that every table of a version gets some; the order is kept."""
    return UUID(int=(number * 7919 % 65_536) << 112 | number)


def row(number: int, price: str = "1.50") -> str:
    return f"{id_of(number)},{price},{DATE}\n"


def rows(numbers: Iterable[int], price: str = "1.50") -> str:
    return "".join(row(number, price) for number in numbers)


def submit(content: str | bytes, name: str = "promotions.csv") -> Import:
    """Queue a file with this content; it does no work on it."""
    path = Path(settings.IMPORT_ROOT) / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return submit_import(name, path)


def imported(content: str | bytes, name: str = "promotions.csv") -> Import:
    """Queue a file and work until nothing is left to do."""
    return finished(submit(content, name))


def finished(import_: Import) -> Import:
    work_on_imports()
    import_.refresh_from_db()
    return import_


def accounting(import_: Import) -> tuple[int, int, int, int]:
    """(loaded, rejected, duplicate, blank)"""
    now = import_progress(import_.id)
    return now.rows_loaded, now.rows_rejected, now.rows_duplicate, now.rows_blank


def stored_rows(version: int, table_count: int = 1, *, using: str = "default") -> list[tuple[UUID, str, int]]:
    """(id, price, line) of everything that a version holds, by line."""
    found: list[tuple[UUID, str, int]] = []
    with connections[using].cursor() as cursor:
        for name in table_names(version, table_count):
            cursor.execute(f"SELECT id, price::text, line FROM {name}")
            found += cursor.fetchall()
    return sorted(found, key=lambda stored: stored[2])


def served(number: int) -> str | None:
    """The price that readers get, or None where there is no such promotion."""
    return served_prices([number])[0]


def served_prices(numbers: Iterable[int]) -> list[str | None]:
    return [_price(found) for found in find_promotions([id_of(number) for number in numbers])]


def _price(found: Found | FloodgateError) -> str | None:
    if isinstance(found, FloodgateError):
        raise found
    return found.body.decode().split('"price": ')[1].split(",")[0] if found.body else None


def rejects_of(import_: Import) -> list[tuple[int, int | None, str, str, int | None]]:
    """(line, offset, column, reason, kept_line) by line."""
    columns = ("line", "offset", "column", "reason", "kept_line")
    return list(Reject.objects.filter(source_import=import_).order_by("line", "id").values_list(*columns))


def forget_everything() -> None:
    """Epochs start anew in each test's emptied database, so what remembers the last test's must forget them."""
    valkey.cache_store().flushdb()
    POINTER._live, POINTER._checked_at = NOTHING_LIVE, float("-inf")
    CACHE.is_open = READ_STORE.is_open = False


def drop_all_versions() -> None:
    for name, _ in existing_tables(using="default"):
        drop_table(name, using="default")

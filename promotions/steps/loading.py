"""Loading one chunk: read, parse, COPY and account for it in one transaction."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from django.db import connection
from django.db.backends.utils import CursorWrapper

from promotions.imports.rejects import REJECTS_KEPT, count_earlier, save_rejects
from promotions.imports.states import end_import
from promotions.locks import lease_keeper
from promotions.models import Chunk, ImportStatus
from promotions.rows.blocks import Block, parse_block
from promotions.rows.copyformat import HEADER, TRAILER, encode_rows
from promotions.rows.rowtext import RejectedLine
from promotions.rows.rowwords import Bytes
from promotions.steps.duplicates import keep_digests
from promotions.steps.planning import read_chunk
from promotions.steps.publishchecks import early_stop_error
from promotions.tables import COPY_COLUMNS, table_name


@dataclass
class _Tally:
    """What became of a chunk's lines so far."""

    lines: int = 0
    loaded: int = 0
    blank: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    rejects: list[RejectedLine] = field(default_factory=list)

    def add(self, block: Block) -> None:
        self.lines += block.line_count
        self.loaded += len(block.lines)
        self.blank += block.blank
        self.reasons += block.reasons
        self.rejects += block.rejects


@dataclass
class _TableRows:
    """Rows for one of the version's tables."""

    tuples: list[memoryview] = field(default_factory=list)
    ids: list[Bytes] = field(default_factory=list)


def load_chunk(chunk: Chunk) -> None:
    """Load a chunk that the caller has locked, in the caller's transaction. Ends the import once too many rows are bad.

    Raises: SourceChanged, SourceUnreadable: the file is not what was planned any more.
    """
    import_ = chunk.source_import
    tables = [_TableRows() for _ in range(import_.table_count)]
    tally, error = _parse(chunk, tables)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL synchronous_commit = off")  # a crash loses rows and chunk mark together: loaded again
        save_rejects(cursor, import_.id, tally.rejects)
        if not error:
            _copy(cursor, chunk, tables)
    _account(chunk, tally, is_done=not error)
    if error:
        end_import(import_.id, ImportStatus.QUARANTINED, error)


def _parse(chunk: Chunk, tables: list[_TableRows]) -> tuple[_Tally, str]:
    """Fill ``tables`` with the chunk's good rows. Returns what became of its lines, and why the import must stop."""
    earlier = count_earlier(chunk)
    tally, error = _Tally(), ""
    columns = tuple(chunk.source_import.columns.split(","))
    with Path(chunk.source_import.plain_path).open("rb") as file:
        keep_alive = lease_keeper()
        for data, first_line, offset in read_chunk(file, chunk):
            keep = max(0, REJECTS_KEPT - earlier.rejected - len(tally.rejects))
            block = parse_block(data, first_line, offset, keep, columns)
            _distribute(block, tables)
            keep_alive(None)
            tally.add(block)
            error = early_stop_error(earlier.rejected + tally.reasons.total(), earlier.lines + tally.lines)
            if error:
                break
    return tally, error


def _distribute(block: Block, tables: list[_TableRows]) -> None:
    prefixes = block.ids[:, 0].astype(np.int64) << 8 | block.ids[:, 1]
    indexes = prefixes * len(tables) >> 16  # as tables.table_index
    for index, table in enumerate(tables):
        selection = None if len(tables) == 1 else indexes == index
        table.tuples.append(encode_rows(block, selection))
        table.ids.append(block.ids if selection is None else block.ids[selection])


def _copy(cursor: CursorWrapper, chunk: Chunk, tables: list[_TableRows]) -> None:
    """One COPY per table and chunk: one per block took the server half as long again."""
    for index, rows in enumerate(tables):
        name = table_name(chunk.source_import_id, index, len(tables))
        statement = f"COPY {name} ({', '.join(COPY_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
        with connection.wrap_database_errors, cursor.copy(statement) as copy:
            for part in (HEADER, *rows.tuples, TRAILER):
                copy.write(part)
        keep_digests(cursor, chunk.id, index, np.concatenate(rows.ids))


def _account(chunk: Chunk, tally: _Tally, *, is_done: bool) -> None:
    chunk.is_done = is_done
    chunk.rows_loaded, chunk.rows_blank = tally.loaded, tally.blank
    chunk.rows_rejected, chunk.reject_reasons = tally.reasons.total(), dict(tally.reasons)
    chunk.save(update_fields=["is_done", "rows_loaded", "rows_blank", "rows_rejected", "reject_reasons"])

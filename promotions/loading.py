"""Loading one chunk: read, parse, COPY and account for it in one transaction."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from django.db import connection
from django.db.backends.utils import CursorWrapper

from promotions.copyformat import COLUMNS, HEADER, TRAILER, encode_rows
from promotions.gates import reject_share_error
from promotions.locks import lock_import
from promotions.models import ACTIVE, Chunk, Import, ImportStatus
from promotions.planning import Chunk as PlannedChunk
from promotions.planning import read_chunk
from promotions.rejects import REJECTS_KEPT, count_earlier, save_rejects
from promotions.rows import Block, Reject, parse_block
from promotions.states import finish_import
from promotions.tables import table_names

EARLY_STOP_LINES = 100_000


@dataclass
class _Tally:
    """What became of a chunk's lines so far."""

    lines: int = 0
    loaded: int = 0
    blank: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)

    def add(self, block: Block) -> None:
        self.lines += block.line_count
        self.loaded += len(block.lines)
        self.blank += block.blank
        self.reasons += block.reasons
        self.rejects += block.rejects


def load_chunk(chunk: Chunk) -> None:
    """Load a chunk that the caller has locked, in the caller's transaction. Ends the import once too many rows are bad.

    Raises: SourceError: the file is not what was planned any more.
    """
    found = chunk.source_import
    earlier = count_earlier(chunk)
    tally, error = _Tally(), ""
    planned = PlannedChunk(chunk.number, chunk.offset, chunk.length, chunk.first_line, chunk.line_count, chunk.checksum)
    with Path(found.plain_path).open("rb") as file, connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for data, first_line, offset in read_chunk(file, planned):
            keep = max(0, REJECTS_KEPT - earlier.rejected - len(tally.rejects))
            block = parse_block(data, first_line, offset, keep_rejects=keep)
            _copy(cursor, found, block)
            tally.add(block)
            lines = earlier.lines + tally.lines
            if lines >= EARLY_STOP_LINES and (
                error := reject_share_error(earlier.rejected + tally.reasons.total(), lines)
            ):
                break
        save_rejects(cursor, found.id, tally.rejects)
    _account(chunk, tally, is_done=not error)
    if error:
        _quarantine(found.id, error)


def _copy(cursor: CursorWrapper, found: Import, block: Block) -> None:
    names = table_names(found.id, found.table_count)
    prefixes = block.ids[:, 0].astype(np.int64) << 8 | block.ids[:, 1]
    places = prefixes * len(names) >> 16  # as tables.table_index
    for index, name in enumerate(names):
        selection = None if len(names) == 1 else places == index
        statement = f"COPY {name} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"
        with connection.wrap_database_errors, cursor.copy(statement) as copy:
            copy.write(HEADER)
            copy.write(encode_rows(block, selection))
            copy.write(TRAILER)


def _account(chunk: Chunk, tally: _Tally, *, is_done: bool) -> None:
    chunk.is_done = is_done
    chunk.rows_loaded, chunk.rows_blank = tally.loaded, tally.blank
    chunk.rows_rejected, chunk.reject_reasons = tally.reasons.total(), dict(tally.reasons)
    chunk.save(update_fields=["is_done", "rows_loaded", "rows_blank", "rows_rejected", "reject_reasons"])


def _quarantine(import_id: int, error: str) -> None:
    found = lock_import(import_id)
    if found.status in ACTIVE:
        finish_import(found, ImportStatus.QUARANTINED, error)

"""Rows of a chunk, and what becomes of them."""

from typing import Any, NamedTuple

from common.errors import FloodgateError, in_words
from rates.batches.bodies import read_line
from rates.models import BatchChunk, BatchReject
from rates.parsing import read_upload
from rates.prices.uploading import upload_prices

RAW_CHARACTERS = DETAIL_CHARACTERS = 1_024  # a row may have a million wrong fields


class Row(NamedTuple):
    """A line of a batch. Attributes: number: as the batch's sender counts; line: not read yet."""

    batch_id: int
    number: int
    line: bytes

    def rejected(self, code: str, detail: str) -> BatchReject:
        """The outcome of a row that becomes no price."""
        detail = _storable(detail[:DETAIL_CHARACTERS])
        raw = _storable(self.line.decode(errors="replace")[:RAW_CHARACTERS])
        return BatchReject(batch_id=self.batch_id, row=self.number, code=code, detail=detail, raw=raw)


def _storable(text: str) -> str:
    """Without NUL and halves of surrogates, which names of fields may hold and PostgreSQL does not."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def rows_of(chunk: BatchChunk) -> list[Row]:
    """Its lines that are not blank. Nothing of them is parsed here, so it works for any."""
    lines = enumerate(bytes(chunk.text).split(b"\n"), chunk.first_line)
    return [Row(chunk.batch_id, number, line) for number, line in lines if line]


def apply_rows(rows: list[Row], columns: list[str]) -> list[BatchReject]:
    """Add the prices of the good rows, in the caller's transaction. Returns an outcome for each of the others."""
    read = [_read(row, columns) for row in rows]
    good = [upload for upload in read if not isinstance(upload, FloodgateError)]
    added = iter(upload_prices(good))
    outcomes = [each if isinstance(each, FloodgateError) else next(added) for each in read]
    pairs = zip(rows, outcomes, strict=True)
    return [_rejected(row, outcome) for row, outcome in pairs if isinstance(outcome, FloodgateError)]


def _read(row: Row, columns: list[str]) -> Any:
    try:
        return read_upload(read_line(row.line, columns), row.batch_id, row.number)
    except FloodgateError as error:
        return error


def _rejected(row: Row, error: FloodgateError) -> BatchReject:
    return row.rejected(error.code, in_words(getattr(error, "errors", ())) or error.detail)

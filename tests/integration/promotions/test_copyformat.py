"""The server itself says whether we write its binary format and compute its hash."""

import datetime
import uuid
from decimal import Decimal

import numpy as np
import pytest
from django.db import connection

from promotions.rows.blocks import Block, parse_block
from promotions.rows.copyformat import HEADER, TRAILER, encode_rows
from promotions.rows.digests import digest_ids
from promotions.tables import COPY_COLUMNS

pytestmark = pytest.mark.django_db

ID = "d018ef0b-dbd9-48f1-ac1a-eb4d90e5711"
PRICES = [
    "0",
    "0.000001",
    "0.01",
    "1",
    "9999",
    "10000",
    "10000.0001",
    "60.683466",
    "123456789.5",
    "999999999999.999999",
]
DATES = ["2018-08-04T05:32:31.000001Z"] * 8 + ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
TEXT = "".join(f"{ID}{n},{PRICES[n]},{DATES[n]}\n" for n in range(10)).encode()


def loaded(block: Block, selection: np.ndarray | None = None) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE probe (id uuid, expiration_date timestamptz, line bigint, price numeric(18,6))"
        )
        with cursor.copy(f"COPY probe ({', '.join(COPY_COLUMNS)}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(HEADER)
            copy.write(encode_rows(block, selection))
            copy.write(TRAILER)
        cursor.execute("SELECT line, id, price, expiration_date, uuid_hash_extended(id, 0) FROM probe ORDER BY line")
        return list(cursor.fetchall())


def test_server_reads_back_what_was_parsed() -> None:
    rows = loaded(parse_block(TEXT, 1, 0, keep_rejects=9))
    assert [row[0] for row in rows] == list(range(1, 11))
    assert [row[1] for row in rows] == [uuid.UUID(f"{ID}{n}") for n in range(10)]
    assert [Decimal(str(row[2])) for row in rows] == [Decimal(price) for price in PRICES]
    assert [row[3] for row in rows] == [datetime.datetime.fromisoformat(date) for date in DATES]


def test_selection_takes_only_its_rows() -> None:
    block = parse_block(TEXT, 1, 0, keep_rejects=9)
    assert [row[0] for row in loaded(block, block.lines % 2 == 0)] == [2, 4, 6, 8, 10]


def test_digest_is_the_servers_hash() -> None:
    block = parse_block(TEXT, 1, 0, keep_rejects=9)
    assert digest_ids(block.ids).view(np.int64).tolist() == [row[4] for row in loaded(block)]

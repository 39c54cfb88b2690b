"""A batch of 50,000 prices whose workers are killed."""

import csv
import http.client
import io
import json
import os
import random
import signal
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.acceptance.harness import Stack, wait_until

pytestmark = pytest.mark.timeout(200)  # a busy machine takes long to start two workers again

ROWS, BAD_ROW = 50_000, 31_415
CODES = [f"P{number:04d}" for number in range(60)]
ENDED = ("finished", "failed", "cancelled")

# Sum and number of prices by origin, destination and day.
Book = dict[tuple[str, str, date], tuple[Decimal, int]]


def make_rows() -> list[dict[str, Any]]:
    rng = random.Random(6)
    rows = [make_row(rng) for _ in range(ROWS)]
    rows[BAD_ROW - 1]["destination_code"] = "NOWHR"
    return rows


def make_row(rng: random.Random) -> dict[str, Any]:
    origin, destination = rng.sample(CODES, 2)
    first = date(2026, 1, 1) + timedelta(days=rng.randrange(300))
    last = first + timedelta(days=rng.choice((0, 0, 0, 0, 0, 0, 0, 0, 0, 2)))
    fields = {"date_from": str(first), "date_to": str(last), "price": rng.randint(100, 900_000) / 100}
    return fields | {"origin_code": origin, "destination_code": destination}


def oracle(rows: list[dict[str, Any]]) -> Book:
    book: Book = {}
    for number, row in enumerate(rows, 1):
        first, last = date.fromisoformat(row["date_from"]), date.fromisoformat(row["date_to"])
        for days in range((last - first).days + 1 if number != BAD_ROW else 0):
            key = (row["origin_code"], row["destination_code"], first + timedelta(days=days))
            total, count = book.get(key, (Decimal(0), 0))
            book[key] = (total + Decimal(str(row["price"])), count + 1)
    return book


def ask(stack: Stack, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=20)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def state(stack: Stack, batch_id: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(stack, "GET", f"/rates/batches/{batch_id}")[1])
    return found


def kill_workers(stack: Stack) -> None:
    """The part and its children: the one that holds a chunk dies in the middle of it."""
    pids = stack.pids("worker-batches")
    stack.remember()
    for pid in reversed(pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    stack.wait_for_restart("worker-batches", pids[0])


def wait_for_rows(stack: Stack, batch_id: int, more_than: int) -> int:
    """Rows that have their outcome, once there are more than that; the batch must not be over by then."""
    wait_until(
        lambda: state(stack, batch_id)["rows_applied"] > more_than, "progress", on_failure=lambda: stack.log[-3_000:]
    )
    now = state(stack, batch_id)
    assert now["status"] == "running", now
    return int(now["rows_applied"])


def book_of(connection: psycopg.Connection[Any], table: str) -> Book:
    """``table`` has columns origin and destination (ids of ports), day, sum and count."""
    query = (
        f"SELECT here.code, there.code, day, sum, count FROM {table}"
        " JOIN rates_port here ON here.id = origin JOIN rates_port there ON there.id = destination"
    )
    rows = connection.execute(query.encode())
    return {(origin, destination, day): (total, count) for origin, destination, day, total, count in rows}


RAW = (
    "(SELECT origin_id AS origin, destination_id AS destination, day, sum(price_usd), count(*) FROM rates_price"
    " GROUP BY 1, 2, 3) prices"
)
ROLLUPS = "(SELECT * FROM rates_rollup WHERE level = 1) rollups"


def make_ports(connection: psycopg.Connection[Any]) -> None:
    connection.execute("INSERT INTO rates_region (slug, name) VALUES ('sea', 'Sea')")
    connection.execute(
        "INSERT INTO rates_port (code, name, region_id)"
        " SELECT code, code, region.id FROM rates_region region, unnest(%s::text[]) code",
        [CODES],
    )


def test_every_row_of_a_batch_has_one_outcome_although_its_workers_are_killed(stack: Stack) -> None:
    rows = make_rows()
    with psycopg.connect(stack.database_url) as connection:
        make_ports(connection)
    status, body = ask(stack, "POST", "/rates/batches", json.dumps(rows).encode())
    assert status == 202, body
    batch_id = json.loads(body)["id"]
    done = 0
    for _ in range(2):
        done = wait_for_rows(stack, batch_id, done)
        kill_workers(stack)
    wait_until(lambda: state(stack, batch_id)["status"] in ENDED, "end", on_failure=lambda: stack.log[-3_000:])
    now = state(stack, batch_id)
    assert (now["status"], now["rows_applied"], now["rows_rejected"]) == ("finished", ROWS - 1, 1)
    (error,) = csv.DictReader(io.StringIO(ask(stack, "GET", f"/rates/batches/{batch_id}/errors")[1].decode()))
    assert (int(error["row"]), error["code"]) == (BAD_ROW, "place-not-found")
    with psycopg.connect(stack.database_url) as connection:
        applied = {row for (row,) in connection.execute("SELECT DISTINCT batch_row FROM rates_price")}
        assert applied == set(range(1, ROWS + 1)) - {BAD_ROW}
        assert book_of(connection, RAW) == book_of(connection, ROLLUPS) == oracle(rows)

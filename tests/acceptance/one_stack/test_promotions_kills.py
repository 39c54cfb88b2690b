"""Imports and reads of the whole stack while its parts are killed or stopped."""

import hashlib
import http.client
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest

from promotions.rows.samples import write_sample
from tests.acceptance.harness import Stack, paused, wait_until

ROWS, DUPLICATES = 400_000, 400
ENDED = ("published", "superseded", "quarantined", "failed", "cancelled")
PARTS = ("worker-imports", "postgres", "cache", "truth", "web")
DATE = "2018-06-24 14:50:03 +0200 CEST"


@dataclass(frozen=True)
class Expected:
    """What a file must become, found out by reading it line by line."""

    loaded: int
    rejected: int
    duplicate: int
    checksum: str


@pytest.fixture(scope="module")
def sample(stack: Stack) -> tuple[str, Expected]:
    path = stack.data_dir / "imports" / "sample.csv"
    write_sample(path, ROWS, bad_share=0.001, duplicates=DUPLICATES)
    return path.name, _expected(path)


def _expected(path: Path) -> Expected:
    good = re.compile(r"[0-9a-f-]{36},[0-9]+\.[0-9]{6},(?!2018-02-30)[0-9 :+A-Z-]+")
    lines: dict[str, int] = {}
    seen = rejected = 0
    with path.open(encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            seen += 1
            if good.fullmatch(line.rstrip("\n")):
                lines[line[:36]] = number
            else:
                rejected += 1
    return Expected(len(lines), rejected, seen - rejected - len(lines), _checksum(lines.items()))


def _checksum(rows: Any) -> str:
    digest = hashlib.sha256()
    for row_id, line in sorted(rows):
        digest.update(f"{row_id} {line}\n".encode())
    return digest.hexdigest()


def request(stack: Stack, path: str, data: bytes | None = None) -> Any:
    with urlopen(Request(stack.url + path, data), timeout=10) as answer:
        return json.load(answer)


def submit(stack: Stack, name: str) -> int:
    return int(request(stack, "/process-csv", f"filename={name}".encode())["id"])


def progress(stack: Stack, import_id: int) -> dict[str, Any]:
    """Where an import stands; as far as it is known while the stack is down, it has not begun."""
    try:
        found: dict[str, Any] = request(stack, f"/imports/{import_id}")
    except (OSError, http.client.HTTPException):
        return {"status": "unknown", "bytes_done": 0}
    return found


def ended(stack: Stack, import_id: int) -> dict[str, Any]:
    wait_until(
        lambda: progress(stack, import_id)["status"] in ENDED,
        f"end of import {import_id}",
        60,
        on_failure=lambda: (progress(stack, import_id), stack.log[-3_000:]),
    )
    return progress(stack, import_id)


def wait_for_first_rows(stack: Stack, import_id: int) -> None:
    wait_until(lambda: progress(stack, import_id)["bytes_done"] > 0, "first loaded chunk", 30)


def assert_exact(stack: Stack, import_id: int, expected: Expected) -> None:
    now = ended(stack, import_id)
    assert now["status"] == "published", now
    assert (now["rows_loaded"], now["rows_rejected"], now["rows_duplicate"], now["rows_blank"]) == (
        expected.loaded,
        expected.rejected,
        expected.duplicate,
        0,
    )
    with psycopg.connect(stack.database_url) as connection:
        rows = connection.execute(f"SELECT id::text, line FROM promotions_v{import_id}".encode()).fetchall()
    assert len(rows) == expected.loaded
    assert _checksum(rows) == expected.checksum


def wait_until_served(stack: Stack, path: str) -> None:
    def answers() -> bool:
        with suppress(OSError, http.client.HTTPException):
            return bool(request(stack, path))
        return False

    wait_until(answers, f"answer to {path}", 60, on_failure=lambda: stack.log[-3_000:])


def test_import_survives_the_death_of_every_part(stack: Stack, sample: tuple[str, Expected]) -> None:
    """Each part is killed while one and the same import runs, the next when the one before is back."""
    name, expected = sample
    import_id = submit(stack, name)
    wait_for_first_rows(stack, import_id)
    killed_while = {}
    for part in PARTS:
        killed_while[part] = progress(stack, import_id)["status"]
        stack.wait_for_restart(part, stack.kill(part))
        wait_until_served(stack, "/health/ready")
    assert killed_while["worker-imports"] in ("planning", "loading")
    assert killed_while["postgres"] not in ENDED, killed_while
    assert_exact(stack, import_id, expected)


@pytest.mark.parametrize("part", ["worker child", "postgres", "cache"])
def test_import_survives_a_kill_while_it_loads(stack: Stack, sample: tuple[str, Expected], part: str) -> None:
    name, expected = sample
    import_id = submit(stack, name)
    wait_for_first_rows(stack, import_id)
    assert progress(stack, import_id)["status"] in ("planning", "loading")
    if part == "worker child":
        os.kill(stack.pids("worker-imports")[-1], signal.SIGKILL)
    else:
        stack.wait_for_restart(part, stack.kill(part))
    assert_exact(stack, import_id, expected)


def test_of_two_imports_at_once_the_newer_is_served(stack: Stack, sample: tuple[str, Expected]) -> None:
    name, expected = sample
    older, newer = submit(stack, name), submit(stack, name)
    assert_exact(stack, newer, expected)
    assert ended(stack, older)["status"] == "superseded"
    versions = request(stack, "/promotions/versions")["results"]
    assert [version["version"] for version in versions if version["is_live"]] == [newer]


# Readers


@dataclass
class Reader:
    """Asks for one id after the other on a connection of its own and notes what cannot be."""

    port: int
    ids: list[str]
    stop: threading.Event
    price_of: dict[int, float]
    highest_seen: list[int]
    wrong: list[str] = field(default_factory=list)
    answers: int = 0
    versions: set[int] = field(default_factory=set)

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            while not self.stop.is_set():
                self._ask(connection, self.ids[self.answers % len(self.ids)])
        except Exception as error:
            self.wrong.append(repr(error))
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, row_id: str) -> None:
        at_least = self.highest_seen[0]
        connection.request("GET", f"/promotions/{row_id}")
        response = connection.getresponse()
        body = response.read()
        self.answers += 1
        if response.status != 200:
            self.wrong.append(f"{response.status} {body!r}")
            return
        version, price = int(response.headers["X-Data-Version"]), json.loads(body)["price"]
        if price != self.price_of.setdefault(version, price):
            self.wrong.append(f"version {version} has prices {self.price_of[version]} and {price}")
        if version < at_least:
            self.wrong.append(f"version {version} after {at_least}")
        self.highest_seen[0] = max(self.highest_seen[0], version)
        self.versions.add(version)


@contextmanager
def readers(stack: Stack, ids: list[str], count: int) -> Iterator[list[Reader]]:
    stop, prices, highest = threading.Event(), dict[int, float](), [0]
    reading = [Reader(stack.port, ids[n:] + ids[:n], stop, prices, highest) for n in range(count)]
    threads = [threading.Thread(target=reader.run) for reader in reading]
    for thread in threads:
        thread.start()
    try:
        yield reading
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def small_file(stack: Stack, ids: list[str], price: int) -> str:
    path = stack.data_dir / "imports" / f"small-{price}.csv"
    path.write_text("".join(f"{row_id},{price}.00,{DATE}\n" for row_id in ids))
    return path.name


def publish_small(stack: Stack, ids: list[str], price: int) -> None:
    """Make a small file live, whatever was live before: the check of its size would keep it away."""
    with psycopg.connect(stack.database_url) as connection:
        connection.execute("UPDATE promotions_version SET row_count = %s WHERE retired_at IS NULL", [len(ids)])
    assert ended(stack, submit(stack, small_file(stack, ids, price)))["status"] == "published"


def test_readers_see_no_error_no_mix_and_no_step_back_through_20_publishes(stack: Stack) -> None:
    """Every price of a file is the file's own number, so each answer tells which file it came from."""
    ids = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(0, 2**32, 2**32 // 200)]
    publish_small(stack, ids, 1)
    with readers(stack, ids, 4) as reading:
        published: list[int] = []
        for price in range(2, 22):
            published.append(submit(stack, small_file(stack, ids, price)))
            assert ended(stack, published[-1])["status"] == "published"
    assert [wrong for reader in reading for wrong in reader.wrong] == []
    assert sum(reader.answers for reader in reading) > 1_000
    assert set(published) <= set().union(*(reader.versions for reader in reading))
    assert len(set(reading[0].price_of.values())) == len(reading[0].price_of) >= 20


def timed_get(stack: Stack, path: str) -> tuple[int, float]:
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status, time.monotonic() - started
    finally:
        connection.close()


def test_stopped_postgresql_costs_answers_but_no_waiting(stack: Stack) -> None:
    ids = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(100)]
    cached, *uncached = ids
    publish_small(stack, ids, 22)
    wait_until(lambda: timed_get(stack, f"/promotions/{cached}")[0] in (200, 404), "cached answer")
    with paused(stack.pids("postgres")), ThreadPoolExecutor(8) as pool:
        asked = pool.map(timed_get, repeat(stack), [f"/promotions/{row_id}" for row_id in uncached[:8]])
        known = [timed_get(stack, f"/promotions/{cached}") for _ in range(100)]
        answers = list(asked)
        live = [timed_get(stack, "/health/live") for _ in range(3)]
    assert {status for status, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < 2.0
    assert [status for status, _ in live] == [200] * 3
    assert {status for status, _ in known} <= {200, 404}
    assert max(seconds for _, seconds in [*live, *known]) < 1.0
    _eventually(
        lambda: all(timed_get(stack, f"/promotions/{row_id}")[0] in (200, 404) for row_id in uncached), "answers"
    )
    _eventually(lambda: timed_get(stack, "/health/ready")[0] == 200, "readiness")


def _eventually(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, 20)
